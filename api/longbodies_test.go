package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

// longCreate returns a body of a create that is long enough to need a place.
func longCreate(name string) string {
	return strings.Repeat(" ", shortBody) + `{"RepositoryName": "` + name + `"}`
}

// A slowCaller has sent all of a long body but its end.
type slowCaller struct {
	connection net.Conn
	rest       string
}

// sendSlowly begins a create with a long body, which fits the account. It
// returns when the body has a place.
func (w *world) sendSlowly(t *testing.T, account, name string) *slowCaller {
	t.Helper()
	before := w.longBodies()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	body := longCreate(name)
	fmt.Fprintf(c, "POST /v1/ecr/%s/repositories/g HTTP/1.1\r\nHost: here\r\nX-Auth-Token: %s\r\nContent-Length: %d\r\n\r\n%s", account, token(), len(body), body[:len(body)-1])
	waitFor(t, "the body to have a place", func() bool { return w.longBodies() == before+1 })
	return &slowCaller{c, body[len(body)-1:]}
}

// finish sends the rest, and returns the status of the answer.
func (c *slowCaller) finish(t *testing.T) int {
	t.Helper()
	io.WriteString(c.connection, c.rest)
	answer, err := http.ReadResponse(bufio.NewReader(c.connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// longBodies returns how many long bodies have a place or wait for one.
func (w *world) longBodies() (n int) {
	places := w.service.bodies.places
	places.mu.Lock()
	defer places.mu.Unlock()
	for _, s := range places.accounts {
		n += s.users
	}
	return n
}

// waitForWaits waits until n lists and long bodies have had to wait.
func (w *world) waitForWaits(t *testing.T, n int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d waits", n), func() bool { return w.metrics()[`ecr_api_limits_reached_total{limit="memory"}`] == fmt.Sprint(n) })
}

// Callers that send long bodies slowly hold up other long bodies, but no lists
// and no short bodies.
func TestSlowLongBodies(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all)
	var slow []*slowCaller
	for i := range maxLongBodies {
		slow = append(slow, w.sendSlowly(t, []string{account, account2}[i%2], fmt.Sprint("slow", i)))
	}
	w.lend(t, account2, all)() // all memory of lists is free
	w.run(
		exchange{method: "GET", path: base, status: 200, want: `[]`},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "short"}`, status: 200, want: shown("g/short")},
	)
	w.waitForWaits(t, 0)
	var answered sync.WaitGroup
	answered.Go(func() {
		w.run(exchange{method: "POST", path: base + "/g", header: map[string]string{"X-Request-Id": "waits"}, body: longCreate("waits"), status: 200, want: "-"})
	})
	w.waitForWaits(t, 1)
	if status := slow[0].finish(t); status != 200 {
		t.Errorf("status %d", status)
	}
	answered.Wait()
	for _, line := range w.logged(t) {
		if wait, waited := line["memoryWait"].(float64); waited != (line["requestId"] == "waits") || waited && wait <= 0 {
			t.Errorf("the wait is not in the log: %v", line)
		}
	}
	for _, c := range slow[1:] {
		if status := c.finish(t); status != 200 {
			t.Errorf("status %d", status)
		}
	}
	waitFor(t, "all places to be free", func() bool { return w.longBodies() == 0 })
}

// An account gets half of the places, so that others can send long bodies too.
func TestAccountGetsHalfOfThePlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sendSlowly(t, account, "a")
	last := w.sendSlowly(t, account, "b")
	var answered sync.WaitGroup
	answered.Go(func() {
		w.run(exchange{method: "POST", path: base + "/g", body: longCreate("c"), status: 200, want: "-"})
	})
	w.waitForWaits(t, 1)
	w.run(exchange{method: "POST", path: base2 + "/g", body: longCreate("d"), status: 200, want: "-"})
	if status := last.finish(t); status != 200 {
		t.Errorf("status %d", status)
	}
	answered.Wait()
}

func TestLongBodyWaitsInVain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 2 * time.Second })
	taken, err := w.service.bodies.places.take(t.Context(), account, maxLongBodies)
	if err != nil {
		t.Fatal(err)
	}
	w.run(exchange{method: "POST", path: base + "/g", body: longCreate("a"), status: 503, wants: http.Header{"Retry-After": {"1"}},
		want: problemOf("too-many-requests", "Too many long lists or bodies are being read. Try again.")})
	w.waitForWaits(t, 1)
	if w.lastLine(t)["memoryWait"] == nil {
		t.Error("the wait is not in the log")
	}
	taken.giveBack(maxLongBodies)
	w.run(exchange{method: "POST", path: base + "/g", body: longCreate("a"), status: 200, want: "-"})
}

// A deadlines notes the deadlines of a request's body.
type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetReadDeadline(end time.Time) error {
	d.set = append(d.set, end)
	return nil
}

// The time for the body counts once, from its beginning to its end.
func TestLongBodyHasOneDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, body := range map[string]string{"short": "{}", "long": longCreate("a")} {
		seen := &deadlines{ResponseWriter: httptest.NewRecorder()}
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r = r.WithContext(context.WithValue(r.Context(), recordKey{}, &record{}))
		end := time.Now().Add(time.Second)
		read, done, err := readBody(seen, r, end, w.service.bodies)
		if err != nil || string(read) != body {
			t.Fatalf("%s: %d bytes, %v", name, len(read), err)
		}
		done()
		if diff := cmp.Diff([]time.Time{end}, seen.set); diff != "" {
			t.Errorf("%s: deadlines (-want +got):\n%s", name, diff)
		}
	}
}
