package users

import (
	"context"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
	"golang.org/x/sync/errgroup"
)

// conflicts is how often IAM may say that something of a user is in the way,
// until that is meant. It may know late what was removed, and somebody else may
// add something at the same time. Of what this process has just made it may know
// late.
const (
	conflicts      = 5
	conflictsOfNew = 7
)

// A deletion deletes one user, and first what the user has: IAM deletes no user
// who has anything.
type deletion struct {
	*Client
	user *User // as it was

	attached []string // ARNs of managed policies
	inline   []string // names of policies

	tries            calls.Attempts // of the deletion of the user itself
	applied, unknown []string       // parts
}

// Delete deletes the user with that short name: its access keys, its membership
// in the former group, its policies, then the user. It returns the user as it
// was. whileOwned runs the reads before that, and returns an error if the user
// must not be deleted. What somebody else has removed meanwhile is removed.
func (c *Client) Delete(ctx context.Context, name string, whileOwned func(context.Context, func(context.Context) error) error) (*User, error) {
	end, err := c.turn(ctx, name)
	if err != nil {
		return nil, err
	}
	defer end()
	d := &deletion{Client: c}
	err = whileOwned(ctx, func(ctx context.Context) error { return d.readFirst(ctx, name) })
	if err == nil {
		err = d.checkGroups(d.user)
	}
	if err != nil {
		return nil, err
	}
	was := d.user
	if err := d.run(ctx); err != nil {
		d.hideKeys(was)
		return nil, err
	}
	c.noteGone(name, was.id)
	return was, nil
}

// hideKeys lets the memory show no keys of a user that may be deleted.
func (d *deletion) hideKeys(was *User) {
	if !slices.Contains(d.applied, keysPart) && !slices.Contains(d.unknown, keysPart) {
		return
	}
	for _, k := range was.AccessKeys {
		d.made.hide(d.keyOf(was.UserName, k.AccessKeyID))
	}
}

// readFirst reads the user for the answer, and what is in the way of its deletion.
func (d *deletion) readFirst(ctx context.Context, name string) (err error) {
	if err := d.read(ctx, name); err != nil {
		return err
	}
	d.user.AccessKeys, err = d.readUses(ctx, name, d.user.AccessKeys)
	return err
}

// read reads the user, and what is in the way of its deletion. If it fails, what
// was read before stays.
func (d *deletion) read(ctx context.Context, name string) error {
	return d.whileThere(ctx, name, func(ctx context.Context) error {
		now := deletion{Client: d.Client}
		reads, ctx := errgroup.WithContext(ctx)
		reads.Go(func() (err error) { now.user, err = d.Client.read(ctx, name); return err })
		reads.Go(func() (err error) { now.attached, err = d.attachedPolicies(ctx, name); return err })
		reads.Go(func() (err error) { now.inline, err = d.inlinePolicies(ctx, name); return err })
		if err := reads.Wait(); err != nil {
			return err
		}
		d.user, d.attached, d.inline = now.user, now.attached, now.inline
		return nil
	})
}

func (c *Client) attachedPolicies(ctx context.Context, name string) ([]string, error) {
	in := &iam.ListAttachedUserPoliciesInput{UserName: aws.String(c.place.nameIn(name)), MaxItems: aws.Int64(pageSize)} // a user has 20 at most
	out, err := send(ctx, c.session, c.iam.ListAttachedUserPoliciesRequest, in)
	var arns []string
	for _, p := range out.AttachedPolicies {
		arns = append(arns, aws.StringValue(p.PolicyArn))
	}
	return arns, err
}

func (c *Client) inlinePolicies(ctx context.Context, name string) ([]string, error) {
	in := &iam.ListUserPoliciesInput{UserName: aws.String(c.place.nameIn(name)), MaxItems: aws.Int64(pageSize)} // all have 2,048 characters at most
	out, err := send(ctx, c.session, c.iam.ListUserPoliciesRequest, in)
	names := aws.StringValueSlice(out.PolicyNames)
	if !slices.Contains(names, policyName) && c.newPolicy(name) != "" { // IAM does not show it yet
		names = append(names, policyName)
	}
	return names, err
}

// run deletes what is in the way, and the user.
func (d *deletion) run(ctx context.Context) error {
	most := conflicts
	if d.isChanged(d.user.UserName) {
		most = conflictsOfNew
	}
	for wait, n := firstWait, 1; ; wait, n = 2*wait, n+1 {
		err := d.removeAll(ctx)
		if err == nil {
			err = d.deleteUser(ctx)
		}
		if common.CodeOf(err) != common.UserConflict || n == most || !calls.Pause(ctx, wait) {
			return d.outcome(ctx, err)
		}
		if err := d.readAgain(ctx); err != nil {
			return d.outcome(ctx, err)
		}
	}
}

// readAgain reads what is in the way now. Somebody may have deleted the user, and
// made another of the same name.
func (d *deletion) readAgain(ctx context.Context) error {
	was := d.user
	if err := d.read(ctx, was.UserName); err != nil {
		return err
	}
	if d.user.id != was.id {
		return notFound(was.UserName)
	}
	return d.checkGroups(d.user)
}

// deleteUser deletes the user, who has nothing any more. It keeps time for a look
// at what became of that.
func (d *deletion) deleteUser(ctx context.Context) error {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	in := &iam.DeleteUserInput{UserName: d.nameInIAM()}
	return d.whileThere(ctx, d.user.UserName, func(ctx context.Context) error {
		_, err := send(ctx, d.session, d.iam.DeleteUserRequest, in, d.tries.Watch, d.tries.RepeatIfSame(d.checkSame))
		return err
	})
}

func (d *deletion) nameInIAM() *string { return aws.String(d.place.nameIn(d.user.UserName)) }

// checkSame returns an error unless the user is there, and is the one that is to
// be deleted.
func (d *deletion) checkSame(ctx context.Context) error {
	name := d.user.UserName
	d.forget(name) // if IAM does not know it now, it is deleted
	now := &User{UserName: name}
	err := d.whileThere(ctx, name, func(ctx context.Context) error { return d.readUser(ctx, now) })
	if err == nil && now.id != d.user.id {
		return notFound(name)
	}
	return err
}

// outcome returns the error of a deletion that has ended with the error. It is nil
// if the user is gone after an attempt that may have deleted it.
func (d *deletion) outcome(ctx context.Context, err error) error {
	unknown := d.unknown
	switch {
	case err == nil || calls.IsGone(err) && d.tries.Unsure:
		return nil
	case calls.IsGone(err): // somebody else has deleted the user
		return err
	case d.tries.Unsure:
		readErr := d.checkSame(ctx)
		if calls.IsGone(readErr) {
			return nil
		}
		err, unknown = calls.UnknownReason(err, readErr), append(unknown, userPart)
	}
	e := common.WithOutcome(err, d.applied, unknown)
	if e.Code == common.UserConflict && e.AWSCode != "" {
		e.Message = "IAM does not delete the user " + d.user.UserName + ": " + e.Message
		if !passes[e.AWSCode] {
			e.Advice = "Remove in IAM what is in the way, and send the same request again."
		}
	}
	if len(e.Applied)+len(e.Unknown) == 0 {
		return e
	}
	return withAdvice(e)
}
