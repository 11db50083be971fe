package api

import (
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"
)

const (
	maxWaitingTokens = 64              // of all clients
	maxWaitingEach   = 16              // of one client; a comparison takes a quarter of a second at cost 12
	maxWait          = 5 * time.Second // in the queue
	maxChecked       = 256             // requests whose tokens are being checked; several may have the same token
	maxDelayed       = 256             // requests
	refusalDelay     = time.Second     // slows down a flood of requests with wrong tokens
)

// A gate limits how much processor time the comparison of tokens takes. bcrypt
// runs on at most half of the cores, behind a short queue. The queue is fair to
// clients, so that a flood from one address does not keep the tokens of others
// from being compared.
type gate struct {
	atOnce int           // comparisons
	wait   time.Duration // in the queue

	mu        sync.Mutex
	comparing int
	waiting   queue // those that will compare
	checked   queue // the requests that need a comparison; no turn comes
	delayed   queue // those whose refusal is delayed; no turn comes
}

func newGate() *gate {
	return &gate{
		atOnce:  max(1, runtime.GOMAXPROCS(0)/2),
		wait:    maxWait,
		waiting: queue{max: maxWaitingTokens, maxEach: maxWaitingEach},
		checked: queue{max: maxChecked, maxEach: maxChecked},
		delayed: queue{max: maxDelayed, maxEach: maxDelayed},
	}
}

// keepBelow makes the gate hold fewer requests, so that those without a good
// token do not take all connections.
func (g *gate) keepBelow(requests int) {
	for _, q := range []*queue{&g.checked, &g.delayed} {
		q.max, q.maxEach = min(q.max, requests), min(q.maxEach, requests)
	}
}

// admit returns a place for a request whose token is checked, or nil. If the
// client has the most places and others need one, it loses the place: the turn
// of the waiter then gets false.
func (g *gate) admit(client string) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.checked.add(client)
}

// enter waits until the client may compare. It returns false at once if there
// is no place in the queue, later if the place goes to another client, and
// after a while if the turn has not come. If it returns true, the caller must
// call leave afterwards.
func (g *gate) enter(client string) bool {
	g.mu.Lock()
	if g.comparing < g.atOnce {
		g.comparing++
		g.mu.Unlock()
		return true
	}
	w := g.waiting.add(client)
	g.mu.Unlock()
	if w == nil {
		return false
	}
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case admitted := <-w.turn:
		return admitted
	case <-timer.C:
		return !g.remove(&g.waiting, w) && <-w.turn
	}
}

// leave gives the place to the next in the queue.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w := g.waiting.next(); w != nil {
		w.turn <- true
		return
	}
	g.comparing--
}

// remove returns false if the queue no longer has the waiter. Then its turn has
// come, or its place was given away.
func (g *gate) remove(q *queue, w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return q.remove(w)
}

// delayRefusal makes a request wait before it is refused because the queue is
// full. If too many requests are waiting there already, it closes the
// connection without an answer. The client with the most requests there loses
// its connections first.
func (g *gate) delayRefusal(ctx context.Context, client string) {
	g.mu.Lock()
	w := g.delayed.add(client)
	g.mu.Unlock()
	if w == nil {
		panic(http.ErrAbortHandler)
	}
	defer g.remove(&g.delayed, w)
	timer := time.NewTimer(refusalDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-w.turn:
		panic(http.ErrAbortHandler)
	}
}
