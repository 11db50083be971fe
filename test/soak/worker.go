package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
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
