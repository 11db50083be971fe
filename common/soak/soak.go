package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options of a soak.
type options struct {
	Operations int
	Workers    int
	Restarts   int     // spread over the operations
	Seed       uint64  // of all that is chosen at random, but for which calls AWS fails
	Faults     bool    // AWS misbehaves
	HangUps    float64 // share of requests whose caller leaves
	Looks      float64 // share of answers after which AWS is looked at
}

// A soak is one run.
type soak struct {
	options
	cloud   *cloud
	fleet   *fleet
	log     *logbook
	report  *report
	token   string
	workers []*worker

	claimed  atomic.Int64
	restarts chan struct{}
	done     int // restarts

	mu      sync.Mutex
	answers map[string]told // by request
	silent  []*sent         // visits without an answer
}

// told is what a caller was told, to be held against the log.
type told struct {
	change bool
	outcome
}

// run soaks the service's binary, and writes what it finds. The error is that it
// could not go on; violations are the report's.
func run(ctx context.Context, binary string, o options, out io.Writer) (*report, error) {
	began := time.Now()
	s, err := newSoak(binary, o, out)
	if err != nil {
		return nil, err
	}
	defer s.cloud.Close()
	defer func() { s.fleet.present.kill() }()
	if err := s.work(ctx); err != nil {
		return s.report, err
	}
	if err := s.audit(); err != nil {
		return s.report, err
	}
	s.print(time.Since(began))
	return s.report, nil
}

func newSoak(binary string, o options, out io.Writer) (*soak, error) {
	s := &soak{options: o, report: newReport(out), answers: map[string]told{}, restarts: make(chan struct{}, o.Restarts+1)}
	s.log = newLogbook(func(text string) { s.report.violation("odd line in the log", "%s", text) })
	var err error
	if s.token, err = newToken(); err != nil {
		return nil, err
	}
	if s.cloud, err = startCloud(); err != nil {
		return nil, err
	}
	timeout := longTimeout
	if s.Faults {
		timeout = shortTimeout
		s.cloud.misbehave()
	}
	s.fleet, err = newFleet(func() (*process, error) {
		return startProcess(binary, configuration(s.cloud.url, timeout), s.log)
	})
	if err != nil {
		s.cloud.Close()
		return nil, err
	}
	for number := range o.Workers {
		s.workers = append(s.workers, newWorker(s, number))
	}
	return s, nil
}

// work runs the workers, restarts the service meanwhile, and stops it.
func (s *soak) work(ctx context.Context) error {
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return s.restart(ctx) })
	both.Go(func() error {
		defer close(s.restarts)
		workers, ctx := errgroup.WithContext(ctx)
		for _, w := range s.workers {
			workers.Go(func() error { return w.run(ctx) })
		}
		return workers.Wait()
	})
	if err := both.Wait(); err != nil {
		return err
	}
	if s.fleet.present.hasEnded() {
		return errCrashed
	}
	s.wrong(s.fleet.present.stop())
	return nil
}

// claim takes one of the operations that are left to do. From time to time it
// asks for a restart.
func (s *soak) claim() bool {
	n := int(s.claimed.Add(1))
	if n > s.Operations {
		return false
	}
	every := max(1, s.Operations/(s.Restarts+1))
	if s.Restarts > 0 && n%every == 0 && n/every <= s.Restarts {
		s.restarts <- struct{}{}
	}
	if n%max(1, s.Operations/10) == 0 {
		s.report.say("%s %d operations", time.Now().Format(time.TimeOnly), n)
	}
	return true
}

// restart restarts the service whenever that is asked for.
func (s *soak) restart(ctx context.Context) error {
	random := rand.New(rand.NewPCG(s.Seed, 1<<32))
	for {
		select {
		case _, more := <-s.restarts:
			if !more {
				return nil
			}
		case <-s.fleet.present.ended:
			return errCrashed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wrong, err := s.fleet.restart(random.IntN(2) == 0)
		s.wrong(wrong)
		if err != nil {
			return err
		}
		s.done++
	}
}

func (s *soak) wrong(err error) {
	if err != nil {
		s.report.violation("bad end of the service", "%v", err)
	}
}

// answered keeps what a caller was told.
func (s *soak) answered(r *sent, out outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out.seen = nil
	s.answers[r.id] = told{isChange(r.about), out}
}

// unanswered keeps a visit that got no answer, to be held against the log.
func (s *soak) unanswered(r *sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = append(s.silent, r)
}

// audit compares AWS and the log with what the answers said, after the service
// has ended.
func (s *soak) audit() error {
	unsettled := 0
	for _, w := range s.workers {
		for _, r := range w.own {
			w.settle(r) // nothing runs any more
			if len(r.states) > 1 {
				unsettled++
			}
		}
	}
	for _, account := range accounts {
		present, err := s.cloud.all(account)
		if err != nil {
			return fmt.Errorf("looking into AWS: %w", err)
		}
		for _, w := range s.workers {
			for _, r := range w.own {
				if r.account == account {
					w.compare(r, present[r.fullName()])
					delete(present, r.fullName())
				}
			}
		}
		for name, orphan := range present {
			s.report.violation("orphan", "  %s/%s: %s", account, name, orphan)
		}
	}
	s.report.say("repositories %d, of which %d were left with more than one possible state", s.Workers*repositoriesEach, unsettled)
	s.auditLog()
	return nil
}

// auditLog holds every answer against its line.
func (s *soak) auditLog() {
	for _, r := range s.silent {
		if lines := s.log.of(r.id); len(lines) > 0 && !r.hungUp {
			s.report.violation("no answer to what was read", "  request %s: %s\n  logged: %s", r.id, r.line, lines[0].text)
		}
	}
	for id, t := range s.answers {
		lines := s.log.of(id)
		if len(lines) != 1 {
			s.report.violation("an answer without its one line", "  request %s: answer %d, lines %+v", id, t.status, lines)
			continue
		}
		l := lines[0]
		if t.change && l.Message != "audit" && t.status != 403 || l.Status != t.status ||
			!slices.Equal(l.Applied, t.applied) || !slices.Equal(l.Unknown, t.unknown) {
			s.report.violation("answer and line differ", "  request %s: told %+v\n  logged: %s", id, t.outcome, l.text)
		}
	}
}

func (s *soak) print(took time.Duration) {
	s.report.judge()
	s.report.print()
	c := s.cloud
	s.report.say("AWS attempts %d%s", sum(c.calls), listed(c.calls))
	s.report.say("faults %d%s", sum(c.faults), listed(c.faults))
	s.report.say("operations %d, workers %d, restarts %d, seed %d, took %s",
		s.Operations, s.Workers, s.done, s.Seed, took.Round(time.Second))
}
