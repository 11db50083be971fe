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

// options are those of one run.
type options struct {
	Operations   int
	Workers      int
	Restarts     int     // spread evenly over the operations
	Seed         uint64  // of all random choices, other than which calls to AWS fail
	Faults       bool    // whether AWS has faults
	HangUps      float64 // share of the requests whose caller hangs up
	CompareShare float64 // share of the answers that are compared with AWS at once
}

// soak is one run.
type soak struct {
	options
	aws     *faultyAWS
	service *currentProcess
	log     *logbook
	report  *report
	token   string
	keys    *keyring

	limitedToken string
	foreign      map[string]string // users of others, by account and name

	workers []*worker

	taken     atomic.Int64  // operations
	restarts  chan struct{} // gets a value when a restart is due
	restarted int

	mu                     sync.Mutex
	answers                map[string]answered      // by request
	removals               map[string]loggedRemoval // what is gone because of a request, by request
	unansweredForeignShows []*sentRequest
}

// answered is what the answer to a caller said, for the comparison with the
// log.
type answered struct {
	isChange bool
	share    share
	outcome
}

// run runs the service's binary under load and writes the results. It returns
// an error if the run could not continue. Violations are in the report.
func run(ctx context.Context, binary string, o options, out io.Writer) (*report, error) {
	began := time.Now()
	s, err := newSoak(binary, o, out)
	if err != nil {
		return nil, err
	}
	defer s.aws.Close()
	defer func() { s.service.current.kill() }()
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
	s := &soak{options: o, report: newReport(out), answers: map[string]answered{}, removals: map[string]loggedRemoval{}, keys: newKeyring(), restarts: make(chan struct{}, o.Restarts+1)}
	s.log = newLogbook(func(text string) { s.report.violation("unexpected line in the log", "%s", text) })
	var err error
	if s.token, err = newToken(key); err != nil {
		return nil, err
	}
	if s.limitedToken, err = newToken(limits.Key); err != nil {
		return nil, err
	}
	if s.aws, err = startAWS(); err != nil {
		return nil, err
	}
	timeout := longTimeout
	if s.Faults {
		timeout = shortTimeout
		s.aws.injectFaults()
	}
	s.service, err = newCurrentProcess(func() (*process, error) {
		return startProcess(binary, configuration(s.aws.url, timeout), s.log)
	})
	if err != nil {
		s.aws.Close()
		return nil, err
	}
	for number := range o.Workers {
		s.workers = append(s.workers, newWorker(s, number))
	}
	return s, s.addForeignUsers()
}

// work runs the workers and meanwhile restarts the service. Then it stops the
// service.
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
	if s.service.current.hasEnded() {
		return errCrashed
	}
	s.checkStop(s.service.current.stop())
	return nil
}

// takeOperation returns false if no operations are left. It asks for a restart
// when one is due.
func (s *soak) takeOperation() bool {
	n := int(s.taken.Add(1))
	if n > s.Operations {
		return false
	}
	every := max(1, s.Operations/(s.Restarts+1))
	if s.Restarts > 0 && n%every == 0 && n/every <= s.Restarts {
		s.restarts <- struct{}{}
	}
	if n%max(1, s.Operations/10) == 0 {
		s.report.printf("%s %d operations", time.Now().Format(time.TimeOnly), n)
	}
	return true
}

// restart restarts the service whenever a restart is due.
func (s *soak) restart(ctx context.Context) error {
	random := rand.New(rand.NewPCG(s.Seed, 1<<32))
	for {
		select {
		case _, more := <-s.restarts:
			if !more {
				return nil
			}
		case <-s.service.current.ended:
			return errCrashed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		stopErr, err := s.service.restart(random.IntN(2) == 0)
		s.checkStop(stopErr)
		if err != nil {
			return err
		}
		s.restarted++
	}
}

func (s *soak) checkStop(err error) {
	if err != nil {
		s.report.violation("the service did not stop well", "%v", err)
	}
}

// keepAnswer keeps an answer for the comparison with the log.
func (s *soak) keepAnswer(r *sentRequest, out outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out.seen, out.users = nil, nil
	change, _ := r.operation.sharingPart()
	s.answers[r.id] = answered{r.operation.isChange(), change, out}
}

// keepUnansweredForeignShow keeps a request of showForeign without an answer
// for the comparison with the log.
func (s *soak) keepUnansweredForeignShow(r *sentRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unansweredForeignShows = append(s.unansweredForeignShows, r)
}

// audit compares the answers with AWS and with the log, after the service has
// ended.
func (s *soak) audit() error {
	uncertain := 0
	for _, w := range s.workers {
		for _, r := range w.repositories {
			w.resolvePending(r) // the outcome of a pending request is known now
			if len(r.states) > 1 {
				uncertain++
			}
		}
	}
	for _, account := range accounts {
		if err := s.auditAccount(account); err != nil {
			return err
		}
	}
	s.report.printf("repositories %d, %d of them with more than one possible state at the end", s.Workers*repositoriesPerWorker, uncertain)
	s.auditUsers()
	s.auditLog()
	s.auditRemovals()
	return nil
}

// auditAccount compares each repository of an account with AWS. AWS must have
// no others.
func (s *soak) auditAccount(account string) error {
	present, err := s.aws.states(account)
	if err != nil {
		return fmt.Errorf("looking into AWS: %w", err)
	}
	for _, w := range s.workers {
		for _, r := range w.repositories {
			if r.account == account {
				w.compare(r, present[r.fullName()])
				delete(present, r.fullName())
			}
		}
	}
	for name, orphan := range present {
		s.report.violation("a repository that nobody created", "  %s/%s: %s", account, name, orphan)
	}
	return nil
}

// auditLog compares each answer with its log line.
func (s *soak) auditLog() {
	for _, r := range s.unansweredForeignShows {
		if lines := s.log.linesOf(r.id); len(lines) > 0 && !r.hungUp {
			s.report.violation("no answer to a request that was read", "  request %s: %s\n  logged: %s", r.id, r.text, lines[0].text)
		}
	}
	for id, a := range s.answers {
		lines := s.log.linesOf(id)
		if len(lines) != 1 {
			s.report.violation("an answer without exactly one log line", "  request %s: answer %d, lines %+v", id, a.status, lines)
			continue
		}
		l := lines[0]
		if a.keys.left && slices.Equal(l.Applied, []string{partKey}) { // the log says that old keys are left, and the answer shows them
			l.Applied = nil
		}
		if a.isChange && l.Message != "audit" && a.status != 403 || l.Status != a.status ||
			!slices.Equal(l.Applied, a.applied) || !slices.Equal(l.Unknown, a.unknown) || !l.tellsShare(a.share) {
			s.report.violation("the answer and the log line differ", "  request %s: answer %+v\n  logged: %s", id, a.outcome, l.text)
		}
		if a.code == keyLimited && len(l.AWSCalls) > 0 {
			s.report.violation("AWS was called, although the key is not good for the request", "  logged: %s", l.text)
		}
	}
}

func (s *soak) print(took time.Duration) {
	s.report.checkUnknown()
	s.report.printTotals()
	calls, faults := s.aws.counts()
	s.report.printf("AWS attempts %d%s", sum(calls), countsByName(calls))
	s.report.printf("faults %d%s", sum(faults), countsByName(faults))
	s.report.printf("operations %d, workers %d, restarts %d, seed %d, took %s",
		s.Operations, s.Workers, s.restarted, s.Seed, took.Round(time.Second))
}
