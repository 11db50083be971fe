package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// hangUp sends the request and hangs up as soon as AWS is called. AWS delays
// its first answer by delay.
func (w *world) hangUp(t *testing.T, e exchange, delay time.Duration) {
	t.Helper()
	asked := make(chan struct{}, 10)
	remove := w.aws.Inject(localaws.Fault{Operation: "*", Times: 1, Delay: delay, When: func(localaws.Call) bool {
		select {
		case asked <- struct{}{}:
		default:
		}
		return true
	}})
	defer remove()
	w.hangUpWhen(t, e, asked)
}

// hangUpWhen sends the request and hangs up when the channel says so.
func (w *world) hangUpWhen(t *testing.T, e exchange, when <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-when
		cancel()
	}()
	r, err := http.NewRequestWithContext(ctx, e.method, w.url+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token())
	if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
		response.Body.Close()
		t.Fatal("it answered before the caller hung up")
	}
}

// A change continues to its end after its caller has hung up.
func TestChangeGoesOnWithoutItsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hangUp(t, exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`}, time.Second)
	waitFor(t, "the create to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"CreateRepository"`) })
	w.run(exchange{name: "created", method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")})

	w.hangUp(t, exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE"}`}, time.Second)
	waitFor(t, "the update to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"UpdateRepository"`) })
	w.run(exchange{name: "updated", method: "GET", path: base + "/g/a", status: 200,
		want: shown("g/a", `"ScanOnPush": "false"`, `"ScanOnPush": "true"`, `"MUTABLE"`, `"IMMUTABLE"`)})

	w.addImage(account, "g/a", localaws.Image{Tags: []string{"latest"}})
	w.hangUp(t, exchange{method: "POST", path: scanPath}, time.Second)
	waitFor(t, "the scan to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"ScanImage"`) })
	w.run(exchange{name: "scanned", method: "POST", path: scanPath, status: 429, want: problemByAWS("quota-reached", scanLimit, "LimitExceededException")})
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}})
	w.hangUp(t, exchange{method: "DELETE", path: base + "/g/a/images/v1"}, time.Second)
	waitFor(t, "the deletion of the image to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"DeleteImage","awsCalls"`) })
	w.run(exchange{name: "no image", method: "GET", path: base + "/g/a/images/v1", status: 404, want: "-"})

	w.hangUp(t, sharingOf("PUT", shareToAll, 0, ""), time.Second)
	waitFor(t, "the sharing to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"PutSharing"`) })
	w.run(sharingOf("GET", "", 200, sharedToAll))
	w.hangUp(t, sharingOf("DELETE", "", 0, ""), time.Second)
	waitFor(t, "the end of the sharing to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"DeleteSharing"`) })
	w.run(sharingOf("GET", "", 200, notShared))

	w.hangUp(t, exchange{method: "DELETE", path: base + "/g/a"}, time.Second)
	waitFor(t, "the delete to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"DeleteRepository"`) })
	w.run(exchange{name: "deleted", method: "GET", path: base + "/g/a", status: 404, want: "-"})
}

// A read ends when its caller hangs up.
func TestReadEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: "-"})
	w.hangUp(t, exchange{method: "GET", path: base + "/g/a"}, 8*time.Second)
	waitFor(t, "the request to be logged", func() bool { return strings.Contains(w.log.String(), `"status":499`) })
	waitFor(t, "AWS to notice", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.calls {
			if c.ErrorCode == localaws.CodeClientGone {
				return true
			}
		}
		return false
	})
}
