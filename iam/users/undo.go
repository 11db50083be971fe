package users

import (
	"context"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
)

// An undo deletes a user whom a create has made, and no other of the same name.
type undo struct {
	*Client
	user      *User // whom the create has made
	hasPolicy bool  // or may have it

	known bool           // IAM has shown the user
	tries calls.Attempts // of the deletion of the user itself
}

// run returns the failure of the create, with what could not be deleted. IAM may
// not know the user yet: that it has no such user means that the user is gone only
// if it has known the user before.
func (u *undo) run(ctx context.Context, failure error) error {
	for _, wait := range append(slices.Clone(lookAfter), 5*time.Second) {
		calls.Pause(ctx, wait)
		if u.deleteIfSame(ctx) {
			u.noteGone(u.user.UserName, u.user.id)
			return common.WithOutcome(failure, nil, nil)
		}
	}
	listed, err := u.isListed(ctx, u.user.UserName)
	return halfMade(failure, u.tries.Unsure || err == nil && !listed, u.hasPolicy)
}

// deleteIfSame deletes the user, and tells whether it is gone.
func (u *undo) deleteIfSame(ctx context.Context) (gone bool) {
	now := &User{UserName: u.user.UserName}
	err := u.readUser(ctx, now)
	switch {
	case err == nil && now.id == u.user.id:
		u.known = true
		return u.delete(ctx)
	case err == nil && !u.known && now.created.Before(u.user.created): // it is gone, and IAM still shows it
		return false
	case err == nil || calls.IsGone(err) && awsCode(err) == "": // another user has the name
		return true
	case u.known && mayBeMissing(err):
		u.forget(u.user.UserName) // or the list would have it, because it is new
		listed, err := u.isListed(ctx, u.user.UserName)
		return err == nil && !listed
	default:
		return false
	}
}

// delete deletes the policy and the user. After an attempt that may have deleted
// the user, there is no other before the next look.
func (u *undo) delete(ctx context.Context) (gone bool) {
	if u.deletePolicy(ctx, u.user.UserName, policyName) == nil {
		u.hasPolicy = false
	}
	in := &iam.DeleteUserInput{UserName: aws.String(u.place.nameIn(u.user.UserName))}
	_, err := send(ctx, u.session, u.iam.DeleteUserRequest, in, u.tries.WatchOnce)
	return err == nil
}

// halfMade returns the failure of a create whose user could not be deleted.
func halfMade(failure error, userUnsure, hasPolicy bool) error {
	var applied, unknown []string
	if userUnsure {
		unknown = append(unknown, userPart)
	} else {
		applied = append(applied, userPart)
	}
	if hasPolicy {
		unknown = append(unknown, policyPart)
	}
	return unfinished(failure, applied, unknown)
}

func (c *Client) deletePolicy(ctx context.Context, name, policy string) error {
	c.forgetPolicy(name)
	in := &iam.DeleteUserPolicyInput{UserName: aws.String(c.place.nameIn(name)), PolicyName: aws.String(policy)}
	_, err := send(ctx, c.session, c.iam.DeleteUserPolicyRequest, in)
	return err
}
