package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// choosesUsers tells whether the next request is about the users of the
// repository. One of the worker's repositories is mostly for that and lives long.
func (w *worker) choosesUsers(r *repository) bool {
	percent := 20
	if r == w.repositories[2] {
		percent = 80
	}
	if !r.states[0].Exists {
		percent = 4
	}
	return w.random.IntN(100) < percent
}

// stepUsers sends one request about the users of a repository, or several, one
// right after the other: IAM may not show yet what the one before has written.
func (w *worker) stepUsers(ctx context.Context, r *repository, id string) error {
	err := w.stepUser(ctx, r, id)
	for n := 1; err == nil && r.pending == nil && w.random.IntN(3) == 0; n++ {
		err = w.stepUser(ctx, r, fmt.Sprintf("%s-%d", id, n))
	}
	return err
}

// stepUser sends one request about the users of a repository, or deletes the
// repository with them, or sends two requests at the same time.
func (w *worker) stepUser(ctx context.Context, r *repository, id string) error {
	if len(r.states) > 1 {
		if err := w.compareWithAWS(r); err != nil {
			return err
		}
	}
	if err := w.changeUsersOneself(r); err != nil {
		return fmt.Errorf("changing users in AWS: %w", err)
	}
	if w.random.IntN(12) == 0 && len(r.users) > 0 {
		return w.usersTogether(ctx, r, id)
	}
	s := &sentRequest{id: id, operation: chooseUserOperation(w.random, r, id)}
	if w.random.IntN(25) == 0 {
		s.operation = operation{kind: remove}
	}
	w.watchUsers(r, s)
	return w.request(ctx, r, s)
}

// changeUsersOneself now and then adds a user of the earlier service, which may
// be in another group too, or takes one out of that group.
func (w *worker) changeUsersOneself(r *repository) error {
	if !r.states[0].Exists {
		return nil
	}
	for _, u := range r.users {
		if slices.Contains(u.Groups, otherGroup) && w.random.IntN(4) == 0 {
			w.aws.settle(r)
			defer func() { r.users = w.aws.usersOf(r) }()
			return w.aws.leaveGroup(r, u.Name, otherGroup)
		}
	}
	name := userNamesTried[w.random.IntN(2)]
	if w.random.IntN(12) > 0 || findUser(r.users, name) != nil {
		return nil
	}
	u := r.otherUser(name, map[string]string{"By": "the earlier service"})
	if w.random.IntN(4) == 0 {
		u.Groups, u.Attached = append(u.Groups, otherGroup), []string{otherPolicy}
	}
	if err := w.aws.AddUser(r.account, u); err != nil {
		return err
	}
	if w.random.IntN(2) == 0 {
		if _, _, err := w.aws.AddUserKey(r.account, u.Name); err != nil {
			return err
		}
	}
	r.users = w.aws.usersOf(r)
	return nil
}

// watchUsers prepares a request that is about users, or that deletes the
// repository with its users. Most of the time IAM shows all that was written
// before. Otherwise the process that has written it must know it.
func (w *worker) watchUsers(r *repository, s *sentRequest) {
	s.users = &userWatch{aws: w.aws, r: r, name: s.operation.user.name}
	if w.random.IntN(2) > 0 || !w.connection.isOpen() || r.usersChangedBy != w.connection.process {
		w.aws.settle(r)
	}
	settled := w.aws.isSettled(r)
	s.fresh = !settled || time.Since(r.othersDeleted) < remembered
	if !settled {
		w.report.countOther("IAM did not show yet what was written")
	}
	if s.operation.kind != remove && settled {
		s.users.others, s.users.after = chooseOthers(w.random, s.operation)
	}
	s.users.begin()
}

