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

// settleTime is how long the client waits before it repeats a change that AWS
// denies although the tags allow it: AWS's authorization may not know yet what
// was written a moment ago.
const settleTime = 500 * time.Millisecond

// attempts tells how the attempts of one change ended.
type attempts struct {
	unsure bool      // AWS did not tell whether one of them did the work
	start  time.Time // of the first such attempt, by our clock

	failure error // of the last attempt, as the SDK tells it
}

// watch is an option for a request: its attempts are noted. Two such requests
// must not run at the same time.
func (a *attempts) watch(r *request.Request) {
	r.Handlers.CompleteAttempt.PushBack(func(r *request.Request) {
		a.failure = r.Error
		if !a.unsure && isUnsure(r) {
			a.unsure, a.start = true, r.AttemptTime
		}
	})
}

// isUnsure tells whether AWS did not say what an attempt did: there was no
// answer, or a broken one, or one that says that AWS itself failed.
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

// unknownReason returns the error to answer where it is not known what a change
// did. It is the change's own failure, unless AWS refused the last attempt: an
// attempt before may be the reason for that, and then the look that failed is
// what keeps us from knowing.
func unknownReason(failure, look error) error {
	code := common.CodeOf(failure)
	if look != nil && (code == common.Forbidden || code == common.Conflict) && common.CodeOf(look) != common.NotFound {
		return look
	}
	return failure
}

// reserveTime returns a context that ends early. A fifth of the time is kept
// for a look at what a change has done.
func reserveTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/5))
}

// repeatDenied makes a change of a repository that was just read. If AWS denies
// it, the denial contradicts what was read. Either the repository is gone, and
// that is then the error. Or AWS's authorization does not know its tags yet, so
// the change is tried once more.
func (c *Client) repeatDenied(ctx context.Context, present *Repository, change func() error) error {
	err := change()
	if !isDenied(err) {
		return err
	}
	select {
	case <-ctx.Done():
		return err
	case <-time.After(settleTime):
	}
	switch look := c.checkSame(ctx, present); common.CodeOf(look) {
	case "":
		return change()
	case common.NotFound:
		return look
	default: // nobody knows whether it is still the same repository
		return err
	}
}

// checkSame returns a NotFound if the repository is gone, even if another of
// its name was made since.
func (c *Client) checkSame(ctx context.Context, present *Repository) error {
	now, err := c.describe(ctx, present.RepositoryName)
	if err == nil && !present.created.IsZero() && !aws.TimeValue(now.CreatedAt).Equal(present.created) {
		return common.Errorf(common.NotFound, "The repository %s was deleted meanwhile, and another was made in its place.", present.RepositoryName)
	}
	return err
}
