package fault

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// upload is a call in which bytes of a layer flow.
var upload = service.Call{Service: "ecr", Operation: "UploadLayerPart"}

// seen is what a test sees of a layer that goes through a fault.
type seen struct {
	Bytes, Code string
	Hits        int
}

func TestAfterBytes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault Fault
		want  seen // of the layer "0123456789"
	}{
		"drop":              {Fault{Drop: true, AfterBytes: 4}, seen{"0123", CodeDropped, 1}},
		"error":             {Fault{Code: "ServerException", AfterBytes: 1}, seen{"0", "ServerException", 1}},
		"stall":             {Fault{Delay: time.Millisecond, AfterBytes: 4}, seen{"0123456789", "", 1}},
		"stall, then error": {Fault{Delay: time.Millisecond, Code: "X", AfterBytes: 4}, seen{"0123", "X", 1}},
		"after all bytes":   {Fault{Drop: true, AfterBytes: 10}, seen{"0123456789", CodeDropped, 1}},
		"more bytes":        {Fault{Drop: true, AfterBytes: 11}, seen{"0123456789", "", 0}},
		"before the work":   {Fault{Drop: true}, seen{"0123456789", "", 1}},
		"improbable":        {Fault{Drop: true, AfterBytes: 4, Probability: 1e-300}, seen{"0123456789", "", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l List
			test.fault.Operation = "*"
			l.Inject(test.fault)
			var layer io.Reader = strings.NewReader("0123456789")
			if f := l.FaultFor(upload); f != nil {
				layer = f.Flow(t.Context(), layer)
			}
			wantSeen(t, &l, layer, test.want)
		})
	}
}

// wantSeen reads the layer to its end or its error.
func wantSeen(t *testing.T, l *List, layer io.Reader, want seen) {
	t.Helper()
	bytes, err := io.ReadAll(layer)
	got := seen{Bytes: string(bytes)}
	if e, ok := err.(*service.Error); ok {
		got.Code = e.Code
	} else if err != nil {
		t.Error(err)
	}
	for _, a := range l.inForce() {
		got.Hits += a.hits
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
}

// TestAfterBytesOnly shows that a fault with AfterBytes does nothing before the
// work and after it.
func TestAfterBytesOnly(t *testing.T) {
	t.Parallel()
	var l List
	l.Inject(Fault{Operation: "*", Drop: true, AfterBytes: 4})
	f := l.FaultFor(upload)
	if err := f.Before(t.Context()); err != nil {
		t.Errorf("before the work: %v", err)
	}
	if out, err := f.After(t.Context(), "out", nil); out != "out" || err != nil {
		t.Errorf("after the work: %v, %v", out, err)
	}
}

// TestAfterBytesCountsHits shows that only a call in which the fault acts is a
// hit, so that short layers do not use it up.
func TestAfterBytesCountsHits(t *testing.T) {
	t.Parallel()
	var l List
	l.Inject(Fault{Operation: "*", Drop: true, AfterBytes: 4, Times: 1})
	flow := func(layer string) io.Reader { return l.FaultFor(upload).Flow(t.Context(), strings.NewReader(layer)) }
	short, first, second := flow("012"), flow("first"), flow("second")
	wantSeen(t, &l, short, seen{"012", "", 0})
	wantSeen(t, &l, second, seen{"seco", CodeDropped, 0}) // the fault is removed after its only hit
	wantSeen(t, &l, second, seen{"", CodeDropped, 0})
	wantSeen(t, &l, first, seen{"first", "", 0})
	if f := l.FaultFor(upload); f != nil {
		t.Errorf("the fault is still in force: %+v", f)
	}
}

func TestRemovedWhileBytesFlow(t *testing.T) {
	t.Parallel()
	var l List
	remove := l.Inject(Fault{Operation: "*", Drop: true, AfterBytes: 4})
	layer := l.FaultFor(upload).Flow(t.Context(), strings.NewReader("0123456789"))
	remove()
	wantSeen(t, &l, layer, seen{"0123456789", "", 0})
}

func TestStallEndsWithTheClient(t *testing.T) {
	t.Parallel()
	var l List
	l.Inject(Fault{Operation: "*", Delay: time.Hour, AfterBytes: 4})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	layer := l.FaultFor(upload).Flow(ctx, strings.NewReader("0123456789"))
	wantSeen(t, &l, layer, seen{"0123", CodeClientGone, 1})
}
