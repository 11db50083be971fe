package localaws

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Fault is a misbehaviour. Of several that fit a call the one injected first hits it, and no other.
// Each is drawn on its own, in that order: of two with a probability of 0.5 the first hits half of the
// calls, the second half of the rest.
type Fault struct {
	// Operation is "ecr:DescribeRepositories", "sts:AssumeRole" or "*".
	Operation string `json:"operation"`
	// Times is how many calls it hits; 0 means all until it is removed.
	Times int `json:"times,omitempty"`
	// Probability that it hits a call; 0 means 1.
	Probability float64 `json:"-"` // see faultJSON
	// When, if set, chooses among the operation's calls. It knows all but the outcome.
	When func(Call) bool `json:"-"`

	// Code, if set, is the AWS error that is answered, with Message and Status (0 means 400).
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Status  int    `json:"status,omitempty"`
	// Delay passes before anything else: a client that goes meanwhile gets nothing done. One longer
	// than any client waits is a stall. It is not cut short when the fault is taken away.
	Delay time.Duration `json:"-"` // see faultJSON
	// AfterWork does the work first and misbehaves then: an answer that comes late or is lost. Work
	// that fails is answered with its own error instead of Code.
	AfterWork bool `json:"afterWork,omitempty"`
	// Drop closes the connection instead of answering.
	Drop bool `json:"drop,omitempty"`
}

// Inject makes calls misbehave, of those that are signed well and can be read. It returns a function
// that takes the fault away again.
func (s *Server) Inject(f Fault) (remove func()) {
	id := s.faults.add(f)
	return func() { s.faults.remove(id) }
}

// faults are those in force, in the order of their injection.
type faults struct {
	mu   sync.Mutex
	list []*armed
	last int // id that was given last
}

type armed struct {
	Fault
	id, hits int
}

// add returns the fault's id, which no other ever has.
func (fs *faults) add(f Fault) (id int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.last++
	fs.list = append(fs.list, &armed{Fault: f, id: fs.last})
	return fs.last
}

// remove returns whether the fault was still in force.
func (fs *faults) remove(id int) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.list)
	fs.list = slices.DeleteFunc(fs.list, func(a *armed) bool { return a.id == id })
	return len(fs.list) < before
}

func (fs *faults) removeAll() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = nil
}

// inForce returns copies of the faults, with their hits so far.
func (fs *faults) inForce() []armed {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var list []armed
	for _, a := range fs.list {
		list = append(list, *a)
	}
	return list
}

// hit returns the fault that the call meets, if any.
func (fs *faults) hit(c Call) (Fault, bool) {
	fs.mu.Lock()
	candidates := slices.Clone(fs.list)
	fs.mu.Unlock()
	for _, a := range candidates {
		// The filter is the caller's code: it runs without the lock.
		if a.fits(c) && fs.claim(a) {
			return a.Fault, true
		}
	}
	return Fault{}, false
}

func (a *armed) fits(c Call) bool {
	if a.Operation != "*" && a.Operation != c.Service+":"+c.Operation {
		return false
	}
	if a.Probability > 0 && rand.Float64() >= a.Probability {
		return false
	}
	return a.When == nil || a.When(c)
}

// claim takes one of the times that the fault hits, and the fault away with the last. False means
// that it has gone meanwhile.
func (fs *faults) claim(a *armed) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !slices.Contains(fs.list, a) {
		return false
	}
	a.hits++
	if a.hits == a.Times {
		fs.list = slices.DeleteFunc(fs.list, func(b *armed) bool { return a == b })
	}
	return true
}

// wait returns false if the client went before the delay was over.
func (f Fault) wait(ctx context.Context) bool {
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// before misbehaves ahead of the work. Without an error the work is to be done.
func (f Fault) before(ctx context.Context) error {
	if !f.wait(ctx) {
		return errClientGone
	}
	return f.err()
}

// after misbehaves with the outcome of the work.
func (f Fault) after(ctx context.Context, out any, err error) (any, error) {
	if !f.wait(ctx) {
		return nil, errClientGone
	}
	if err != nil && !f.Drop {
		return nil, err // there is no success to hide
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return out, nil
}

// err returns the error to answer, nil where the fault is only slow.
func (f Fault) err() error {
	if f.Drop {
		return errDropped
	}
	if f.Code == "" {
		return nil
	}
	return &apiError{code: f.Code, message: f.Message, status: f.Status, literal: true}
}
