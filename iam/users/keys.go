package users

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"
	"golang.org/x/sync/errgroup"
)

// keyOf is the name of an access key in the memory.
func (c *Client) keyOf(user, id string) string { return c.arnOf(user) + " " + id }

func keyNotFound(user, id string) error {
	return common.Errorf(common.AccessKeyNotFound, "The user %s has no access key %s.", user, id)
}

// keys returns the access keys of a user, the oldest first, without when they were
// last used. IAM may not show yet those that were made a moment ago.
func (c *Client) keys(ctx context.Context, name string) ([]AccessKey, error) {
	keys, err := c.listKeys(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, k := range c.newKeys(name) {
		if indexOf(keys, k.AccessKeyID) < 0 {
			keys = append(keys, k)
		}
	}
	sortKeys(keys)
	return keys, nil
}

// listKeys returns the access keys of a user that IAM shows.
func (c *Client) listKeys(ctx context.Context, name string) ([]AccessKey, error) {
	in := &iam.ListAccessKeysInput{UserName: aws.String(c.place.nameIn(name)), MaxItems: aws.Int64(pageSize)} // a user has 2 at most
	out, err := send(ctx, c.session, c.iam.ListAccessKeysRequest, in)
	if err != nil {
		return nil, err
	}
	keys := []AccessKey{}
	for _, k := range out.AccessKeyMetadata {
		if aws.StringValue(k.UserName) != c.place.nameIn(name) { // IAM ignores the case of names
			return nil, notFound(name)
		}
		id := aws.StringValue(k.AccessKeyId)
		c.made.noteListed(c.keyOf(name, id))
		if !c.gone.isFresh(c.keyOf(name, id)) {
			keys = append(keys, AccessKey{AccessKeyID: id, Status: aws.StringValue(k.Status), CreateDate: common.Timestamp{Time: aws.TimeValue(k.CreateDate)}})
		}
	}
	return keys, nil
}

// sortKeys puts the oldest key first.
func sortKeys(keys []AccessKey) {
	slices.SortFunc(keys, func(a, b AccessKey) int {
		return cmp.Or(a.CreateDate.Compare(b.CreateDate.Time), cmp.Compare(a.AccessKeyID, b.AccessKeyID))
	})
}

// readUses returns these keys with when each was last used. AWS denies to tell
// that of a key that is gone, which is left out then, and of one that it does not
// know yet. The user may be there all the same.
func (c *Client) readUses(ctx context.Context, name string, keys []AccessKey) ([]AccessKey, error) {
	denials := make([]error, len(keys))
	uses, using := errgroup.WithContext(ctx)
	for i := range keys {
		uses.Go(func() error {
			err := c.readUse(using, &keys[i])
			if mayBeMissing(err) {
				denials[i], err = err, nil
			}
			return err
		})
	}
	if err := uses.Wait(); err != nil {
		return nil, err
	}
	return c.explainDenials(ctx, name, keys, denials)
}

func (c *Client) readUse(ctx context.Context, k *AccessKey) error {
	out, err := send(ctx, c.session, c.iam.GetAccessKeyLastUsedRequest, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String(k.AccessKeyID)})
	if use := out.AccessKeyLastUsed; err == nil && use != nil && use.LastUsedDate != nil {
		k.LastUsedDate = &common.Timestamp{Time: *use.LastUsedDate}
	}
	return err
}

