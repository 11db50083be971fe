package calls

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// Turns let changes of the same thing run one after another in this process. It
// is for changes that read, and write what they have read.
type Turns struct {
	mu    sync.Mutex
	lines map[string]*line
}

// A line is of those who wait for the same thing, and of who has the turn.
type line struct {
	turn chan struct{} // has room for one
	long int
}

// NewTurns returns Turns of which nobody has one.
func NewTurns() *Turns { return &Turns{lines: map[string]*line{}} }

// Wait waits for a turn, which lasts until end is called. It waits for half of
// the time that the context has, so that the rest is enough for the change. If
// that time is over, the caller is told the sentence late.
func (t *Turns) Wait(ctx context.Context, key, late string) (end func(), err error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/2))
		defer cancel()
	}
	l := t.join(key)
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; t.leave(key) }, nil
	case <-ctx.Done():
		t.leave(key)
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, common.FromAWS(ctx.Err(), nil, "")
		}
		return nil, &common.Error{Code: common.Timeout, Message: late}
	}
}

func (t *Turns) join(key string) *line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lines[key]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		t.lines[key] = l
	}
	l.long++
	return l
}

func (t *Turns) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.lines[key]; l.long > 1 {
		l.long--
		return
	}
	delete(t.lines, key)
}
