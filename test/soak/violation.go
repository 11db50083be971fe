package main

import (
	"fmt"
	"strings"
	"time"
)

// violation reports a violation with all that is known about the request and
// its repository.
func (w *worker) violation(kind string, r *repository, s *sentRequest, out outcome, why string) {
	if s.answer != nil {
		time.Sleep(50 * time.Millisecond) // the service logs a request after its answer
	}
	logged := "nothing"
	for _, l := range w.log.linesOf(s.id) {
		logged = l.text
	}
	got := "no answer"
	if s.answer != nil {
		got = fmt.Sprintf("%d %s", s.answer.status, strings.TrimSpace(string(s.answer.body)))
	}
	w.report.violation(kind, "%s\n  request %s: %s\n  hung up: %t; outcome: %s; answer: %s\n  logged: %s\n  %s",
		w.describe(r), s.id, s.text, s.hungUp, describeOutcome(s, out), got, logged, why)
}

// describe returns what is known about a repository as text, for a report.
func (w *worker) describe(r *repository) string {
	return fmt.Sprintf("  seed %d, worker %d, %s/%s\n  possible:\n       %s\n  history:\n    %s\n  AWS calls:\n    %s",
		w.Seed, w.number, r.account, r.fullName(), joinStates(r.states), strings.Join(r.history, "\n    "), w.aws.recentCallsOf(r.account, r.fullName()))
}

// describeOutcome returns an outcome as text, for a report.
func describeOutcome(s *sentRequest, out outcome) string {
	source := "answered"
	switch {
	case out.status == 0:
		return "not read"
	case s.hungUp:
		source = "caller hung up, logged"
	case s.answer == nil:
		source = "no answer, logged"
	}
	text := fmt.Sprintf("%s %d", source, out.status)
	if len(out.applied)+len(out.unknown) > 0 {
		text += fmt.Sprintf(" applied %v unknown %v", out.applied, out.unknown)
	}
	return text
}
