package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A tally is what was measured while a number of requests were sent.
type tally struct {
	took        []time.Duration // of each request
	elapsed     time.Duration
	calls       int // of AWS
	cpu         time.Duration
	allocations float64
}

func (t tally) rate() float64 { return float64(len(t.took)) / t.elapsed.Seconds() }

// cpuEach returns the processor time per request.
func (t tally) cpuEach() time.Duration { return t.cpu / time.Duration(len(t.took)) }

// sum returns what was measured in all rounds together.
func sum(rounds []tally) (all tally) {
	for _, t := range rounds {
		all.took = append(all.took, t.took...)
		all.elapsed += t.elapsed
		all.calls += t.calls
		all.cpu += t.cpu
		all.allocations += t.allocations
	}
	slices.Sort(all.took)
	return all
}

// A sending sends the requests of a step to a program. The requests have
// numbers without gaps.
type sending struct {
	step step
	to   *process

	next   atomic.Int64  // number of the next request
	end    int64         // number after the last one, unless the time says when to end
	length time.Duration // how long requests are sent, unless the number says when to end
	stop   time.Time     // when the length is over
}

// take returns the number of the next request, if there is one.
func (s *sending) take() (int64, bool) {
	if !s.stop.IsZero() && !time.Now().Before(s.stop) {
		return 0, false
	}
	n := s.next.Add(1) - 1
	return n, s.end == 0 || n < s.end
}

// run sends the requests, as many at once as there are callers. It returns how
// long each of them took.
func (s *sending) run(callers int) ([]time.Duration, error) {
	var mu sync.Mutex
	var all []time.Duration
	var workers errgroup.Group
	for range callers {
		workers.Go(func() error {
			c, err := dial(s.to.url)
			if err != nil {
				return err
			}
			defer c.Close()
			took, err := s.call(c)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			return err
		})
	}
	return all, workers.Wait()
}

// call sends one request after another.
func (s *sending) call(c *caller) (took []time.Duration, err error) {
	for {
		n, ok := s.take()
		if !ok {
			return took, nil
		}
		request, err := s.step.newRequest(s.to, n)
		if err != nil {
			return took, err
		}
		began := time.Now()
		if err := c.send(request); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
}

// drive runs the sending and measures what it uses.
func drive(s *sending, aws *process, callers int) (t tally, err error) {
	before, err := startUse(s.to, aws)
	if err != nil {
		return t, err
	}
	if s.length > 0 {
		s.stop = time.Now().Add(s.length)
	}
	if t.took, err = s.run(callers); err != nil {
		return t, fmt.Errorf("%s: %w", s.to.label(), err)
	}
	after, err := endUse(s.to, aws)
	if err != nil {
		return t, err
	}
	t.elapsed = after.at.Sub(before.at)
	t.calls = after.calls - before.calls
	t.cpu = after.cpu - before.cpu
	t.allocations = max(0, after.allocations-before.allocations-s.to.ownAllocs)
	return t, nil
}
