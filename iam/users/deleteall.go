package users

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"golang.org/x/sync/errgroup"
)

// DeleteAll deletes users, some at the same time, and returns which it has deleted.
// A user whom somebody else has deleted meanwhile is not among them, and no error.
// If one cannot be deleted, it begins with no other. Whose the repository is must
// be checked already.
func (c *Client) DeleteAll(ctx context.Context, names []string) (deleted []string, err error) {
	readAtOnce := func(ctx context.Context, read func(context.Context) error) error { return read(ctx) }
	errs, done := make([]error, len(names)), make([]bool, len(names))
	var failed atomic.Bool
	end := lastStart(ctx)
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i, name := range names {
		all.Go(func() error {
			if failed.Load() {
				return nil
			}
			if time.Now().After(end) {
				failed.Store(true)
				errs[i] = common.Errorf(common.Timeout, "there was no time left for it")
				return nil
			}
			_, err := c.Delete(ctx, name, readAtOnce)
			done[i] = err == nil
			if err != nil && !calls.IsGone(err) {
				errs[i] = err
				failed.Store(true)
			}
			return nil
		})
	}
	_ = all.Wait() // each keeps its own error
	for i, name := range names {
		if done[i] {
			deleted = append(deleted, name)
		}
	}
	return deleted, firstOf(names, errs)
}

// lastStart returns until when the deletion of a user may begin. A user that is
// begun late would be left half-deleted.
func lastStart(ctx context.Context) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(time.Hour)
	}
	return deadline.Add(-time.Until(deadline) / 5)
}

// firstOf returns the first error, which tells of the users that have errors what
// is done.
func firstOf(names []string, errs []error) error {
	var first *common.Error
	var applied, unknown []string
	for i, err := range errs {
		if err == nil {
			continue
		}
		a, u := calls.OutcomeOf(err)
		applied, unknown = append(applied, partsOf(names[i], a)...), append(unknown, partsOf(names[i], u)...)
		if first == nil {
			first = common.WithOutcome(err, nil, nil)
			first.Message = "The user " + names[i] + " could not be deleted: " + first.Message
			first.Advice = "Send the same request again: it deletes the rest."
		}
	}
	if first == nil {
		return nil
	}
	first.Applied, first.Unknown = applied, unknown
	return first
}

// partsOf returns the names of parts of one of several users.
func partsOf(user string, parts []string) (named []string) {
	for _, part := range parts {
		if part == userPart {
			named = append(named, PartOf(user))
			continue
		}
		named = append(named, part+" of "+user)
	}
	return named
}

// PartOf returns the name of a user as a part of a change of several.
func PartOf(user string) string { return userPart + " " + user }
