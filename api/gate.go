package api

import (
	"context"
	"net/http"
	"runtime"
	"time"
)

const (
	maxWaitingTokens = 16              // a comparison takes a quarter of a second at cost 12
	maxWait          = 5 * time.Second // in the queue
	maxDelayed       = 256             // requests
	refusalDelay     = time.Second     // slows down a flood of requests with wrong tokens
)

// A gate limits how much processor time the comparison of tokens takes. bcrypt
// runs on at most half of the cores, behind a short queue.
type gate struct {
	comparing chan struct{} // holds an entry for each comparison that runs
	admitted  chan struct{} // holds an entry for each comparison that runs or waits
	delayed   chan struct{} // holds an entry for each request whose refusal is delayed
}

func newGate() *gate {
	atOnce := max(1, runtime.GOMAXPROCS(0)/2)
	return &gate{
		comparing: make(chan struct{}, atOnce),
		admitted:  make(chan struct{}, atOnce+maxWaitingTokens),
		delayed:   make(chan struct{}, maxDelayed),
	}
}

// enter waits until the caller may compare. It returns false at once if the
// queue is full, and after maxWait if the caller's turn has not come. If it
// returns true, the caller must call leave afterwards.
func (g *gate) enter() bool {
	select {
	case g.admitted <- struct{}{}:
	default:
		return false
	}
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case g.comparing <- struct{}{}:
		return true
	case <-timer.C:
		<-g.admitted
		return false
	}
}

func (g *gate) leave() {
	<-g.comparing
	<-g.admitted
}

// delayRefusal makes a request wait before it is refused because the queue is
// full. If too many requests are waiting there already, it closes the
// connection without an answer.
func (g *gate) delayRefusal(ctx context.Context) {
	select {
	case g.delayed <- struct{}{}:
	default:
		panic(http.ErrAbortHandler)
	}
	defer func() { <-g.delayed }()
	timer := time.NewTimer(refusalDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
