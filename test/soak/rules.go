package main

import (
	"context"
	"fmt"
	"time"
)

// choosesRules tells whether the next request is about the sharing or the
// lifecycle policy of the repository. One of the worker's repositories is mostly
// for that and lives long.
func (w *worker) choosesRules(r *repository) bool {
	percent := 20
	if r == w.repositories[1] {
		percent = 90
	}
	if !r.states[0].Exists {
		percent = 5
	}
	return w.random.IntN(100) < percent
}

// stepRules sends one request about the sharing or the lifecycle policy of a
// repository, or two about its sharing at the same time.
func (w *worker) stepRules(ctx context.Context, r *repository, id string) error {
	if err := w.changePolicyOneself(r); err != nil {
		return err
	}
	switch n := w.random.IntN(20); {
	case n < 3:
		return w.stepTogether(ctx, r, id)
	case n < 12:
		s := &sentRequest{id: id, operation: chooseSharingOperation(w.random, r)}
		w.watch(r, s, policies)
		if w.meddles(r) {
			s.watch.plan = planSharing(w.random, r)
		}
		return w.watchedRequest(ctx, r, s)
	default:
		s := &sentRequest{id: id, operation: chooseLifecycleOperation(w.random, r, id)}
		if s.operation.isPreview() {
			return w.stepPreview(ctx, r, s)
		}
		w.watch(r, s, lifecycles)
		if w.meddles(r) {
			s.watch.plan = planLifecycle(w.random, id)
		}
		return w.watchedRequest(ctx, r, s)
	}
}

// stepPreview sends a request about a preview, most of the time of a repository
// with images.
func (w *worker) stepPreview(ctx context.Context, r *repository, s *sentRequest) error {
	if len(r.states) > 1 {
		if err := w.compareWithAWS(r); err != nil {
			return err
		}
	}
	if err := w.pushSome(r); err != nil {
		return err
	}
	if r.states[0].Exists && w.random.IntN(4) == 0 {
		if err := w.aws.startPreview(r.account, r.fullName(), newDocument(w.random, "others before "+s.id)); err != nil {
			return fmt.Errorf("starting a preview in AWS: %w", err)
		}
		s.operation.underWay, r.previewing = true, true
	}
	if s.operation.kind == preview {
		r.previewing = true // also if the caller hangs up
	}
	return w.request(ctx, r, s)
}

// meddles tells whether others may change something during the next request.
func (w *worker) meddles(r *repository) bool {
	return r.states[0].Exists && w.random.IntN(2) == 0
}

// watchedRequest sends a request whose watch may have a plan. What is there must
// be known then, because others do not go by the answers.
func (w *worker) watchedRequest(ctx context.Context, r *repository, s *sentRequest) error {
	if len(s.watch.plan) > 0 && len(r.states) > 1 {
		if err := w.compareWithAWS(r); err != nil {
			return err
		}
		if !r.states[0].Exists { // others have nothing to change
			s.watch.plan = nil
		}
	}
	return w.request(ctx, r, s)
}

// watch begins to watch what the service does with the document during a request.
func (w *worker) watch(r *repository, s *sentRequest, document watched) {
	s.watch = &policyWatch{watched: document, aws: w.aws, account: r.account, name: r.fullName()}
	s.watch.begin()
}

// changePolicyOneself now and then writes the repository's policy as others do.
// It may write the statement of the earlier service.
func (w *worker) changePolicyOneself(r *repository) error {
	if w.random.IntN(4) > 0 || !r.states[0].Exists {
		return nil
	}
	if len(r.states) > 1 {
		if err := w.compareWithAWS(r); err != nil || !r.states[0].Exists {
			return err
		}
	}
	now := &r.states[0].Sharing
	now.Frame = chooseFrame(w.random)
	if w.random.IntN(4) == 0 {
		now.Groups, now.Earlier = "space-1 space-9", true
	}
	r.history = append(r.history, fmt.Sprintf("others set the policy: %+v", *now))
	if err := w.aws.setPolicy(r.account, r.fullName(), now.text(r.account)); err != nil {
		return fmt.Errorf("setting a policy in AWS: %w", err)
	}
	return nil
}

// sawOthers tells whether others have changed the document. It is false for nil.
func (p *policyWatch) sawOthers() bool { return p != nil && hasOthers(p.events) }

// statesAfterWatch returns the possible states after a request that was watched.
// An error says what is not true of its outcome.
func (w *worker) statesAfterWatch(r *repository, s *sentRequest, out outcome) ([]state, error) {
	if len(out.unknown) > 0 {
		time.Sleep(50 * time.Millisecond) // a call that the service has given up may only now reach AWS
	}
	w.aws.waitForChanges(r.account, r.fullName())
	events, err := s.watch.end()
	if err != nil {
		return nil, fmt.Errorf("AWS cannot be asked: %w", err)
	}
	if err := s.watch.check(s.operation, out); err != nil {
		return nil, fmt.Errorf("%w\n  what has happened: %v", err, events)
	}
	if !hasOthers(events) {
		after := statesAfter(r.states, s.operation, out)
		return after, errorIf(len(after) == 0, "no such state is possible")
	}
	w.report.countOther("others changed a policy")
	if out.code == sharingChanged {
		w.report.countOther("the service found that others changed a policy")
	}
	return w.stateAfterOthers(r, s.operation, out)
}

func (p *policyWatch) check(o operation, out outcome) error {
	if p.get == policies.get {
		return checkSharing(p.events, o, out, p.account)
	}
	return checkLifecycle(p.events, o, out)
}

// stateAfterOthers returns the state of a repository after a request during which
// others changed a document. Nothing else must be changed.
func (w *worker) stateAfterOthers(r *repository, o operation, out outcome) ([]state, error) {
	after, err := w.aws.stateOf(r.account, r.fullName())
	if err != nil {
		return nil, fmt.Errorf("AWS cannot be asked: %w", err)
	}
	before := r.states[0]
	before.Sharing, before.Lifecycle = after.Sharing, after.Lifecycle
	switch {
	case before != after:
		return nil, fmt.Errorf("more has changed than the policy: %s", after)
	case !o.mayEndAs(out) || !namesOwnParts(o, out):
		return nil, fmt.Errorf("a failure of that kind cannot be")
	case out.seen != nil && *out.seen != o.shown(before, after):
		return nil, fmt.Errorf("the answer shows another repository: %s", *out.seen)
	}
	return []state{after}, nil
}

// mayEndAs tells whether that outcome is possible where others change what the
// operation is about.
func (o operation) mayEndAs(out outcome) bool {
	_, part := o.sharingPart()
	switch out.status {
	case 0, 200:
		return true
	case 400:
		return o.refused
	case 404:
		return out.code == lifecycleNotFound && o.needsLifecycle()
	case 409:
		return out.code == sharingChanged && part != ""
	}
	return failures[out.status]
}
