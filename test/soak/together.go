package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// stepTogether sends two requests about the sharing of a repository at the same
// time to the same process. It must seem as if one came after the other: then
// neither loses what the other has set.
func (w *worker) stepTogether(ctx context.Context, r *repository, id string) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	second, err := dial(w.connection.process)
	if err != nil { // it ends
		return nil
	}
	defer second.close()
	pair := []*sentRequest{{id: id + "-a", operation: newGroupsUpdate(w.random)}, {id: id + "-b", operation: chooseSecond(w.random, r)}}
	w.aws.follow(r.account, r.fullName(), awaitBoth)
	defer w.aws.follow(r.account, r.fullName(), nil)
	if err := w.sendBoth(second, r, pair); err != nil {
		return err
	}
	var outs [2]outcome
	for n, s := range pair {
		if outs[n], err = w.outcomeOf(ctx, r, s); err != nil {
			return err
		}
	}
	w.deriveTogether(r, pair, outs)
	return nil
}

// sendBoth sends two requests at the same time, over the worker's connection and a
// second one.
func (w *worker) sendBoth(second *connection, r *repository, pair []*sentRequest) error {
	for _, s := range pair {
		w.limit(r, &s.operation)
	}
	var both errgroup.Group
	for n, c := range []*connection{w.connection, second} {
		both.Go(func() error { return w.sendOver(c, pair[n], r, 0) })
	}
	return both.Wait()
}

// awaitBoth lets a look at the policy take some time. So both requests look before
// one of them writes, if the service lets them.
func awaitBoth(call localaws.Call) {
	if call.Operation == policies.get {
		time.Sleep(20 * time.Millisecond)
	}
}

func chooseSecond(random *rand.Rand, r *repository) operation {
	if random.IntN(3) == 0 {
		return newGroupsUpdate(random)
	}
	c, refused := chooseShare(random, r)
	return operation{kind: putSharing, share: c, refused: refused}
}

// outcomeOf returns the outcome of a request that has ended, from its answer or
// from the log.
func (w *worker) outcomeOf(ctx context.Context, r *repository, s *sentRequest) (outcome, error) {
	if s.answer != nil {
		w.report.count(s.operation.kind+", two", strconv.Itoa(s.answer.status))
		out, err := readAnswer(s, r)
		if err != nil {
			w.violation("bad answer", r, s, out, err.Error())
			return out, nil
		}
		w.keepAnswer(s, out)
		return out, nil
	}
	for {
		if out, known := w.loggedOutcome(r, s); known {
			return out, nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return outcome{}, context.Cause(ctx)
		}
	}
}

// deriveTogether sets the possible states of a repository after two requests at
// the same time.
func (w *worker) deriveTogether(r *repository, pair []*sentRequest, outs [2]outcome) {
	if len(outs[0].unknown)+len(outs[1].unknown) > 0 {
		time.Sleep(50 * time.Millisecond) // a call that the service has given up may only now reach AWS
	}
	w.aws.waitForChanges(r.account, r.fullName())
	after := statesAfterBoth(r.states, [2]operation{pair[0].operation, pair[1].operation}, outs)
	for n, s := range pair {
		r.history = append(r.history, fmt.Sprintf("at once: %s %s: %s", s.id, s.text, describeOutcome(s, outs[n])))
	}
	if len(after) == 0 {
		for n, s := range pair {
			w.violation("two requests at the same time cannot have these outcomes", r, s, outs[n], "")
		}
		w.resetStates(r)
		return
	}
	r.states = after
}

// statesAfterBoth returns the states that are possible after two operations that
// came in any order.
func statesAfterBoth(before []state, o [2]operation, outs [2]outcome) []state {
	after := statesAfter(statesAfter(before, o[0], outs[0]), o[1], outs[1])
	for _, s := range statesAfter(statesAfter(before, o[1], outs[1]), o[0], outs[0]) {
		if !slices.Contains(after, s) {
			after = append(after, s)
		}
	}
	return after
}