// statesAfterUsers returns the possible states of a repository after a request
// about its users, or after its deletion. An error says that the outcome cannot be
// true.
func (w *worker) statesAfterUsers(r *repository, s *sentRequest, out outcome) ([]state, error) {
	if len(out.unknown) > 0 {
		time.Sleep(50 * time.Millisecond) // a call that the service has given up may only now reach AWS
	}
	w.aws.waitForChanges(r.account, r.fullName())
	events, err := s.users.end()
	if err != nil {
		return nil, fmt.Errorf("AWS cannot be asked: %w", err)
	}
	if events.any() {
		w.report.countOther(s.users.others)
	}
	if events.deletedUser || len(events.deletedKeys) > 0 {
		r.othersDeleted = time.Now()
	}
	now := w.aws.usersOf(r)
	was := events.with(r.users, now, s.operation.user.name)
	r.users, r.usersChangedBy = now, s.process
	w.keys.see(out)
	if err := checkUsers(r, s, out, events, was, now); err != nil {
		return nil, fmt.Errorf("%w\n  users before: %+v\n  now: %+v\n  meanwhile: %+v, fresh: %t", err, was, now, events, s.fresh)
	}
	if s.operation.kind == remove {
		out.applied, out.unknown = ofRepository(out.applied), ofRepository(out.unknown)
		if out.code == "user-conflict" && len(out.applied)+len(out.unknown) == 0 {
			return r.states, nil
		}
	}
	after := statesAfter(r.states, s.operation, out)
	return after, errorIf(len(after) == 0, "no such state is possible")
}

// ofRepository returns the parts of a deletion that are not of a user.
func ofRepository(parts []string) []string {
	return slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p != partRepository })
}

// ofUser returns the parts of a deletion of the user.
func ofUser(parts []string, name string) (own []string) {
	for _, p := range parts {
		if p == partUser+" "+name {
			own = append(own, partUser)
		} else if part, is := strings.CutSuffix(p, " of "+name); is {
			own = append(own, part)
		}
	}
	return own
}

// checkUsers checks an outcome and all users of a repository.
func checkUsers(r *repository, s *sentRequest, out outcome, events userEvents, was, now []user) error {
	if out.users != nil && s.operation.kind == listUsers && !s.fresh && !slices.Equal(out.users.names, userNames(was)) {
		return fmt.Errorf("the list is %v", out.users.names)
	}
	if s.operation.kind == remove {
		return checkRemoval(r, s, out, was, now)
	}
	for _, name := range userNames(slices.Concat(was, now)) {
		before, after := findUser(was, name), findUser(now, name)
		if name != s.operation.user.name && !sameUser(before, after) {
			return fmt.Errorf("another user has changed: %s", name)
		}
	}
	if out.code == "repository-not-found" || out.code == keyLimited {
		return errorIf(!slices.EqualFunc(was, now, func(a, b user) bool { return sameUser(&a, &b) }), "the users have changed")
	}
	name := s.operation.user.name
	check := userCheck{r: r, o: s.operation, out: out, was: findUser(was, name), is: findUser(now, name), fresh: s.fresh, others: events}
	return check.check()
}

// checkRemoval checks what became of the users of a repository that was to be
// deleted.
func checkRemoval(r *repository, s *sentRequest, out outcome, was, now []user) error {
	if out.status == http.StatusOK {
		return errorIf(len(now) > 0, "the repository is deleted, and users are left")
	}
	var errs []error
	named := len(ofRepository(out.applied)) + len(ofRepository(out.unknown))
	for _, u := range was {
		own := out
		own.applied, own.unknown = ofUser(out.applied, u.Name), ofUser(out.unknown, u.Name)
		named += len(own.applied) + len(own.unknown)
		check := userCheck{r: r, o: s.operation, out: own, was: &u, is: findUser(now, u.Name), fresh: s.fresh}
		errs = append(errs, check.check())
	}
	return errors.Join(append(errs,
		errorIf(named != len(out.applied)+len(out.unknown), "the failure names a part that the deletion does not have"),
		errorIf(len(minus(userNames(now), userNames(was))) > 0, "there are more users than before"))...)
}

// remembered is how long the service shows what it has made, until IAM does. It
// does not know then that others have deleted that.
const remembered = 31 * time.Second

// isSettled tells whether IAM shows all that was written about the users of a
// repository.
func (a *faultyAWS) isSettled(r *repository) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.written[r.account+"/"+r.fullName()]) > maxIAMDelay
}

// settle waits until it does.
func (a *faultyAWS) settle(r *repository) {
	for !a.isSettled(r) {
		time.Sleep(5 * time.Millisecond)
	}
}

// noteWrite notes when the service has written something about users.
func (a *faultyAWS) noteWrite(call localaws.Call) {
	if call.Service == "iam" && !reads(call) {
		a.wrote(call.Account, repositoryOf(call))
	}
}

func (a *faultyAWS) wrote(account, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written[account+"/"+name] = time.Now()
}
