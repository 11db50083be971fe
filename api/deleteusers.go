package api

import (
	"context"
	"errors"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/YaleSpinup/ecr-api/iam/users"
)

// deleteWithUsers deletes the repository's users, and then the repository. If a
// user cannot be deleted, the repository stays: its users can be deleted as long
// as it is there.
func (t target) deleteWithUsers(ctx context.Context) (present *ecr.Repository, err error) {
	client := t.users(toDeleteUsers, t.repositoryScope())
	var names []string
	err = both(ctx, func(ctx context.Context) (err error) {
		present, err = showRepository(ctx, t, nothing{})
		return err
	}, func(ctx context.Context) (err error) {
		names, err = client.Users(ctx)
		return usersNotKnown(err)
	})
	if err != nil {
		return nil, err
	}
	var done []string // parts
	if done, err = t.deleteUsers(ctx, client, names); err != nil {
		return nil, alsoDone(err, done)
	}
	if err := t.ECR().DeleteRepository(ctx, present); err != nil {
		return nil, alsoDone(err, done)
	}
	if err := t.deleteLateUsers(ctx, client, present); err != nil {
		return nil, alsoDone(err, append([]string{"Repository"}, done...))
	}
	return present, nil
}

// usersNotKnown returns the error for a repository that stays because its users
// could not be listed.
func usersNotKnown(err error) error {
	var e *common.Error
	if !errors.As(err, &e) {
		return err
	}
	said := *e
	said.Message = "The repository was not deleted, because its users are not known: " + e.Message
	if e.Code == common.DeniedByAWS {
		said.Message += " Where there are no users, leave users.boundary out of the service's configuration."
	}
	return &said
}

// deleteUsers deletes users, and returns the parts of the request that are done
// with that.
func (t target) deleteUsers(ctx context.Context, client *users.Client, names []string) (done []string, err error) {
	deleted, err := client.DeleteAll(ctx, names)
	t.record.deletedUsers = append(t.record.deletedUsers, deleted...)
	for _, name := range deleted {
		done = append(done, users.PartOf(name))
	}
	return done, err
}

// deleteLateUsers deletes the users that were created after the others were
// listed. If there is such a repository again, they may be of that one, and stay.
func (t target) deleteLateUsers(ctx context.Context, client *users.Client, deleted *ecr.Repository) error {
	names, err := client.Users(ctx)
	if err == nil && len(names) > 0 {
		var now *ecr.Repository
		now, err = t.ECR().Repository(ctx, t.repository())
		isAgain := err == nil && !now.CreatedAt.Equal(deleted.CreatedAt.Time)
		switch {
		case isAgain || common.CodeOf(err) == common.OtherOrg:
			return nil
		case err == nil || calls.IsGone(err):
			_, err = t.deleteUsers(ctx, client, names)
		}
	}
	if err == nil {
		return nil
	}
	applied, unknown := calls.OutcomeOf(err)
	e := common.WithOutcome(err, applied, unknown)
	e.Advice = "Create a repository of the same name and delete it: that deletes the users which are left."
	return e
}

// alsoDone returns the error with parts of the request that were done before.
func alsoDone(err error, done []string) error {
	if len(done) == 0 {
		return err
	}
	applied, unknown := calls.OutcomeOf(err)
	return common.WithOutcome(err, append(done, applied...), unknown)
}
