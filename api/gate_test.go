package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/gorilla/mux"
)

// newWrongToken returns the i-th wrong token of that cost. It has the form of a
// hash, but is not the hash of any key.
func newWrongToken(cost, i int) string {
	return fmt.Sprintf("$2a$%02d$%s%013d", cost, strings.Repeat("A", 40), i)
}

// occupied returns a world with a gate that has no free place. Nothing is
// compared until release is called.
func occupied(t *testing.T) (w *world, release func()) {
	t.Helper()
	w = newWorld(t)
	g := w.service.gate
	for range cap(g.comparing) {
		g.comparing <- struct{}{}
		g.admitted <- struct{}{}
	}
	return w, sync.OnceFunc(func() {
		for range cap(g.comparing) {
			g.leave()
		}
	})
}

func TestComparisonsTakeHalfOfTheCores(t *testing.T) {
	t.Parallel()
	g := newGate()
	if got, want := cap(g.comparing), max(1, runtime.GOMAXPROCS(0)/2); got != want {
		t.Errorf("%d comparisons at once, want %d", got, want)
	}
	if got, want := cap(g.admitted)-cap(g.comparing), 16; got != want {
		t.Errorf("a queue of %d, want %d", got, want)
	}
	if got, want := cap(g.delayed), 256; got != want {
		t.Errorf("at most %d refusals are delayed, want %d", got, want)
	}
}

func TestFloodOfTokens(t *testing.T) {
	t.Parallel()
	w, release := occupied(t)
	g := w.service.gate
	live := w.service.settings.Load()
	known := token()
	if err := rememberForTest(live.tokens, known); err != nil {
		t.Fatal(err)
	}

	// The queue fills with new wrong tokens.
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer release()
	for i := range cap(g.admitted) - cap(g.comparing) {
		waiting.Go(func() {
			start := time.Now()
			status := w.statusOf(newWrongToken(4, i))
			inTime := time.Since(start) < maxWait // it may take longer on a busy machine
			if status != http.StatusForbidden && (inTime || status != http.StatusServiceUnavailable) {
				t.Errorf("a token that waited: status %d, want 403", status)
			}
		})
	}
	waitFor(t, "the queue to fill", func() bool { return len(g.admitted) == cap(g.admitted) })

	// A caller whose token is remembered does not wait for them.
	w.run(exchange{name: "remembered", method: "GET", path: base, status: 200, want: `[]`})

	// A request that finds the queue full waits for a second and is then
	// refused.
	start := time.Now()
	w.run(exchange{name: "no room", method: "GET", path: base, header: map[string]string{"X-Auth-Token": newWrongToken(4, 99)}, status: 503,
		want:  problemOf("too-many-tokens", "Too many new tokens are being checked. Try again, with the same token."),
		wants: http.Header{"Retry-After": {"1"}}})
	if waited := time.Since(start); waited < refusalDelay {
		t.Errorf("it was refused after %s", waited)
	}

	// If too many requests wait like this, the next one loses its connection.
	for range cap(g.delayed) {
		g.delayed <- struct{}{}
	}
	if status := w.statusOf(newWrongToken(4, 100)); status != 0 {
		t.Errorf("status %d, want none", status)
	}
	for range cap(g.delayed) {
		<-g.delayed
	}
	if log := w.log.String(); !strings.Contains(log, `"msg":"audit","outcome":"dropped"`) {
		t.Errorf("the log does not know the dropped request:\n%s", log)
	}
	for series := range w.metrics() {
		if strings.Contains(series, `code="0"`) {
			t.Errorf("the dropped request is counted as answered: %s", series)
		}
	}
}

// Requests with the same token share one comparison and one place.
func TestSameTokenIsComparedOnce(t *testing.T) {
	t.Parallel()
	w, release := occupied(t)
	g := w.service.gate
	var all sync.WaitGroup
	for range 4 * cap(g.admitted) {
		all.Go(func() {
			if status := w.statusOf(token()); status != http.StatusOK {
				t.Errorf("status %d, want 200", status)
			}
		})
	}
	waitFor(t, "one to wait", func() bool { return len(g.admitted) > cap(g.comparing) })
	if got := len(g.admitted) - cap(g.comparing); got != 1 {
		t.Errorf("%d places are taken, want 1", got)
	}
	release()
	all.Wait()
}

func TestWaitForAComparisonEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		for range cap(g.comparing) {
			g.comparing <- struct{}{}
		}
		start := time.Now()
		if g.enter() || time.Since(start) != maxWait || len(g.admitted) != 0 {
			t.Errorf("after %s, %d places are taken", time.Since(start), len(g.admitted))
		}
	})
}

// A token is forgotten five minutes after it was last used.
func TestTokensAreForgotten(t *testing.T) {
	t.Parallel()
	good := token()
	synctest.Test(t, func(t *testing.T) {
		tokens, err := newTokens(common.Keys{{Name: "default", Secret: key}}, 12, newGate(), newMeasures(nil).tokenChecks)
		if err != nil {
			t.Fatal(err)
		}
		want := func(when string, remembered bool) {
			t.Helper()
			if _, err := tokens.verifyAgain(good); (err == nil) != remembered {
				t.Errorf("%s: remembered: %t", when, !remembered)
			}
		}
		want("before it came", false)
		if _, err := tokens.verify(good); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		want("after four minutes", true)
		time.Sleep(4 * time.Minute)
		want("four minutes after that", true)
		time.Sleep(5*time.Minute + time.Second)
		want("five minutes after its last use", false)
	})
}

