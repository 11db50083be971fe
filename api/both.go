package api

import (
	"cmp"
	"context"

	"golang.org/x/sync/errgroup"
)

// both makes two reads at the same time. If the first one fails, the second is
// stopped, and the error is that of the first, whatever else is wrong.
func both(ctx context.Context, first, second func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var firstErr, secondErr error
	var reads errgroup.Group
	reads.Go(func() error {
		if firstErr = first(ctx); firstErr != nil {
			cancel()
		}
		return nil
	})
	reads.Go(func() error {
		secondErr = second(ctx)
		return nil
	})
	_ = reads.Wait() // neither returns an error, so each keeps its own
	return cmp.Or(firstErr, secondErr)
}
