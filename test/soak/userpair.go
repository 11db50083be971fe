package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// choosePair returns two operations on a user that are sent at the same time.
func (w *worker) choosePair(u user, id string) [2]operation {
	makes := operation{kind: makeKey, user: userChange{name: u.Name}}
	updates := func(access string, reset bool) operation {
		return operation{kind: updateUser, user: userChange{name: u.Name, access: access, reset: reset, tags: map[string]string{"By": id}}}
	}
	switch w.random.IntN(5) {
	case 0, 1:
		return [2]operation{makes, makes}
	case 2:
		return [2]operation{updates(toPull, false), updates(toPush, false)}
	case 3:
		return [2]operation{updates("", true), makes}
	default:
		return [2]operation{{kind: deleteUser, user: userChange{name: u.Name}}, makes}
	}
}

// usersTogether sends two requests about a user at the same time to the same
// process. It must seem as if one came after the other.
func (w *worker) usersTogether(ctx context.Context, r *repository, id string) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	second, err := dial(w.connection.process)
	if err != nil { // it ends
		return nil
	}
	defer second.close()
	w.aws.settle(r)
	operations := w.choosePair(r.users[w.random.IntN(len(r.users))], id)
	pair := []*sentRequest{{id: id + "-a", operation: operations[0]}, {id: id + "-b", operation: operations[1]}}
	if err := w.sendBoth(second, r, pair); err != nil {
		return err
	}
	var outs [2]outcome
	for n, s := range pair {
		if outs[n], err = w.outcomeOf(ctx, r, s); err != nil {
			return err
		}
		w.keys.see(outs[n])
		r.history = append(r.history, fmt.Sprintf("at once: %s %s: %s", s.id, s.text, describeOutcome(s, outs[n])))
	}
	w.checkPair(r, pair, outs)
	return nil
}

// checkPair checks what became of a user after two requests at the same time.
func (w *worker) checkPair(r *repository, pair []*sentRequest, outs [2]outcome) {
	if len(outs[0].unknown)+len(outs[1].unknown) > 0 {
		time.Sleep(50 * time.Millisecond) // a call that the service has given up may only now reach AWS
	}
	w.aws.waitForChanges(r.account, r.fullName())
	was, now := r.users, w.aws.usersOf(r)
	r.users, r.usersChangedBy = now, pair[0].process
	name := pair[0].operation.user.name
	if err := pairOf(r, pair, outs, findUser(was, name), findUser(now, name)); err != nil {
		for n, s := range pair {
			w.violation("two requests at the same time cannot have these outcomes", r, s, outs[n], fmt.Sprintf("%v\n  users before: %+v\n  now: %+v", err, was, now))
		}
	}
}

// pairOf returns an error unless the user can be so after both requests, in any
// order. Each is checked as if the other's keys were made and deleted by others.
func pairOf(r *repository, pair []*sentRequest, outs [2]outcome, was, is *user) error {
	for n, s := range pair {
		if s.operation.kind == deleteUser {
			return errorIf(outs[n].status == 200 && is != nil, "the user is deleted, and it is there")
		}
	}
	if is == nil || is.ID != was.ID {
		return fmt.Errorf("the user is gone")
	}
	made := minus(is.keyIDs(), was.keyIDs())
	unknown := 0
	for n, out := range outs {
		if out.status == 200 && pair[n].operation.makesKey() {
			made = minus(made, []string{out.keys.made})
		}
		if slices.Contains(out.unknown, partKey) {
			unknown++
		}
		if out.status == 200 && len(is.Groups) > 0 {
			return fmt.Errorf("the user is in the groups %v", is.Groups)
		}
	}
	asked := []string{pair[0].operation.user.access, pair[1].operation.user.access, was.Policies, toPush}
	lost := minus(was.keyIDs(), slices.Concat(is.keyIDs(), outs[0].keys.deleted, outs[1].keys.deleted))
	return firstOf(
		errorIf(len(made) > unknown, fmt.Sprint("nobody was handed out the access keys ", made)),
		errorIf(len(lost) > 0 && !outs[0].keys.left && !outs[1].keys.left, fmt.Sprint("the access keys are gone: ", lost)),
		errorIf(len(is.Keys) > 2, "the user has more than two access keys"),
		errorIf(!slices.Contains(asked, is.Policies), "nobody has asked for the access"),
		errorIf(outs[0].status == 200 && outs[1].status == 200 && pair[0].operation.user.access != "" &&
			!slices.Contains(asked[:2], is.Policies), "the access is that of neither request"),
	)
}
