package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// resolvePending derives the possible states from the log if a request is
// pending. It returns false if the outcome is not yet known.
func (w *worker) resolvePending(r *repository) bool {
	s := r.pending
	if s == nil {
		return true
	}
	out, known := w.loggedOutcome(r, s)
	if !known {
		return false
	}
	r.pending = nil
	w.derive(r, s, out)
	return true
}

// loggedOutcome returns the outcome of a request without an answer. It returns
// false if the outcome is not yet known.
func (w *worker) loggedOutcome(r *repository, s *sentRequest) (out outcome, known bool) {
	ended := s.process.hasEnded() // read before the log: the log of an ended process is complete
	lines := w.log.linesOf(s.id)
	if len(lines) == 0 && !ended {
		return out, false
	}
	label := "not read"
	if len(lines) > 0 {
		out, label = lines[0].outcome(), "no answer"
	}
	if s.hungUp {
		label = "hung up"
	}
	w.report.count(s.operation.kind, label)
	if len(lines) > 0 && !s.hungUp {
		w.violation("no answer to a request that was read", r, s, out, "")
	}
	return out, true
}

// derive sets the possible states of a repository after a request with that
// outcome.
func (w *worker) derive(r *repository, s *sentRequest, out outcome) {
	after, err := w.statesAfter(r, s, out)
	r.history = append(r.history, fmt.Sprintf("%s %s: %s", s.id, s.text, describeOutcome(s, out)))
	if len(r.history) > maxHistory {
		r.history = r.history[1:]
	}
	if err != nil {
		w.violation(fmt.Sprintf("a %s cannot have the status %d", s.operation.kind, out.status), r, s, out, err.Error())
		w.resetStates(r)
		return
	}
	r.states = after
	if s.operation.kind == create {
		r.lastCreate, r.createdBy, r.createdAt = s.operation, s.process, time.Now()
	}
	if s.operation.isChange() && out.status != 0 && !s.watch.sawOthers() {
		w.report.countChange(s.operation, out, after, w.aws.uncertainCallsOf(r.account, r.fullName()) > s.uncertainBefore)
	}
	if !w.Faults && !s.watch.sawOthers() && !r.maySeemNew(s, out) && (out.status >= 429 && out.status != 499 || len(out.unknown) > 0) {
		w.violation("a failure although AWS has no faults", r, s, out, "")
	}
}

// maySeemNew tells whether others have deleted a user, or something of a user, a
// short time ago. The service may wait for IAM to show it, because it has just made
// it.
func (r *repository) maySeemNew(s *sentRequest, out outcome) bool {
	return s.users != nil && time.Since(r.othersDeleted) < remembered && out.status == http.StatusGatewayTimeout
}

// statesAfter returns the possible states of a repository after a request with
// that outcome. An error says that the outcome cannot be true.
func (w *worker) statesAfter(r *repository, s *sentRequest, out outcome) ([]state, error) {
	if s.operation.outside && w.aws.touchesOf(r.account, r.fullName()) > s.touchesBefore {
		return nil, errors.New("AWS was called, although the key is not good for the request")
	}
	if s.users != nil {
		return w.statesAfterUsers(r, s, out)
	}
	if s.operation.isDeletion() {
		return w.stateAfterDeletion(r, s, out)
	}
	if s.watch != nil {
		return w.statesAfterWatch(r, s, out)
	}
	after := statesAfter(r.states, s.operation, out)
	return after, errorIf(len(after) == 0, "no such state is possible")
}

// resetStates sets the possible states of a repository to the state in AWS,
// after a violation.
func (w *worker) resetStates(r *repository) {
	if present, err := w.aws.stateOf(r.account, r.fullName()); err == nil {
		r.states = []state{present}
	}
}

// compareWithAWS compares the possible states of a repository with the state in
// AWS.
func (w *worker) compareWithAWS(r *repository) error {
	present, err := w.aws.stateOf(r.account, r.fullName())
	if err != nil {
		return fmt.Errorf("looking into AWS: %w", err)
	}
	w.compare(r, present)
	w.compareUsers(r)
	r.states, r.users = []state{present}, w.aws.usersOf(r)
	return nil
}

func (w *worker) compare(r *repository, present state) {
	if !slices.Contains(r.states, present) {
		w.report.violation("AWS differs from the answers", "%s\n  AWS has: %s", w.describe(r), present)
	}
}

// compareList compares the list of a group with the other repositories that the
// worker has in the group.
func (w *worker) compareList(r *repository, s *sentRequest) {
	for _, other := range w.repositories {
		if other == r || other.account != r.account || other.group != r.group || other.pending != nil {
			continue
		}
		out, err := readAnswer(s, other)
		if err == nil {
			w.derive(other, s, out)
		}
	}
}
