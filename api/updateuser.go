package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/iam/users"
)

// An updateUserInput is the body of an update of a user. What is absent stays as
// it is.
type updateUserInput struct {
	Access   *string
	Tags     tagInputs
	ResetKey boolFlag `json:"resetkey"` // make an access key, and delete the others
}

func (in updateUserInput) check() error {
	return firstError(
		checkOneOf("Access", in.Access, pull, push),
		userTags.check(in.Tags),
	)
}

func updateUser(ctx context.Context, t target, in updateUserInput) (*users.UpdatedUser, error) {
	update := users.Update{Access: in.Access, Tags: userTags.own(in.Tags), ResetKey: in.ResetKey.value != nil && *in.ResetKey.value}
	return t.changeUser(ctx, update, t.users(toChangeUser, t.userScope(t.User)))
}