// statusOf returns the status that a token gets. It is 0 if there is no answer.
func (w *world) statusOf(token string) int {
	r, err := http.NewRequest("GET", w.url+base, nil)
	if err != nil {
		return -1
	}
	r.Header.Set("X-Auth-Token", token)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	w.check(response)
	return response.StatusCode
}

func rememberForTest(t *tokens, token string) error {
	own := *t.gate
	t.gate = newGate() // the real one is occupied
	_, err := t.verify(token)
	t.gate = &own
	return err
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("waited in vain for " + what)
		}
	}
}

// BenchmarkTokenFlood measures how long authenticated requests take, first
// alone and then while 200 connections send new wrong tokens of the highest
// cost.
func BenchmarkTokenFlood(b *testing.B) {
	w := newWorld(b)
	median := func() time.Duration {
		var took []time.Duration
		for range 500 {
			start := time.Now()
			w.do(exchange{method: "GET", path: base})
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	w.statusOf(token())
	for b.Loop() {
		quiet, before := median(), heap()
		stop := make(chan struct{})
		var flood sync.WaitGroup
		for i := range 200 {
			flood.Go(func() { w.flood(i, stop) })
		}
		time.Sleep(2 * time.Second) // until the queue is full
		under, during := median(), heap()
		close(stop)
		flood.Wait()
		b.ReportMetric(float64(quiet.Microseconds()), "quiet-µs")
		b.ReportMetric(float64(under.Microseconds()), "flood-µs")
		b.ReportMetric(float64(under)/float64(quiet), "flood/quiet")
		b.ReportMetric(float64(before)/(1<<20), "quiet-MiB")
		b.ReportMetric(float64(during)/(1<<20), "flood-MiB")
	}
}

func (w *world) flood(i int, stop <-chan struct{}) {
	for n := i; ; n += 1000 {
		select {
		case <-stop:
			return
		default:
			w.statusOf(newWrongToken(12, n))
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestKeysAreKnownByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) {
		c.Token = common.Keys{{Name: "new", Secret: "the new key"}, {Name: "old", Secret: key}}
	})
	if status := w.statusOf(hash(t, "the new key", 4)); status != 200 {
		t.Errorf("a token of the new key: status %d", status)
	}
	if status := w.statusOf(token()); status != 200 {
		t.Errorf("a token of the old key: status %d", status)
	}
	lines := w.logged(t)
	if len(lines) != 2 || lines[0]["key"] != "new" || lines[1]["key"] != "old" {
		t.Errorf("the log does not tell the keys apart: %v", lines)
	}
}

// A request keeps the settings with which it began, also if a reload comes
// before its token is checked.
func TestRequestKeepsItsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := *w.service.settings.Load().config
	next.Token = common.Keys{{Name: "next", Secret: "another key"}}
	next.Accounts = map[string]string{"other": account2}
	next.MaxInFlight = 0
	next.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	rt := rowNamed("ListRepositories")
	answer := w.service.authenticate(rt.Endpoint.serve(w.service, rt))
	w.service.router = mux.NewRouter()
	w.service.router.Handle(rt.Path, w.service.observe(rt.Path, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := w.service.Reload(&next); err != nil {
			t.Error(err)
		}
		answer.ServeHTTP(rw, r)
	})))
	r := httptest.NewRequest("GET", base, nil)
	r.Header.Set("X-Auth-Token", token())
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	recorder := httptest.NewRecorder()
	w.service.ServeHTTP(recorder, r)
	if recorder.Code != 200 || recorder.Body.String() != "[]\n" {
		t.Errorf("status %d: %s", recorder.Code, recorder.Body)
	}
	if client := w.logged(t)[0]["client"]; client != "192.0.2.1" {
		t.Errorf("the client is %v by the log", client)
	}
	w.run(exchange{name: "the next request", method: "GET", path: base, status: 403, want: "-"})
}

func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(exchange{name: "before", method: "GET", path: base, status: 200, want: `["g/a"]`})

	next := *w.service.settings.Load().config
	next.Token = common.Keys{{Name: "next", Secret: "another key"}}
	next.Accounts = map[string]string{"main": account}
	next.LogLevel = "error"
	next.Org, next.Account.Role = "another-org", "another-role"
	needRestart, err := w.service.Reload(&next)
	if err != nil || !slices.Equal(needRestart, []string{"account", "org"}) {
		t.Errorf("needs a restart: %v, %v", needRestart, err)
	}
	w.run(exchange{name: "the remembered token is forgotten", method: "GET", path: base, status: 403, want: "-"})
	with := map[string]string{"X-Auth-Token": hash(t, "another key", 4)}
	w.run(
		exchange{name: "the new key", method: "GET", path: "/v1/ecr/main/repositories", header: with, status: 200, want: `["g/a"]`},
		exchange{name: "the org is as before", method: "GET", path: "/v1/ecr/main/repositories/g/a", header: with, status: 200, want: "-"},
		exchange{name: "the accounts have changed", method: "GET", path: "/v1/ecr/" + account2 + "/repositories", header: with, status: 404, want: "-"},
	)
	lines := w.logged(t)
	if n := len(lines); n != 2 || lines[1]["msg"] != "audit" {
		t.Errorf("at level error, only the refusal is logged: %v", lines)
	}
}
