package api

import (
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
)

// newWrongToken returns the i-th wrong token of that cost. It has the form of a
// hash, but is not the hash of any key.
func newWrongToken(cost, i int) string {
	return fmt.Sprintf("$2a$%02d$%s%013d", cost, strings.Repeat("A", 40), i)
}

// occupied returns a world whose gate is taken by comparisons. Nothing is
// compared until release is called, and no wait ends before that.
func occupied(t *testing.T) (w *world, release func()) {
	t.Helper()
	w = newWorld(t)
	return w, occupy(t, w.service.gate)
}

func occupy(t *testing.T, g *gate) (release func()) {
	t.Helper()
	g.wait = time.Hour
	for range g.atOnce {
		if !g.enter("another client") {
			t.Fatal("there is no place at the start")
		}
	}
	release = sync.OnceFunc(func() {
		for range g.atOnce {
			g.leave()
		}
	})
	t.Cleanup(release)
	return release
}

// lengths returns how many wait to compare, and how many refusals are delayed.
func (g *gate) lengths() (waiting, delayed int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting.length, g.delayed.length
}

func TestComparisonsTakeHalfOfTheCores(t *testing.T) {
	t.Parallel()
	g := newGate()
	if got, want := g.atOnce, max(1, runtime.GOMAXPROCS(0)/2); got != want {
		t.Errorf("%d comparisons at once, want %d", got, want)
	}
	if g.wait != 5*time.Second || g.waiting.max != 64 || g.waiting.maxEach != 16 || g.delayed.max != 256 {
		t.Errorf("limits: %+v", g)
	}
}

// Requests without a good token take at most half of the connections: those
// whose token is checked, and those whose refusal is delayed.
func TestGateLeavesConnections(t *testing.T) {
	t.Parallel()
	for connections, want := range map[int]int{0: 256, 2000: 256, 200: 50, 1: 1} {
		c := common.Defaults()
		c.Account.Region = region
		service, err := New(Options{Config: c, Log: logrus.New(), MaxConnections: connections})
		if err != nil {
			t.Fatal(err)
		}
		g := service.gate
		if got := [4]int{g.checked.max, g.checked.maxEach, g.delayed.max, g.delayed.maxEach}; got != [4]int{want, want, want, want} {
			t.Errorf("%d connections: places %v, want %d each", connections, got, want)
		}
	}
}

func TestFloodOfTokens(t *testing.T) {
	t.Parallel()
	w, release := occupied(t)
	g := w.service.gate
	known := token()
	rememberForTest(t, w, known)

	// The queue fills with new wrong tokens.
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer release()
	for i := range g.waiting.maxEach {
		waiting.Go(func() {
			if status := w.statusOf(newWrongToken(4, i)); status != http.StatusForbidden {
				t.Errorf("a token that waited: status %d, want 403", status)
			}
		})
	}
	waitFor(t, "the queue to fill", func() bool { n, _ := g.lengths(); return n == g.waiting.maxEach })

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
	g.mu.Lock()
	g.delayed.max = 0
	g.mu.Unlock()
	if status := w.statusOf(newWrongToken(4, 100)); status != 0 {
		t.Errorf("status %d, want none", status)
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
	for range 4 * g.waiting.maxEach {
		all.Go(func() {
			if status := w.statusOf(token()); status != http.StatusOK {
				t.Errorf("status %d, want 200", status)
			}
		})
	}
	waitFor(t, "one to wait", func() bool { n, _ := g.lengths(); return n > 0 })
	if got, _ := g.lengths(); got != 1 {
		t.Errorf("%d places are taken, want 1", got)
	}
	release()
	all.Wait()
}

func TestWaitForAComparisonEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		occupy(t, g)
		g.wait = maxWait
		start := time.Now()
		entered := g.enter("a")
		if waiting, _ := g.lengths(); entered || time.Since(start) != maxWait || waiting != 0 {
			t.Errorf("after %s, %d places are taken", time.Since(start), waiting)
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
			if _, ok := tokens.known(good); ok != remembered {
				t.Errorf("%s: remembered: %t", when, ok)
			}
		}
		want("before it came", false)
		if _, err := tokens.verify(t.Context(), good, ""); err != nil {
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

// rememberForTest lets the service verify a token although its gate is
// occupied.
func rememberForTest(t *testing.T, w *world, token string) {
	t.Helper()
	tokens := w.service.settings.Load().tokens
	own := tokens.gate
	tokens.gate = newGate()
	defer func() { tokens.gate = own }()
	if _, err := tokens.verify(t.Context(), token, ""); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 30*time.Second {
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
