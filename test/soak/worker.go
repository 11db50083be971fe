package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	repositoriesPerWorker = 3
	maxHistory            = 12 // how many requests about a repository are kept for a report
)

// worker sends one request after another. Only this worker changes its
// repositories.
type worker struct {
	*soak
	number       int
	random       *rand.Rand
	repositories []*repository
	connection   *connection
}

func newWorker(s *soak, number int) *worker {
	w := &worker{soak: s, number: number, random: rand.New(rand.NewPCG(s.Seed, uint64(number)))}
	for i := range repositoriesPerWorker {
		w.repositories = append(w.repositories, &repository{
			account: accounts[(number+i)%len(accounts)],
			group:   groups[(number/len(accounts)+i)%len(groups)],
			name:    fmt.Sprintf("w%03d-%d", number, i),
			states:  []state{{}},
		})
	}
	return w
}

// run works until no operations are left or ctx ends.
func (w *worker) run(ctx context.Context) error {
	for w.takeOperation() {
		r, err := w.nextRepository(ctx)
		if err != nil {
			return err
		}
		if err := w.step(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// nextRepository returns one of the worker's repositories at random. It has no
// pending request.
func (w *worker) nextRepository(ctx context.Context) (*repository, error) {
	for {
		first := w.random.IntN(len(w.repositories))
		for i := range w.repositories {
			if r := w.repositories[(first+i)%len(w.repositories)]; w.resolvePending(r) {
				return r, nil
			}
		}
		select { // soon the processes have logged the pending requests, or have ended
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// step sends one request about a repository.
func (w *worker) step(ctx context.Context, r *repository) error {
	r.requests++
	id := fmt.Sprintf("s%d-%s-%d", w.Seed, r.name, r.requests)
	if w.choosesImages(r) {
		return w.stepImages(ctx, r, id)
	}
	if w.choosesRules(r) {
		return w.stepRules(ctx, r, id)
	}
	if w.choosesUsers(r) {
		return w.stepUsers(ctx, r, id)
	}
	s := &sentRequest{id: id, operation: chooseOperation(w.random, r, id)}
	if s.operation.kind == remove {
		w.watchUsers(r, s)
	}
	change, part := s.operation.sharingPart()
	if part != "" && (s.operation.kind != create || *change.groups != "") { // a new repository is shared with nobody
		w.watch(r, s, policies)
	}
	if s.operation.kind == show && w.random.IntN(5) == 0 {
		return w.showForeign(ctx, s)
	}
	return w.request(ctx, r, s)
}

// request sends a request about a repository and derives the possible states
// from its answer.
func (w *worker) request(ctx context.Context, r *repository, s *sentRequest) error {
	if err := w.send(ctx, s, r); err != nil {
		return err
	}
	if s.answer == nil {
		r.pending = s
		return nil
	}
	w.report.count(s.operation.kind, strconv.Itoa(s.answer.status))
	out, err := readAnswer(s, r)
	if err != nil {
		w.violation("bad answer", r, s, out, err.Error())
		w.resetStates(r)
		return nil
	}
	w.keepAnswer(s, out)
	w.derive(r, s, out)
	if s.operation.kind == list {
		w.compareList(r, s)
	}
	if s.operation.kind == login && out.status == http.StatusOK {
		w.tryCredentials(r, s)
	}
	if s.operation.isPreview() {
		if err := w.comparePreview(r, s, out); err != nil {
			return err
		}
	}
	w.tryNewKey(r, s, out)
	if w.random.Float64() < w.CompareShare {
		return w.compareWithAWS(r)
	}
	return nil
}

// send sends the request to the process that listens.
func (w *worker) send(ctx context.Context, s *sentRequest, r *repository) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	w.limit(r, &s.operation)
	return w.sendOver(w.connection, s, r, w.hangUpAfter())
}

// sendOver sends the request over a connection.
func (w *worker) sendOver(c *connection, s *sentRequest, r *repository, hangUpAfter time.Duration) error {
	request, err := newRequest(s.operation, r, s.id, w.tokenFor(s.operation))
	if err != nil {
		return err
	}
	s.process = c.process
	s.operation.twin = s.operation.kind == create && r.createdBy != nil && r.createdBy != s.process && time.Since(r.createdAt) < 2*time.Second
	s.text = request.Method + " " + request.URL.RequestURI() + " " + s.operation.body(r)
	s.uncertainBefore = w.aws.uncertainCallsOf(r.account, r.fullName())
	s.touchesBefore = w.aws.touchesOf(r.account, r.fullName())
	s.answer, s.hungUp = c.send(request, hangUpAfter)
	return nil
}

// tokenFor returns the token of the key for an operation.
func (w *worker) tokenFor(o operation) string {
	if o.limited {
		return w.limitedToken
	}
	return w.token
}

// connect opens a connection unless one is open. If the current process does
// not listen any more, it waits for the next one.
func (w *worker) connect(ctx context.Context) error {
	var unreachable *process
	for !w.connection.isOpen() {
		p, err := w.service.waitForOther(ctx, unreachable)
		if err != nil {
			return err
		}
		unreachable = p
		w.connection, _ = dial(p)
	}
	return nil
}

// hangUpAfter returns after what time the caller hangs up. Most of the time it
// returns 0, which means never.
func (w *worker) hangUpAfter() time.Duration {
	if w.random.Float64() >= w.HangUps {
		return 0
	}
	longest := 10 * time.Millisecond
	if w.random.IntN(2) == 0 {
		longest = time.Second
	}
	return 1 + time.Duration(w.random.Int64N(int64(longest)))
}

// showForeign shows a repository of any worker. The state of the repository is
// not known, because its own worker may change it meanwhile. So only the form
// of the answer is checked.
func (w *worker) showForeign(ctx context.Context, s *sentRequest) error {
	owner := w.workers[w.random.IntN(len(w.workers))]
	r := owner.repositories[w.random.IntN(len(owner.repositories))]
	s.id += "-foreign"
	foreign := &repository{account: r.account, group: r.group, name: r.name}
	if err := w.send(ctx, s, foreign); err != nil {
		return err
	}
	if s.answer == nil {
		w.keepUnansweredForeignShow(s)
		return nil
	}
	w.report.count("foreign show", strconv.Itoa(s.answer.status))
	out, err := readAnswer(s, foreign)
	if err != nil {
		w.violation("bad answer", foreign, s, out, err.Error())
		return nil
	}
	w.keepAnswer(s, out)
	if out.status != 200 && out.status != 404 && !failures[out.status] && !(s.operation.outside && out.code == keyLimited) {
		w.violation("unexpected status", foreign, s, out, "")
	}
	return nil
}

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
