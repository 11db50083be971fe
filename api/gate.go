package api

import (
	"context"
	"net/http"
	"runtime"
	"time"
)

const (
	maxWaitingTokens = 16 // a comparison takes a quarter of a second at cost 12
	maxWait          = 5 * time.Second
	maxHeld          = 256         // requests
	holdFor          = time.Second // so that a refusal costs a flood more than it costs us
)

// A gate bounds what the comparison of tokens may cost: bcrypt runs on at most
// half of the cores, behind a short queue.
type gate struct {
	comparing chan struct{} // holds an entry for each comparison that runs
	admitted  chan struct{} // holds an entry for each comparison that runs or waits
	held      chan struct{} // holds an entry for each request in hold
}

func newGate() *gate {
	atOnce := max(1, runtime.GOMAXPROCS(0)/2)
	return &gate{
		comparing: make(chan struct{}, atOnce),
		admitted:  make(chan struct{}, atOnce+maxWaitingTokens),
		held:      make(chan struct{}, maxHeld),
	}
}

// enter waits for a turn to compare. It returns false at once if the queue is
// full, and after maxWait if the turn does not come. After true, call leave.
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

// hold lets a request wait before it is refused for lack of room. If too many
// are held already, hold ends the connection without an answer.
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
