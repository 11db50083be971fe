package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/users"
)

// createAccessKey makes an access key beside the one that the user may have.
func createAccessKey(ctx context.Context, t target, _ nothing) (*users.NewAccessKey, error) {
	updated, err := t.changeUser(ctx, users.Update{MakeKey: true}, t.users(toMakeKeys, t.userScope(t.User)))
	if err != nil {
		return nil, err
	}
	return updated.AccessKey, nil
}

// changeUser makes the change. The user is read in the session of by, which most
// requests need in any case. Those of the other changes are begun by their first
// call.
func (t target) changeUser(ctx context.Context, u users.Update, by *users.Client) (*users.UpdatedUser, error) {
	scope := t.userScope(t.User)
	if u.Access != nil {
		t.record.access.asked = *u.Access
	}
	u.Default, u.Keys, u.Gone = push, t.users(toMakeKeys, scope), t.callerGone
	updated, err := t.users(toChangeUser, scope).Update(ctx, t.User, u, func(ctx context.Context) (user *users.User, err error) {
		err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
			user, err = by.User(ctx, t.User)
			return err
		})
		if err != nil {
			return nil, err
		}
		return user, checkTagCount("user", users.MergeTags(user.Tags, u.Tags))
	})
	if err == nil {
		t.record.noteUpdate(updated)
	}
	return updated, err
}

// A switchKeyInput is the body of an UpdateAccessKey.
type switchKeyInput struct {
	Status *string
}

func (in switchKeyInput) check() error {
	if in.Status == nil {
		return common.Errorf(common.BadRequest, "Status is needed: Active or Inactive.")
	}
	return checkOneOf("Status", in.Status, "Active", "Inactive")
}

func updateAccessKey(ctx context.Context, t target, in switchKeyInput) (*users.AccessKey, error) {
	by := t.users(toSwitchKeys, t.userScope(t.User))
	return by.SwitchKey(ctx, t.User, t.AccessKey, *in.Status, t.readKey(by))
}

func deleteAccessKey(ctx context.Context, t target, _ nothing) (*users.AccessKey, error) {
	by := t.users(toDeleteKeys, t.userScope(t.User))
	return by.DeleteKey(ctx, t.User, t.AccessKey, t.readKey(by))
}

// readKey returns a function that reads the key of the path, and checks at the same
// time whose the repository is.
func (t target) readKey(by *users.Client) func(context.Context) (*users.AccessKey, error) {
	return func(ctx context.Context) (key *users.AccessKey, err error) {
		err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
			key, err = by.Key(ctx, t.User, t.AccessKey)
			return err
		})
		return key, err
	}
}

// noteUpdate keeps for the log line which access keys the request has made and
// deleted, and which access a user got who has become the service's.
func (rec *record) noteUpdate(updated *users.UpdatedUser) {
	if updated.TakenOver {
		rec.takenOver, rec.access.asked = true, *updated.Access
	}
	if updated.AccessKey != nil {
		rec.madeKey = updated.AccessKey.AccessKeyID
	}
	if updated.KeyLeft != nil {
		rec.left = common.WithOutcome(updated.KeyLeft, []string{"AccessKey"}, nil)
	}
}
