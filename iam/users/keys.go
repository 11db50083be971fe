package users

import (
	"context"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
)

// keyOf is the name of an access key in the memory.
func (c *Client) keyOf(user, id string) string { return c.arnOf(user) + " " + id }

func keyNotFound(user, id string) error {
	return common.Errorf(common.AccessKeyNotFound, "The user %s has no access key %s.", user, id)
}

// Key returns an access key of the user. AWS may not show one yet that was made a
// moment ago, so Key waits for that.
func (c *Client) Key(ctx context.Context, user, id string) (*AccessKey, error) {
	waiting, cancel := calls.ReserveTime(ctx)
	defer cancel()
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		var keys []AccessKey
		err := c.whileThere(ctx, user, func(ctx context.Context) (err error) {
			keys, err = c.keys(ctx, user)
			return err
		})
		if err != nil {
			return nil, err
		}
		if i := indexOf(keys, id); i >= 0 {
			return &keys[i], nil
		}
		if !c.made.isFresh(c.keyOf(user, id)) || !calls.Pause(waiting, wait) {
			return nil, keyNotFound(user, id)
		}
	}
}

func indexOf(keys []AccessKey, id string) int {
	return slices.IndexFunc(keys, func(k AccessKey) bool { return k.AccessKeyID == id })
}

// A keyRead reads an access key before it is changed, and returns an error if it
// must not be changed.
type keyRead func(context.Context) (*AccessKey, error)

// SwitchKey sets the status of an access key of the user. It returns the key with
// that status.
func (c *Client) SwitchKey(ctx context.Context, user, id, status string, read keyRead) (*AccessKey, error) {
	return c.changeKey(ctx, user, read, func(ctx context.Context, k *AccessKey) error {
		in := &iam.UpdateAccessKeyInput{UserName: aws.String(c.place.nameIn(user)), AccessKeyId: aws.String(id), Status: aws.String(status)}
		k.Status = status
		return c.settle(ctx, user, id, writing(c, c.iam.UpdateAccessKeyRequest, in), func(now *AccessKey) bool {
			return now != nil && now.Status == status
		})
	})
}

// DeleteKey deletes an access key of the user. It returns the key as it was.
func (c *Client) DeleteKey(ctx context.Context, user, id string, read keyRead) (*AccessKey, error) {
	return c.changeKey(ctx, user, read, func(ctx context.Context, _ *AccessKey) error {
		return c.removeKey(ctx, user, id)
	})
}

// changeKey reads an access key and changes it, while no other change of the user
// runs in this process.
func (c *Client) changeKey(ctx context.Context, user string, read keyRead, change func(context.Context, *AccessKey) error) (*AccessKey, error) {
	end, err := c.turn(ctx, user)
	if err != nil {
		return nil, err
	}
	defer end()
	key, err := read(ctx)
	if err != nil {
		return nil, err
	}
	return key, change(ctx, key)
}

// removeKey deletes an access key. It does not matter who deletes it, so a key
// that is gone after an attempt whose outcome is not known is deleted.
func (c *Client) removeKey(ctx context.Context, user, id string) error {
	in := &iam.DeleteAccessKeyInput{UserName: aws.String(c.place.nameIn(user)), AccessKeyId: aws.String(id)}
	err := c.settle(ctx, user, id, writing(c, c.iam.DeleteAccessKeyRequest, in), func(now *AccessKey) bool { return now == nil })
	if err == nil {
		c.made.forget(c.keyOf(user, id))
		c.gone.add(c.keyOf(user, id))
	}
	return err
}

// settle makes a call about an access key, which can be repeated. If AWS did not
// say whether it did the work, settle looks at the key, which is nil if it is gone.
func (c *Client) settle(ctx context.Context, user, id string, call write, done func(*AccessKey) bool) error {
	limited, cancel := calls.ReserveTime(ctx)
	defer cancel()
	tries := new(calls.Attempts)
	err := c.whileThere(limited, user, func(ctx context.Context) error { return call(ctx, tries) })
	switch {
	case err == nil:
		return nil
	case tries.Unsure && calls.IsGone(err) && done(nil):
		return nil
	case awsCode(err) == iam.ErrCodeNoSuchEntityException: // and the user is there
		missing := common.WithOutcome(err, nil, nil)
		missing.Code = common.AccessKeyNotFound
		return missing
	case !tries.Unsure || calls.IsGone(err):
		return err
	}
	keys, readErr := c.keys(ctx, user)
	if readErr == nil {
		var now *AccessKey
		if i := indexOf(keys, id); i >= 0 {
			now = &keys[i]
		}
		if done(now) {
			return nil
		}
	}
	return withAdvice(common.WithOutcome(calls.UnknownReason(err, readErr), nil, keyPart))
}
