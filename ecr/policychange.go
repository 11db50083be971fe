package ecr

import (
	"context"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws/request"
)

// A policyChange is one change of the policy of one repository.
type policyChange struct {
	*Client
	name   string
	share  Share
	ours   []statement     // that the policy must have
	before *policyDocument // as it was read
	after  *policyDocument // as it is to be written

	tries   calls.Attempts
	absent  bool         // AWS says that there is no policy to delete
	deleted string       // the policy that AWS says it has deleted
	seen    *policyState // why the change was not repeated
}

// A policyState is a policy that was read after the change has begun.
type policyState struct {
	document *policyDocument
	what     state
}

func (s *policyState) is(what state) bool { return s != nil && s.what == what }

// A state says what became of a policy.
type state int

const (
	unchanged state = iota // it is as it was read before
	written                // it has what is to be written
	changed                // somebody else has changed it
)

// look reads the policy again.
func (p *policyChange) look(ctx context.Context) (*policyState, error) {
	now, err := p.policy(ctx, p.name)
	switch {
	case err != nil:
		return nil, err
	case now.shares(p.ours):
		return &policyState{now, written}, nil
	case now.meaning() == p.before.meaning():
		return &policyState{now, unchanged}, nil
	default:
		return &policyState{now, changed}, nil
	}
}

// write makes the call, and repeats it if AWS denies it although the
// repository's tags allow it.
func (p *policyChange) write(ctx context.Context) error {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	return retryIfDenied(ctx, p.checkUnchanged, func() error { return p.set(ctx) })
}

// checkUnchanged returns an error unless the policy is as it was read.
func (p *policyChange) checkUnchanged(ctx context.Context) error {
	now, err := p.look(ctx)
	if err == nil && !now.is(unchanged) {
		p.seen = now
		return p.conflict()
	}
	return err
}

// repeatIfUnchanged is an option for the request. An attempt may have done the
// work without saying so, and between two attempts somebody else may change the
// policy, whose change the next attempt would undo. So before the next attempt it
// reads the policy. If it is not as it was read first, there is no further
// attempt, and the error is that of the last one.
func (p *policyChange) repeatIfUnchanged(r *request.Request) {
	r.Handlers.AfterRetry.PushBack(func(r *request.Request) {
		if r.Error != nil { // there is no further attempt
			return
		}
		switch err := p.checkUnchanged(r.Context()); {
		case err == nil:
		case calls.IsGone(err):
			r.Error = err
		default:
			r.Error = p.tries.Failure
		}
	})
}

// lookAfter are the waits before AWS is asked for what was written a moment ago.
// It is asked again as long as it shows what was before.
var lookAfter = []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 900 * time.Millisecond}

// confirm reads whether the policy has what was written. The failure is nil if
// AWS said that it has written it. Otherwise AWS did not say.
func (p *policyChange) confirm(ctx context.Context, failure error) (*Sharing, error) {
	part := []string{p.share.Part}
	for _, wait := range lookAfter {
		calls.Pause(ctx, wait) // if the time is over, the next call to AWS says so
		now, err := p.look(ctx)
		switch {
		case calls.IsGone(err):
			return nil, err
		case err != nil && failure == nil:
			return nil, common.WithOutcome(err, nil, part)
		case err != nil:
			return nil, common.WithOutcome(calls.UnknownReason(failure, err), nil, part)
		case now.is(written):
			return p.sharing(now.document), nil
		case now.is(changed):
			return nil, common.WithOutcome(p.conflict(), nil, part)
		case failure != nil:
			return nil, common.WithOutcome(failure, nil, part)
		}
	}
	return nil, common.WithOutcome(common.Errorf(common.SharingChanged,
		"AWS does not show the change of the policy of the repository %s yet.", p.name), nil, part)
}
