package service

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"
)

// bodyServer has an operation Do that keeps the time of its work.
type bodyServer struct {
	*Server
	now    atomic.Int64 // in seconds
	worked time.Time
	watch  func(Call)
}

func newBodyServer() *bodyServer {
	b := &bodyServer{watch: func(Call) {}}
	work := func(c *Request, _ noInput) (any, error) {
		b.worked = c.Now
		return nil, nil
	}
	decode := func(*Request, []byte) (noInput, error) { return noInput{}, nil }
	needs := func(*Request, noInput) []Permission { return nil }
	b.Server = NewServer(Options{
		Services: []Service{{Name: "test", Protocol: JSON{"Test."}, Operations: []Operation{Row("Do", decode, needs, work)}}},
		Sessions: NewSessions(),
		Now:      func() time.Time { return time.Unix(b.now.Load(), 0) },
		Watch:    func(c Call) { b.watch(c) },
		FaultFor: func(Call) Fault { return nil },
	})
	return b
}

// post calls an operation, and returns the status. It is 0 if the connection was
// closed.
func (b *bodyServer) post(ctx context.Context, operation string, body io.Reader) (status int) {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", body)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260301/us-east-1/test/aws4_request, SignedHeaders=host, Signature=00")
	r.Header.Set("X-Amz-Target", "Test."+operation)
	w := httptest.NewRecorder()
	defer func() {
		if reason := recover(); reason != nil && reason != http.ErrAbortHandler {
			panic(reason)
		}
	}()
	b.ServeHTTP(w, r)
	return w.Code
}

// signal is a reader without bytes. It calls a function.
type signal func()

func (s signal) Read([]byte) (int, error) {
	s()
	return 0, io.EOF
}

// bodyOf returns a body of a size, and calls a function before its end.
func bodyOf(size int, atEnd func()) io.Reader {
	return io.MultiReader(strings.NewReader(strings.Repeat(" ", size)), signal(atEnd))
}

// TestLargeBodies shows that four large bodies are in memory at a time. Others
// wait, except small ones, and their time begins after that.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	b := newBodyServer()
	inside, end, statuses := make(chan bool), make(chan bool), make(chan int)
	for range 4 {
		go func() {
			statuses <- b.post(t.Context(), "Other", bodyOf(smallBody+1, func() {
				inside <- true
				<-end
			}))
		}()
	}
	for range 4 {
		<-inside
	}
	if status := b.post(t.Context(), "Do", bodyOf(smallBody, func() {})); status != http.StatusOK {
		t.Errorf("a small body: status %d", status)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	if status := b.post(gone, "Do", bodyOf(smallBody+1, func() { t.Error("a fifth large body is read") })); status != 0 {
		t.Errorf("a client that has hung up: status %d", status)
	}

	var waited Call
	begun, answered := make(chan bool), make(chan int)
	b.watch = func(c Call) {
		if c.Operation == "Do" {
			waited = c
		}
	}
	go func() {
		start := io.MultiReader(signal(func() { begun <- true }), bodyOf(smallBody+1, func() {}))
		answered <- b.post(t.Context(), "Do", start)
	}()
	<-begun
	if b.places.TryAcquire(1) {
		t.Error("there is a place for a fifth large body")
	}
	b.now.Store(60)
	released := time.Now()
	close(end)
	for range 4 {
		if status := <-statuses; status != http.StatusBadRequest { // there is no such operation
			t.Errorf("a large body: status %d", status)
		}
	}
	if status := <-answered; status != http.StatusOK || waited.Start.Before(released) || b.worked.Unix() != 60 {
		t.Errorf("after waiting: status %d, begun at %v, work at %v", status, waited.Start, b.worked)
	}
	b.wantAllPlaces(t)
}

// TestPlacesComeBack shows that a large body gives its place back, also if it is
// refused.
func TestPlacesComeBack(t *testing.T) {
	t.Parallel()
	b := newBodyServer()
	for _, test := range []struct {
		name      string
		operation string
		body      io.Reader
		status    int
	}{
		{"good", "Do", bodyOf(smallBody+1, func() {}), http.StatusOK},
		{"unknown operation", "Other", bodyOf(smallBody+1, func() {}), http.StatusBadRequest},
		{"broken off", "Do", io.MultiReader(bodyOf(smallBody+1, func() {}), iotest.ErrReader(errors.New("broken off"))), http.StatusBadRequest},
		{"too large", "Do", bodyOf(maxBody+1, func() {}), http.StatusRequestEntityTooLarge},
		{"as large as can be", "Do", bodyOf(maxBody, func() {}), http.StatusOK},
	} {
		if status := b.post(t.Context(), test.operation, test.body); status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, status, test.status)
		}
		b.wantAllPlaces(t)
	}
}

// TestReadBody shows that a body of another protocol needs a place too, until
// its reader has done with it.
func TestReadBody(t *testing.T) {
	t.Parallel()
	b := newBodyServer()
	const limit = 2 << 20
	for _, test := range []struct {
		size  int
		place bool
		want  string // the error
	}{
		{0, false, ""},
		{smallBody, false, ""},
		{smallBody + 1, true, ""},
		{limit, true, ""},
		{limit + 1, false, "RequestEntityTooLargeException: the body is larger than 2097152 bytes"},
	} {
		l := &Login{server: b.Server, http: httptest.NewRequest(http.MethodPut, "/", bodyOf(test.size, func() {}))}
		body, done, err := l.ReadBody(limit)
		if test.want != "" {
			if err == nil || err.Error() != test.want {
				t.Errorf("%d bytes: error %v, want %s", test.size, err, test.want)
			}
			b.wantAllPlaces(t)
			continue
		}
		free := b.places.TryAcquire(largeBodies)
		if err != nil || len(body) != test.size || free == test.place {
			t.Errorf("%d bytes: %d (%v); all places are free: %v", test.size, len(body), err, free)
		}
		if free {
			b.places.Release(largeBodies)
		}
		done()
		b.wantAllPlaces(t)
	}
}

func (b *bodyServer) wantAllPlaces(t *testing.T) {
	t.Helper()
	if !b.places.TryAcquire(largeBodies) {
		t.Fatal("not all places are free")
	}
	b.places.Release(largeBodies)
}
