package api

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxLongBodies is how many long bodies are read at the same time. Each takes
// twice maxBody at most: as it was sent, and decoded.
const maxLongBodies = 4

// longBodies are the places for long bodies. A caller that sends slowly holds up
// other long bodies only.
type longBodies struct {
	places *pool
	waits  prometheus.Counter
}

func newLongBodies(waits prometheus.Counter) *longBodies {
	return &longBodies{newPool(maxLongBodies), waits}
}

// enter waits for a place until end. If the error is nil, the caller must call
// leave afterwards.
func (b *longBodies) enter(r *http.Request, end time.Time) (leave func(), err error) {
	rec := recordOf(r)
	place := b.places.try(rec.path.Account, 1)
	if place == nil {
		b.waits.Inc()
		if place, err = b.wait(r.Context(), rec, end); err != nil {
			return nil, err
		}
	}
	return func() { place.giveBack(1) }, nil
}

func (b *longBodies) wait(ctx context.Context, rec *record, end time.Time) (*share, error) {
	defer rec.noteMemoryWait(time.Now())
	ctx, cancel := context.WithDeadline(ctx, end.Add(-leastTime))
	defer cancel()
	place, err := b.places.take(ctx, rec.path.Account, 1)
	if err != nil {
		return nil, errNoMemory
	}
	return place, nil
}
