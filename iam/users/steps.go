package users

import (
	"context"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/service/iam"
)

// applySteps takes the steps one after the other, and notes each in the user. It
// returns which parts are applied.
func (c *Client) applySteps(ctx context.Context, steps []step, user *User) (applied []string, err error) {
	for _, s := range steps {
		// AWS may not know the boundary everywhere yet, and then denies the policy.
		patient := s.part == accessPart && slices.Equal(applied, []string{boundaryPart})
		if err := c.apply(ctx, user.UserName, s, patient); err != nil {
			if s.part == boundaryPart && awsCode(err) == iam.ErrCodeNoSuchEntityException { // and the user is there
				err = c.noBoundary(err)
			}
			return nil, withApplied(err, applied)
		}
		s.note(user)
		applied = append(applied, s.part)
	}
	user.Access = c.accessOf(user)
	return applied, nil
}

// apply takes one step. If AWS did not say whether it did the work, apply reads the
// user.
func (c *Client) apply(ctx context.Context, user string, s step, patient bool) error {
	limited, cancel := calls.ReserveTime(ctx)
	defer cancel()
	tries := new(calls.Attempts)
	err := c.whileThere(limited, user, func(ctx context.Context) error { return s.call(ctx, tries) })
	if s.part == groupsPart && awsCode(err) == iam.ErrCodeNoSuchEntityException { // and the user is there
		return nil // it is out of the group, or the group is gone
	}
	for _, wait := range lookAfter[1:] { // a denial that lasts is meant
		if !patient || awsCode(err) != accessDenied || !calls.Pause(limited, wait) {
			break
		}
		err = s.call(limited, tries)
	}
	if err == nil || !tries.Unsure || calls.IsGone(err) {
		return err
	}
	now, readErr := c.read(ctx, user)
	if readErr == nil && s.done(now) {
		return nil
	}
	return withAdvice(common.WithOutcome(calls.UnknownReason(err, readErr), nil, []string{s.part}))
}

// deletionTime is how long the keys that a new one replaces may take to be
// deleted: the caller waits for the new one, and may lose patience.
const deletionTime = 5 * time.Second

// changeKeys makes a key. It deletes the others if that is asked for. If one of
// them cannot be deleted, that is no failure: the caller must get the new one. If
// he has hung up before they are gone, the new one goes.
func (u Update) changeKeys(ctx context.Context, updated *UpdatedUser) error {
	maker := keyMaker{Client: u.Keys, user: updated.UserName, was: updated.AccessKeys}
	key, err := maker.makeKey(ctx)
	if err != nil {
		return err
	}
	if u.Gone() {
		return maker.withdraw(ctx, key.AccessKeyID)
	}
	updated.AccessKey = key
	if u.ResetKey {
		maker.removeOthers(ctx, updated)
	} else {
		updated.AccessKeys = slices.Clone(maker.was)
	}
	if updated.KeyLeft != nil && u.Gone() {
		err := maker.withdraw(ctx, key.AccessKeyID)
		if _, unknown := calls.OutcomeOf(updated.KeyLeft); unknown != nil {
			return common.WithOutcome(err, nil, unknown)
		}
		return err
	}
	updated.AccessKeys = append(updated.AccessKeys, key.shown())
	sortKeys(updated.AccessKeys)
	return nil
}

// removeOthers deletes the keys that were there before, and notes which are gone.
func (m keyMaker) removeOthers(ctx context.Context, updated *UpdatedUser) {
	limited, cancel := calls.ReserveTime(ctx)
	defer cancel()
	limited, stop := context.WithTimeout(limited, deletionTime)
	defer stop()
	updated.AccessKeys, updated.DeletedAccessKeys = nil, []string{}
	for _, old := range m.was {
		err := m.removeKey(limited, m.user, old.AccessKeyID)
		if err == nil || calls.IsGone(err) {
			m.KeyDeleted(old.AccessKeyID)
			updated.DeletedAccessKeys = append(updated.DeletedAccessKeys, old.AccessKeyID)
			continue
		}
		updated.KeyLeft = err
		updated.AccessKeys = append(updated.AccessKeys, old)
	}
}

// withdraw deletes a key whose secret nobody gets.
func (m keyMaker) withdraw(ctx context.Context, id string) error {
	gone := common.Errorf(common.Canceled, "The caller hung up, so the new access key was deleted.")
	if err := m.removeKey(ctx, m.user, id); err != nil {
		gone.Message, gone.Cause = "The caller hung up. Nobody knows the new access key "+id+": delete it.", err
		return common.WithOutcome(gone, nil, keyPart)
	}
	m.KeyDeleted(id)
	return gone
}

// withApplied adds the parts that were applied before the failure.
func withApplied(err error, applied []string) error {
	if len(applied) == 0 {
		return err
	}
	_, unknown := calls.OutcomeOf(err)
	return withAdvice(common.WithOutcome(err, applied, unknown))
}

// withAdvice says what to do, unless the error does.
func withAdvice(e *common.Error) *common.Error {
	if e.Advice == "" {
		e.Advice = "Look at the user, or send the same request again."
	}
	return e
}
