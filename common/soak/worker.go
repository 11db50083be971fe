package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	repositoriesEach = 3  // of a worker
	remembered       = 12 // of what happened to a repository
)

// A worker sends one request after another about repositories of its own.
type worker struct {
	*soak
	number int
	random *rand.Rand
	own    []*repository
	line   *connection
}

func newWorker(s *soak, number int) *worker {
	w := &worker{soak: s, number: number, random: rand.New(rand.NewPCG(s.Seed, uint64(number)))}
	for i := range repositoriesEach {
		w.own = append(w.own, &repository{
			account: accounts[(number+i)%len(accounts)],
			group:   groups[(number/len(accounts)+i)%len(groups)],
			name:    fmt.Sprintf("w%03d-%d", number, i),
			states:  []state{{}},
		})
	}
	return w
}

// run works until there is nothing left to do, or ctx ends.
func (w *worker) run(ctx context.Context) error {
	for w.claim() {
		r, err := w.next(ctx)
		if err != nil {
			return err
		}
		if err := w.step(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// next returns one of the own repositories at random of which no request is open.
func (w *worker) next(ctx context.Context) (*repository, error) {
	for {
		first := w.random.IntN(len(w.own))
		for i := range w.own {
			if r := w.own[(first+i)%len(w.own)]; w.settle(r) {
				return r, nil
			}
		}
		select { // all have: their processes are about to answer or to end
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// step sends one request and takes in what became of it.
func (w *worker) step(ctx context.Context, r *repository) error {
	r.used++
	id := fmt.Sprintf("s%d-%s-%d", w.Seed, r.name, r.used)
	s := &sent{id: id, about: choose(w.random, r, id)}
	if s.about.kind == show && w.random.IntN(5) == 0 {
		return w.visit(ctx, s)
	}
	if err := w.send(ctx, s, r); err != nil {
		return err
	}
	if s.got == nil {
		r.open = s
		return nil
	}
	w.report.count(s.about.kind, strconv.Itoa(s.got.status))
	out, err := read(s, r)
	if err != nil {
		w.violation("broken answer", r, s, out, err.Error())
		return nil
	}
	w.answered(s, out)
	w.learn(r, s, out)
	if s.about.kind == list {
		w.compareList(r, s)
	}
	if w.random.Float64() < w.Looks {
		return w.look(r)
	}
	return nil
}

// send sends the request to whichever process listens. One that could not
// connect did nothing.
func (w *worker) send(ctx context.Context, s *sent, r *repository) error {
	request, err := newRequest(s.about, r, s.id, w.token)
	if err != nil {
		return err
	}
	if err := w.connect(ctx); err != nil {
		return err
	}
	s.to = w.line.to
	s.line = request.Method + " " + request.URL.Path + " " + s.about.body(r)
	s.unsure = w.cloud.unsureOf(r.account, r.fullName())
	s.got, s.hungUp = w.line.send(request, w.hangUpAfter())
	return nil
}

// connect sees to a connection, to another process where the last has gone.
func (w *worker) connect(ctx context.Context) error {
	var to *process
	for !w.line.usable() {
		next, err := w.fleet.other(ctx, to)
		if err != nil {
			return err
		}
		to = next
		w.line, _ = dial(to)
	}
	return nil
}

// hangUpAfter returns when the caller leaves, mostly 0 for never.
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

// visit shows a repository of somebody else, of which no more can be said than
// that it must be the one that was asked for.
func (w *worker) visit(ctx context.Context, s *sent) error {
	whose := w.workers[w.random.IntN(len(w.workers))]
	r := whose.own[w.random.IntN(len(whose.own))]
	s.id += "-visit"
	foreign := &repository{account: r.account, group: r.group, name: r.name}
	if err := w.send(ctx, s, foreign); err != nil {
		return err
	}
	if s.got == nil {
		w.unanswered(s)
		return nil
	}
	w.report.count("visit", strconv.Itoa(s.got.status))
	out, err := read(s, foreign)
	if err != nil {
		w.violation("broken answer", foreign, s, out, err.Error())
		return nil
	}
	w.answered(s, out)
	if out.status != 200 && out.status != 404 && !failures[out.status] {
		w.violation("unexpected status", foreign, s, out, "")
	}
	return nil
}

// settle takes in what became of a request without an answer, and returns false
// while that is not known yet.
func (w *worker) settle(r *repository) bool {
	s := r.open
	if s == nil {
		return true
	}
	ended := s.to.hasEnded() // before the log is looked at: then it is complete
	lines := w.log.of(s.id)
	if len(lines) == 0 && !ended {
		return false
	}
	r.open = nil
	var out outcome
	label := "unread"
	if len(lines) > 0 {
		out, label = lines[0].outcome(), "no answer"
	}
	if s.hungUp {
		label = "caller left"
	}
	w.report.count(s.about.kind, label)
	if len(lines) > 0 && !s.hungUp {
		w.violation("no answer to what was read", r, s, out, "")
	}
	w.learn(r, s, out)
	return true
}

// learn narrows or widens what the repository can be.
func (w *worker) learn(r *repository, s *sent, out outcome) {
	after := judge(r.states, s.about, out)
	r.history = append(r.history, fmt.Sprintf("%s %s: %s", s.id, s.line, said(s, out)))
	if len(r.history) > remembered {
		r.history = r.history[1:]
	}
	if len(after) == 0 {
		w.violation(fmt.Sprintf("%s cannot have been %d", s.about.kind, out.status), r, s, out, "")
		w.believe(r)
		return
	}
	r.states = after
	if s.about.kind == create {
		r.last = s.about
	}
	if isChange(s.about) && out.status != 0 {
		w.report.countChange(out, after, w.cloud.unsureOf(r.account, r.fullName()) > s.unsure)
	}
	if !w.Faults && (out.status >= 429 && out.status != 499 || len(out.unknown) > 0) {
		w.violation("failed without a fault", r, s, out, "")
	}
}

// said tells an outcome, for a report.
func said(s *sent, out outcome) string {
	who := "answered"
	switch {
	case out.status == 0:
		return "never read"
	case s.hungUp:
		who = "caller left, logged"
	case s.got == nil:
		who = "no answer, logged"
	}
	text := fmt.Sprintf("%s %d", who, out.status)
	if len(out.applied)+len(out.unknown) > 0 {
		text += fmt.Sprintf(" applied %v unknown %v", out.applied, out.unknown)
	}
	return text
}

// believe takes AWS's word for what a repository is, after a contradiction.
func (w *worker) believe(r *repository) {
	if present, err := w.cloud.look(r.account, r.fullName()); err == nil {
		r.states = []state{present}
	}
}

// look compares what the repository can be with what it is in AWS.
func (w *worker) look(r *repository) error {
	present, err := w.cloud.look(r.account, r.fullName())
	if err != nil {
		return fmt.Errorf("looking into AWS: %w", err)
	}
	w.compare(r, present)
	r.states = []state{present}
	return nil
}

func (w *worker) compare(r *repository, present state) {
	if !slices.Contains(r.states, present) {
		w.report.violation("AWS differs from the answers", "%s\n  AWS has: %s", w.describe(r), present)
	}
}

// compareList holds a group's list against the other repositories that the
// worker has in it.
func (w *worker) compareList(r *repository, s *sent) {
	for _, other := range w.own {
		if other == r || other.account != r.account || other.group != r.group || other.open != nil {
			continue
		}
		out, err := read(s, other)
		if err == nil {
			w.learn(other, s, out)
		}
	}
}

func (w *worker) violation(kind string, r *repository, s *sent, out outcome, why string) {
	if s.got != nil {
		time.Sleep(50 * time.Millisecond) // the line follows the answer
	}
	logged := "nothing"
	for _, l := range w.log.of(s.id) {
		logged = l.text
	}
	got := "no answer"
	if s.got != nil {
		got = fmt.Sprintf("%d %s", s.got.status, strings.TrimSpace(string(s.got.body)))
	}
	w.report.violation(kind, "%s\n  request %s: %s\n  hung up: %t; outcome: %s; got: %s\n  logged: %s\n  %s",
		w.describe(r), s.id, s.line, s.hungUp, said(s, out), got, logged, why)
}

// describe tells all that is known of a repository, for a report.
func (w *worker) describe(r *repository) string {
	return fmt.Sprintf("  seed %d, worker %d, %s/%s\n  possible:\n       %s\n  history:\n    %s\n  AWS calls:\n    %s",
		w.Seed, w.number, r.account, r.fullName(), text(r.states), strings.Join(r.history, "\n    "), w.cloud.callsOf(r.account, r.fullName()))
}
