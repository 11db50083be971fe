package api

import (
	"context"
	"errors"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
)

// A loan is the memory of a request that reads long lists for itself alone, such
// as a change. The request keeps it until it is answered, or until a read has
// failed.
type loan struct {
	lists *lists
	list  listKey
	lease *lease // nil: nothing is read yet
}

// read calls read as soon as there is memory for it. If it turns out to need
// more, it is called again, and then there is more.
func (l *loan) read(ctx context.Context, read func(context.Context) error) error {
	for {
		if err := l.take(ctx); err != nil {
			return err
		}
		err := l.try(ctx, read)
		sizes := l.lists.memory.sizes
		switch {
		case l.lease.short:
		case err != nil: // nothing is kept
			l.release()
			return err
		default:
			sizes.Add(l.list.forSize(), l.lease.most)
			l.lease.shrink()
			return nil
		}
		sizes.Add(l.list.forSize(), 2*l.lease.most)
		l.release()
	}
}

// take waits for the memory.
func (l *loan) take(ctx context.Context) (err error) {
	start, waited := time.Now(), false
	l.lease, err = l.lists.memory.lease(ctx, l.list, func() {
		waited = true
		l.lists.waits.Inc()
	})
	if waited {
		ctx.Value(recordKey{}).(*record).noteMemoryWait(start)
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // the caller has hung up
		return common.FromAWS(ctx.Err(), nil, "")
	case err != nil:
		return errNoMemory
	}
	if end, _ := ctx.Deadline(); waited && time.Until(end) < leastTime {
		return errNoMemory
	}
	return nil
}

// try calls read, which is stopped early if it needs more memory than there is.
func (l *loan) try(ctx context.Context, read func(context.Context) error) error {
	ctx, l.lease.end = context.WithCancel(ctx)
	defer l.lease.end()
	return read(ecr.WithRoom(ctx, l.lease))
}

// release gives the memory back.
func (l *loan) release() {
	if l.lease != nil {
		l.lease.release()
		l.lease = nil
	}
}