// explainDenials returns the keys that are still there. AWS has denied to tell of
// some when they were last used. It is an error if one of these is not new.
func (c *Client) explainDenials(ctx context.Context, name string, keys []AccessKey, denials []error) ([]AccessKey, error) {
	if firstError(denials) == nil {
		return keys, nil
	}
	var now []AccessKey
	err := c.whileThere(ctx, name, func(ctx context.Context) (err error) {
		now, err = c.keys(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	there := []AccessKey{}
	for i, k := range keys {
		switch {
		case denials[i] != nil && indexOf(now, k.AccessKeyID) < 0:
			continue
		case denials[i] != nil && !c.isNew(name, k):
			return nil, denials[i]
		}
		there = append(there, k)
	}
	return there, nil
}

func firstError(errs []error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

// isNew tells whether parts of AWS may not know the key yet.
func (c *Client) isNew(user string, k AccessKey) bool {
	return c.made.isFresh(c.keyOf(user, k.AccessKeyID)) || c.clock.MayBeAfter(time.Now().Add(-unseen), lastMoment(k.CreateDate.Time))
}

// lastMoment returns the last moment that a date of IAM may mean. IAM tells whole
// seconds.
func lastMoment(date time.Time) time.Time { return date.Add(time.Second - time.Nanosecond) }

// Key returns an access key of the user. AWS may not show one yet that was made a
// moment ago, so Key waits for that.
func (c *Client) Key(ctx context.Context, user, id string) (*AccessKey, error) {
	waiting, cancel := calls.ReserveTime(ctx)
	defer cancel()
	unseen := c.made.isUnseen(c.keyOf(user, id))
	for wait := firstWait; ; wait = min(2*wait, maxWait) {
		var keys []AccessKey
		err := c.whileThere(ctx, user, func(ctx context.Context) (err error) {
			keys, err = c.listKeys(ctx, user)
			return err
		})
		if err != nil {
			return nil, err
		}
		if i := indexOf(keys, id); i >= 0 {
			return c.withUse(ctx, user, keys[i])
		}
		if !unseen {
			return nil, keyNotFound(user, id)
		}
		if !calls.Pause(waiting, wait) {
			return nil, notYet("access key "+id, nil)
		}
	}
}

// withUse returns the key with when it was last used.
func (c *Client) withUse(ctx context.Context, user string, k AccessKey) (*AccessKey, error) {
	there, err := c.readUses(ctx, user, []AccessKey{k})
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		return nil, keyNotFound(user, k.AccessKeyID)
	}
	return &there[0], nil
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
	} else if _, unknown := calls.OutcomeOf(err); unknown != nil {
		c.made.hide(c.keyOf(user, id))
	}
	return err
}

// settle makes a call about an access key, which can be repeated. If AWS did not
// say whether it did the work, settle looks at the key, which is nil if it is gone.
// That AWS does not know a key which it has never shown does not say so.
func (c *Client) settle(ctx context.Context, user, id string, call write, done func(*AccessKey) bool) error {
	limited, cancel := calls.ReserveTime(ctx)
	defer cancel()
	tries := new(calls.Attempts)
	unseen := c.made.isUnseen(c.keyOf(user, id))
	err := c.whileThere(limited, user, func(ctx context.Context) error { return call(ctx, tries) })
	for _, wait := range lookAfter[1:] {
		if !unseen || tries.Unsure || awsCode(err) != iam.ErrCodeNoSuchEntityException || !calls.Pause(limited, wait) {
			break
		}
		err = call(limited, tries)
	}
	switch {
	case err == nil:
		return nil
	case tries.Unsure && unseen:
	case tries.Unsure && calls.IsGone(err) && done(nil):
		return nil
	case awsCode(err) == iam.ErrCodeNoSuchEntityException && c.made.isFresh(c.keyOf(user, id)):
		return notYet("access key "+id, err)
	case awsCode(err) == iam.ErrCodeNoSuchEntityException: // and the user is there
		missing := common.WithOutcome(err, nil, nil)
		missing.Code = common.AccessKeyNotFound
		return missing
	case !tries.Unsure || calls.IsGone(err):
		return err
	}
	keys, readErr := c.listKeys(ctx, user)
	if readErr == nil {
		var now *AccessKey
		if i := indexOf(keys, id); i >= 0 {
			now = &keys[i]
		}
		if done(now) && (now != nil || !c.made.isUnseen(c.keyOf(user, id))) {
			return nil
		}
	}
	return withAdvice(common.WithOutcome(calls.UnknownReason(err, readErr), nil, keyPart))
}
