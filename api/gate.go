package api

import (
	"context"
	"net/http"
	"runtime"
	"time"
)

const (
	waitingTokens = 16 // beside those being compared; a quarter of a second each at cost 12
	maxWait       = 5 * time.Second
	heldRequests  = 256         // at once
	holdFor       = time.Second // so that being refused costs a flood more than refusing costs us
)

// gate bounds what comparing tokens may cost: bcrypt runs on at most half of the
// cores, behind a short queue.
type gate struct {
	comparing chan struct{} // one for each comparison under way
	admitted  chan struct{} // and for each that waits beside these
	held      chan struct{}
}

func newGate() *gate {
	atOnce := max(1, runtime.GOMAXPROCS(0)/2)
	return &gate{
		comparing: make(chan struct{}, atOnce),
		admitted:  make(chan struct{}, atOnce+waitingTokens),
		held:      make(chan struct{}, heldRequests),
	}
}

// enter waits for its turn. It returns false at once where the queue is full, and
// after a while where it does not move. Whoever entered must leave.
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

// hold keeps a request that there was no room for waiting before it is refused.
// Where too many are held already, it ends the connection without an answer.
func (g *gate) hold(ctx context.Context) {
	select {
	case g.held <- struct{}{}:
	default:
		panic(http.ErrAbortHandler)
	}
	defer func() { <-g.held }()
	timer := time.NewTimer(holdFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
