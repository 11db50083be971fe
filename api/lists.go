package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// lists reads lists within the memory for them. While a list waits for memory,
// equal requests join it, and all of them get the same answer. Once AWS is
// asked, nobody joins it any more: a caller must see what was changed before
// its request.
type lists struct {
	memory *memory
	waits  prometheus.Counter
	log    *logrus.Logger

	mu      sync.Mutex
	waiting map[sharedKey]*reading
}

// A sharedKey identifies requests that get the same answer. They have the same
// session, so CloudTrail shows their key.
type sharedKey struct {
	listKey
	settings *settings
	session  *roles.Session
}

// A listReader is what a handler does, without its input and the type of its
// output.
type listReader func(context.Context) (any, error)

// leastTime is how much time must be left after a wait for memory.
const leastTime = 500 * time.Millisecond

var errNoMemory = common.Errorf(common.TooManyRequests, "Too many long lists or bodies are being read. Try again.")

func newLists(size int64, waits prometheus.Counter, log *logrus.Logger) (*lists, error) {
	memory, err := newMemory(size)
	if err != nil {
		return nil, err
	}
	return &lists{memory: memory, waits: waits, log: log, waiting: map[sharedKey]*reading{}}, nil
}

// do returns what handle returns, which may be what it returned for an equal
// request. The context is that of the request, with its deadline. Once the
// answer is written, the caller must call done.
func (s *lists) do(ctx context.Context, key sharedKey, handle listReader) (out any, done func(), err error) {
	r, first := s.join(ctx, key, handle)
	rec := ctx.Value(recordKey{}).(*record)
	r.waitForMemory(ctx, rec)
	done = func() { r.leave() }
	select {
	case <-r.ended:
		out, err = r.out, r.err
	case <-ctx.Done():
		done, err = nothingHeld, r.giveUp(ctx)
	}
	rec.noteReading(r.record, !first)
	return out, done, err
}

// join returns an equal reading that has not asked AWS yet, or else begins one.
func (s *lists) join(ctx context.Context, key sharedKey, handle listReader) (r *reading, first bool) {
	end, _ := ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.waiting[key]; ok {
		r.users++
		if end.After(r.end) {
			r.end = end
		}
		return r, false
	}
	record := ctx.Value(recordKey{}).(*record).forReading()
	r = &reading{lists: s, key: key, record: record, leased: make(chan struct{}), ended: make(chan struct{}), users: 2, end: end}
	ctx, r.cancel = context.WithCancel(context.WithValue(context.WithoutCancel(ctx), recordKey{}, r.record))
	s.waiting[key] = r
	go r.run(ctx, handle)
	return r, true
}

// A reading is the reading of one list, for all requests that have joined it.
type reading struct {
	lists  *lists
	key    sharedKey
	record *record            // has the calls to AWS, and the id of the first request
	cancel context.CancelFunc // ends the reading

	waits  atomic.Bool               // it did not get memory at once
	leased chan struct{}             // is closed when it has memory, or gets none
	asked  atomic.Pointer[time.Time] // when it began to ask AWS; nil if it does not

	ended   chan struct{} // is closed when the fields below are set
	out     any
	err     error
	release func() // gives the memory of out back; may be nil

	// Under the lock of lists:
	users int       // requests that need it, and the reading itself
	end   time.Time // the latest deadline of a request
}

// waitForMemory waits until the list has memory, or the request has ended.
func (r *reading) waitForMemory(ctx context.Context, rec *record) {
	start := time.Now()
	select {
	case <-r.leased:
	case <-ctx.Done():
	}
	if r.waits.Load() {
		rec.noteMemoryWait(start)
	}
}

// run reads the list as soon as there is memory for it. If the list turns out
// to need more, it begins again, and then knows better.
func (r *reading) run(ctx context.Context, handle listReader) {
	defer r.leave()
	defer close(r.ended)
	l, end := r.lease(ctx)
	if l == nil {
		r.err = errNoMemory
		return
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	r.try(ctx, l, handle)
	sizes := r.lists.memory.sizes
	if l.short {
		sizes.Add(r.key.forSize(), 2*l.most)
		l.release()
		r.asked.Store(nil)
		r.out, r.release, r.err = r.lists.do(ctx, r.key, handle)
		return
	}
	if r.err == nil {
		sizes.Add(r.key.forSize(), l.most)
	}
	l.shrink()
	r.release = l.release
}

// lease waits for the memory of the list, and returns when all its requests must
// be answered. From then on no more requests join. It returns nil if the memory
// came too late to ask AWS.
func (r *reading) lease(ctx context.Context) (l *lease, end time.Time) {
	defer close(r.leased)
	l, err := r.lists.memory.lease(ctx, r.key.listKey, r.wait)
	end = r.close()
	if err != nil {
		return nil, end
	}
	if r.waits.Load() && time.Until(end) < leastTime {
		l.release()
		return nil, end
	}
	now := time.Now()
	r.asked.Store(&now)
	return l, end
}

// wait notes that the list has to wait.
func (r *reading) wait() {
	r.waits.Store(true)
	r.lists.waits.Inc()
}

// close lets no more requests join, and returns when all of them must be
// answered.
func (r *reading) close() (end time.Time) {
	r.lists.mu.Lock()
	defer r.lists.mu.Unlock()
	r.forget()
	return r.end
}

// forget takes the read from the waiting ones.
func (r *reading) forget() {
	if r.lists.waiting[r.key] == r {
		delete(r.lists.waiting, r.key)
	}
}

// try reads the list. It stops early if the list needs more memory than the
// lease can give.
func (r *reading) try(ctx context.Context, l *lease, handle listReader) {
	ctx, l.end = context.WithCancel(ctx)
	defer l.end()
	defer func() {
		if p := recover(); p != nil { // otherwise the process would end
			r.err = &common.Error{Code: common.Internal, Cause: fmt.Errorf("panic: %v", p)}
			r.lists.log.WithFields(r.record.ids()).Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	r.out, r.err = handle(ecr.WithRoom(ctx, l))
}

// leave is called when a request no longer needs the read, and when the reading
// has ended. It returns true if only the reading is left, which then ends too.
func (r *reading) leave() (alone bool) {
	switch r.usersAfterLeave() {
	case 0:
		if r.release != nil {
			r.release()
		}
	case 1:
		r.cancel()
		return !r.hasEnded()
	}
	return false
}

func (r *reading) usersAfterLeave() int {
	r.lists.mu.Lock()
	defer r.lists.mu.Unlock()
	r.users--
	if r.users == 1 {
		r.forget()
	}
	return r.users
}

func (r *reading) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// giveUp is leave for a request whose context has ended, and returns its error.
// If nobody else needs the read, it waits until all its calls are noted.
func (r *reading) giveUp(ctx context.Context) error {
	if r.leave() {
		<-r.ended
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !r.askedInTime(ctx) {
		return errNoMemory
	}
	return common.FromAWS(ctx.Err(), nil, "")
}

// askedInTime tells whether AWS had time to answer, after the wait for memory.
func (r *reading) askedInTime(ctx context.Context) bool {
	asked := r.asked.Load()
	end, _ := ctx.Deadline()
	return asked != nil && (!r.waits.Load() || end.Sub(*asked) >= leastTime)
}
