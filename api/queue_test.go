package api

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Each letter is a waiter of the client with that name.
func TestQueue(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		max, maxEach           int
		join                   string
		refused, dropped, want string // want are the turns
	}{
		"one client":                          {4, 4, "aaa", "", "", "aaa"},
		"clients take turns":                  {9, 9, "aaaabbc", "", "", "abcabaa"},
		"limit of one client":                 {9, 2, "aaabab", "aa", "", "abab"},
		"full":                                {3, 3, "abcd", "d", "", "abc"},
		"full of one client":                  {3, 3, "aaaa", "a", "", "aaa"},
		"a newcomer takes a place":            {3, 3, "aaab", "", "a", "aba"},
		"each takes a place until it is fair": {4, 4, "aaaabbb", "b", "aa", "abab"},
		"the heaviest gives way":              {6, 6, "aabbbbc", "", "b", "abcabb"},
		"no gain in giving way":               {4, 4, "aabbab", "ab", "", "abab"},
		"more clients than places":            {2, 2, "aabcd", "cd", "a", "ab"},
		"no place":                            {0, 0, "ab", "ab", "", ""},
	} {
		q := queue{max: test.max, maxEach: test.maxEach}
		names := map[*waiter]string{}
		var refused, dropped, turns string
		for _, client := range strings.Split(test.join, "") {
			if w := q.add(client); w != nil {
				names[w] = client
			} else {
				refused += client
			}
			for w, name := range names {
				select {
				case <-w.turn:
					dropped += name
				default:
				}
			}
		}
		for w := q.next(); w != nil; w = q.next() {
			turns += names[w]
		}
		got := []string{refused, dropped, turns}
		if want := []string{test.refused, test.dropped, test.want}; !slices.Equal(got, want) {
			t.Errorf("%s: refused, dropped, turns: %q, want %q", name, got, want)
		}
		if q.length != 0 || len(q.clients) != 0 {
			t.Errorf("%s: %d are left in the empty queue", name, q.length)
		}
	}
}

// A client that comes back after each turn gets no more turns than others.
func TestQueueTurnsOfOneThatComesBack(t *testing.T) {
	t.Parallel()
	q := queue{max: 9, maxEach: 9}
	names := map[*waiter]string{}
	add := func(client string) { names[q.add(client)] = client }
	for _, client := range []string{"a", "a", "b", "b", "c", "c"} {
		add(client)
	}
	turns := ""
	for range 6 {
		name := names[q.next()]
		turns += name
		if name == "a" {
			add("a")
		}
	}
	if turns != "abcabc" {
		t.Errorf("turns: %s", turns)
	}
}

func TestRemoveFromQueue(t *testing.T) {
	t.Parallel()
	q := queue{max: 9, maxEach: 9}
	a, b := q.add("a"), q.add("b")
	if !q.remove(a) || q.remove(a) || q.length != 1 {
		t.Errorf("a waiter cannot be removed once: %d are left", q.length)
	}
	if got := q.next(); got != b || q.remove(b) || q.next() != nil {
		t.Errorf("the queue is not empty after %v", got)
	}
}

// statusFrom is statusOf for a client at another address of loopback.
func (w *world) statusFrom(t *testing.T, address, token string) int {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	r, err := http.NewRequest("GET", w.url+base, nil)
	if err != nil {
		t.Error(err)
		return -1
	}
	r.Header.Set("X-Auth-Token", token)
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	w.check(answer)
	return answer.StatusCode
}

// floodFrom sends new wrong tokens from the address. It returns when as many of
// them wait as can, or all.
func (w *world) floodFrom(t *testing.T, flood *sync.WaitGroup, address string, requests int) {
	t.Helper()
	for i := range requests {
		flood.Go(func() { w.statusFrom(t, address, newWrongToken(4, i)) })
	}
	waitFor(t, "the flood", func() bool {
		waiting, _ := w.service.gate.lengths()
		return waiting >= min(requests, maxWaitingEach)
	})
}

// As after a restart, no token is remembered. A flood from one address does not
// keep the tokens of others from being compared.
func TestFloodFromOneAddress(t *testing.T) {
	t.Parallel()
	skipWithoutLoopback(t)
	w, release := occupied(t)
	var flood, callers sync.WaitGroup
	w.floodFrom(t, &flood, "127.0.0.2", 3*maxWaitingEach)
	for _, address := range []string{"127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"} {
		token := hash(t, key, 4)
		callers.Go(func() {
			if status := w.statusFrom(t, address, token); status != http.StatusOK {
				t.Errorf("the caller at %s: status %d, want 200", address, status)
			}
		})
	}
	waitFor(t, "the callers to wait", func() bool {
		waiting, _ := w.service.gate.lengths()
		return waiting == maxWaitingEach+4
	})
	release()
	callers.Wait()
	flood.Wait()
}

// Requests with the same token share a comparison, but each holds a connection.
// Those of one address cannot take all places either.
func TestFloodOfOneToken(t *testing.T) {
	t.Parallel()
	skipWithoutLoopback(t)
	w, release := occupied(t)
	g := w.service.gate
	g.keepBelow(4)
	places := func() (checked, delayed int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.checked.length, g.delayed.length
	}
	var flood, caller sync.WaitGroup
	for range 6 {
		flood.Go(func() { w.statusFrom(t, "127.0.0.2", newWrongToken(4, 1)) })
	}
	waitFor(t, "the flood", func() bool { checked, delayed := places(); return checked == 4 && delayed == 2 })
	caller.Go(func() {
		if status := w.statusFrom(t, "127.0.0.3", token()); status != http.StatusOK {
			t.Errorf("the caller at another address: status %d, want 200", status)
		}
	})
	waitFor(t, "the caller to wait", func() bool { waiting, _ := g.lengths(); return waiting == 2 })
	release()
	caller.Wait()
	flood.Wait()
}

func skipWithoutLoopback(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("loopback has only one address here:", err)
	}
	listener.Close()
}

// One client cannot take all places where refusals are delayed.
func TestDelayedRefusalsGiveWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		var all sync.WaitGroup
		defer all.Wait()
		var cutOff [2]atomic.Int32 // of the flood, and of the other client
		refuse := func(client string, cut *atomic.Int32) {
			defer func() {
				if recover() == http.ErrAbortHandler {
					cut.Add(1)
				}
			}()
			g.delayRefusal(context.Background(), client)
		}
		for range maxDelayed + 5 {
			all.Go(func() { refuse("a", &cutOff[0]) })
		}
		synctest.Wait()
		for range 3 {
			all.Go(func() { refuse("b", &cutOff[1]) })
		}
		synctest.Wait()
		if a, b := cutOff[0].Load(), cutOff[1].Load(); a != 5+3 || b != 0 {
			t.Errorf("%d of the flood and %d others were cut off", a, b)
		}
	})
}
