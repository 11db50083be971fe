package users

import (
	"context"
	"slices"

	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
	"golang.org/x/sync/errgroup"
)

// atOnce is how many calls of the same kind are made at the same time. IAM
// throttles a whole account.
const atOnce = 4

// removeAll removes all that is in the way. The keys go first: without some of its
// policies, a user may be allowed more than with them.
func (d *deletion) removeAll(ctx context.Context) error {
	for _, part := range []struct {
		name    string
		present func() []write
	}{{keysPart, d.keyRemovals}, {groupsPart, d.groupRemovals}, {policiesPart, d.policyRemovals}} {
		if err := d.remove(ctx, part.name, part.present); err != nil {
			return err
		}
	}
	return nil
}

func (d *deletion) keyRemovals() (list []write) {
	for _, k := range d.user.AccessKeys {
		in := &iam.DeleteAccessKeyInput{UserName: d.nameInIAM(), AccessKeyId: aws.String(k.AccessKeyID)}
		call := writing(d.Client, d.iam.DeleteAccessKeyRequest, in)
		list = append(list, func(ctx context.Context, tries *calls.Attempts) error {
			err := call(ctx, tries)
			if err == nil || tries.Unsure && awsCode(err) == iam.ErrCodeNoSuchEntityException {
				d.KeyDeleted(k.AccessKeyID)
			}
			return err
		})
	}
	return list
}

func (d *deletion) groupRemovals() (list []write) {
	for _, g := range d.user.groups {
		in := &iam.RemoveUserFromGroupInput{UserName: d.nameInIAM(), GroupName: g.GroupName}
		list = append(list, writing(d.Client, d.iam.RemoveUserFromGroupRequest, in))
	}
	return list
}

func (d *deletion) policyRemovals() (list []write) {
	for _, arn := range d.attached {
		in := &iam.DetachUserPolicyInput{UserName: d.nameInIAM(), PolicyArn: aws.String(arn)}
		list = append(list, writing(d.Client, d.iam.DetachUserPolicyRequest, in))
	}
	for _, policy := range d.inline {
		if policy == policyName {
			d.forgetPolicy(d.user.UserName)
		}
		in := &iam.DeleteUserPolicyInput{UserName: d.nameInIAM(), PolicyName: aws.String(policy)}
		list = append(list, writing(d.Client, d.iam.DeleteUserPolicyRequest, in))
	}
	return list
}

// remove removes all that is present of one part, and notes whether that is done.
// If IAM did not say so, remove looks.
func (d *deletion) remove(ctx context.Context, part string, present func() []write) error {
	list := present()
	if len(list) == 0 && !slices.Contains(d.unknown, part) {
		return nil
	}
	before := slices.Contains(d.applied, part) // in an earlier round, and now there is more
	keys := d.user.AccessKeys
	perhaps, unsure, err := d.removeList(ctx, list)
	if unsure {
		readErr := d.readAgain(ctx)
		switch {
		case readErr == nil && len(present()) == 0:
			err = nil
			d.noteKeys(part, keys)
		case calls.IsGone(readErr):
			return readErr
		}
	}
	d.applied, d.unknown = slices.DeleteFunc(d.applied, func(p string) bool { return p == part }), nil
	switch {
	case err == nil:
		d.applied = append(d.applied, part)
	case perhaps || before:
		d.unknown = []string{part}
	}
	return err
}

// noteKeys tells of access keys that are found deleted.
func (d *deletion) noteKeys(part string, keys []AccessKey) {
	if part != keysPart {
		return
	}
	for _, k := range keys {
		d.KeyDeleted(k.AccessKeyID)
	}
}

// removeList makes removals, some at the same time. It tells whether one is done
// or may be done although there is an error, and whether IAM did not say so.
func (d *deletion) removeList(ctx context.Context, list []write) (perhaps, unsure bool, err error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	errs, tries := make([]error, len(list)), make([]calls.Attempts, len(list))
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i, r := range list {
		all.Go(func() error {
			errs[i] = d.removeOne(ctx, r, &tries[i])
			return errs[i]
		})
	}
	err = all.Wait()
	for i := range list {
		unsure = unsure || errs[i] != nil && tries[i].Unsure
		perhaps = perhaps || errs[i] == nil || tries[i].Unsure
	}
	return perhaps, unsure, err
}

func (d *deletion) removeOne(ctx context.Context, r write, tries *calls.Attempts) error {
	return d.whileThere(ctx, d.user.UserName, func(ctx context.Context) error { return unlessGone(r)(ctx, tries) })
}

// unlessGone is a removal that is done too if what it removes is gone already.
func unlessGone(removal write) write {
	return func(ctx context.Context, tries *calls.Attempts) error {
		err := removal(ctx, tries)
		if awsCode(err) == iam.ErrCodeNoSuchEntityException {
			return nil
		}
		return err
	}
}
