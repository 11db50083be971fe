package ecr

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
)

// settle is how long AWS is given where it denies what the tags allow: what was
// written a moment ago may not have reached its authorization yet.
const settle = 500 * time.Millisecond

// attempts is what became of the attempts of one change.
type attempts struct {
	unsure bool      // one of them failed without telling whether AWS did the work
	start  time.Time // of the first such, by our clock

	failure error // of the last, the SDK's
}

// watch makes a request one whose attempts are noted. Two such requests must not
// run at the same time.
func (a *attempts) watch(r *request.Request) {
	r.Handlers.CompleteAttempt.PushBack(func(r *request.Request) {
		a.failure = r.Error
		if !a.unsure && isUnsure(r) {
			a.unsure, a.start = true, r.AttemptTime
		}
	})
}

// isUnsure tells whether an attempt ended without AWS having told what it did:
// there was no answer, a broken one, or one that says that AWS itself failed.
func isUnsure(r *request.Request) bool {
	if r.Error == nil || request.IsErrorThrottle(r.Error) {
		return false
	}
	var dial *net.OpError
	if errors.As(common.Origin(r.Error), &dial) && dial.Op == "dial" {
		return false // nothing was sent
	}
	status := 0
	if r.HTTPResponse != nil {
		status = r.HTTPResponse.StatusCode
	}
	return status < 400 || status >= 500
}

// reason returns why it is not known what became of a change that failed: where
// its last attempt was refused, an attempt before may be why, and the look that
// could not tell is what failed.
func reason(failure, look error) error {
	code := common.CodeOf(failure)
	if look != nil && (code == common.Forbidden || code == common.Conflict) && common.CodeOf(look) != common.NotFound {
		return look
	}
	return failure
}

// leaveTime returns a context that keeps a fifth of the time there is for finding
// out what became of a change.
func leaveTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/5))
}

// insist makes a change of a repository that was just read. Where AWS denies it,
// that contradicts what was read: the repository has gone meanwhile, which is
// then the error, or its tags have not reached AWS's authorization yet, so the
// change is tried once more.
func (c *Client) insist(ctx context.Context, present *Repository, change func() error) error {
	err := change()
	if !deniedByECR(err) {
		return err
	}
	select {
	case <-ctx.Done():
		return err
	case <-time.After(settle):
	}
	switch look := c.stillThere(ctx, present); common.CodeOf(look) {
	case "":
		return change()
	case common.NotFound:
		return look
	default: // it is not known to be the same repository still
		return err
	}
}

// stillThere returns a NotFound where the repository is gone, also where another
// of its name was made since.
func (c *Client) stillThere(ctx context.Context, present *Repository) error {
	now, err := c.describe(ctx, present.RepositoryName)
	if err == nil && !present.created.IsZero() && !aws.TimeValue(now.CreatedAt).Equal(present.created) {
		return common.Errorf(common.NotFound, "The repository %s was deleted meanwhile, and another made in its place.", present.RepositoryName)
	}
	return err
}
