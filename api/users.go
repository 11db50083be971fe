package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/users"
)

// resourceTag is the tag of a user that has the full name of its repository. The
// boundary of users confines each to that.
const resourceTag = "ResourceName"

// maxUserName is how many characters a user's name in IAM may have.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const maxUserName = 64

// checkUserName refuses a user whose name in IAM would be too long. The path of a
// row without users has none.
func checkUserName(p pathValues) error {
	name := iam.Scope{Group: p.Group, Name: p.Name}.UserPrefix() + p.User
	if p.User != "" && len(name) > maxUserName {
		return common.Errorf(common.BadRequest, "The user's name in IAM would have %d characters, and may have %d: "+
			"group, name of the repository and name of the user, with a - between them.", len(name), maxUserName)
	}
	return nil
}

// listUsers lists the repository's users by their short names.
func listUsers(ctx context.Context, t target, _ nothing) (names []string, err error) {
	err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
		names, err = t.users(toListUsers, t.accountScope()).Users(ctx)
		return err
	})
	return names, err
}

func showUser(ctx context.Context, t target, _ nothing) (user *users.User, err error) {
	err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
		user, err = t.users(toReadUsers, t.repositoryScope()).User(ctx, t.User)
		return err
	})
	return user, err
}

// A createUserInput is the body of a create of a user.
type createUserInput struct {
	UserName string
	Access   *string
	Tags     tagInputs
}

func (in createUserInput) name(p *pathValues) { p.User = in.UserName }

func (in createUserInput) check() error {
	if in.UserName == "" {
		return common.Errorf(common.BadRequest, "UserName is needed.")
	}
	return firstError(
		checkName("UserName", in.UserName),
		checkOneOf("Access", in.Access, pull, push),
		userTags.check(in.Tags),
	)
}

// createUser checks whose the repository is before it creates a user, and again
// when the user is there.
func createUser(ctx context.Context, t target, in createUserInput) (*users.User, error) {
	access, tags := push, userTags.own(in.Tags)
	if in.Access != nil {
		access = *in.Access
	}
	t.record.access.asked = access
	if n := len(tags) + len(userTags.reserved); n > maxTags {
		return nil, tooManyTags("user", n)
	}
	if err := t.readOwner(ctx); err != nil {
		return nil, err
	}
	return t.users(toCreateUser, t.userScope(t.User)).Create(ctx, t.User, access, tags, t.readOwner)
}

func deleteUser(ctx context.Context, t target, _ nothing) (*users.User, error) {
	return t.users(toDeleteUser, t.userScope(t.User)).Delete(ctx, t.User, t.whileOwned)
}

// userScope is the scope of sessions that are for one user of the repository.
func (t target) userScope(user string) iam.Scope {
	scope := t.repositoryScope()
	scope.User = user
	return scope
}

// users returns the client of IAM for users of the repository, in the session of
// that name in the row's Further.
func (t target) users(further string, scope iam.Scope) *users.Client {
	client := t.connector.users.Client(t.placeOfUsers(), t.further(further, scope).Apply, t.further(toListUsers, t.accountScope()).Apply)
	client.KeyDeleted = t.record.noteDeletedKey
	return client
}

// accountScope is the scope of sessions that are for the whole account.
func (t target) accountScope() iam.Scope {
	scope := t.scope
	scope.Group = ""
	return scope
}

// placeOfUsers says where the users of the repository are in IAM.
func (t target) placeOfUsers() users.Place {
	scope := t.repositoryScope()
	return users.Place{
		ARNs:        scope.UserARNs(),
		Path:        scope.UserPath(),
		Prefix:      scope.UserPrefix(),
		Boundary:    scope.Boundary,
		FormerGroup: scope.FormerGroup,
		Policies: map[string]string{
			pull: accessPolicies[pull](scope).String(),
			push: accessPolicies[push](scope).String(),
		},
		Tags: []common.Tag{
			{Key: common.OrgTag, Value: t.Org},
			{Key: spaceTag, Value: t.Group},
			{Key: resourceTag, Value: t.repository()},
		},
	}
}
