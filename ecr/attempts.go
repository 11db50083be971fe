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

// denialDelay is how long the client waits before it repeats a change that AWS
// denies although the repository's tags allow it. AWS's authorization may not
// know yet about tags that were written a moment ago.
const denialDelay = 500 * time.Millisecond

// attempts holds how the attempts of one change ended.
type attempts struct {
	unsure bool      // one of them may have done the work, and AWS did not say so
	start  time.Time // of the first such attempt, by our clock

	failure error // of the last attempt, before it is translated
}

// watch is an option for a request. It notes how the request's attempts end.
// Two such requests must not run at the same time.
func (a *attempts) watch(r *request.Request) {
	r.Handlers.CompleteAttempt.PushBack(func(r *request.Request) {
		a.failure = r.Error
		if !a.unsure && isUnsure(r) {
			a.unsure, a.start = true, r.AttemptTime
		}
	})
}

// repeatIfSame is an option for the request of a deletion. An attempt may have
// done the work without saying so, and somebody may have made something else of
// the same name. So before the next attempt it checks whether what is to be
// deleted is still there and still the same. If it is gone, the call ends with the
// error of the check. If the check cannot find out, there is no further attempt,
// and the error is that of the last attempt.
func (a *attempts) repeatIfSame(check func(context.Context) error) request.Option {
	return func(r *request.Request) {
		r.Handlers.AfterRetry.PushBack(func(r *request.Request) {
			if r.Error != nil || !a.unsure { // there is no further attempt, or it does no harm
				return
			}
			switch err := check(r.Context()); {
			case err == nil:
			case isGone(err):
				r.Error = err
			default:
				r.Error = a.failure
			}
		})
	}
}

// isGone tells whether the error says that something is not there.
func isGone(err error) bool {
	code := common.CodeOf(err)
	return code == common.RepositoryNotFound || code == common.ImageNotFound || code == common.LifecycleNotFound
}

// isUnsure tells whether the attempt may have done the work without saying so.
// That is so if there was no answer, if the answer was broken, or if AWS itself
// failed.
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

// unknownReason returns the error to answer if it is not known what a change
// did. That is the failure of the change. There is one exception: if AWS
// refused the last attempt, an earlier attempt may be the reason for the
// refusal. Then the answer is readErr, the error of the read that should have
// found out.
func unknownReason(failure, readErr error) error {
	switch common.CodeOf(failure) {
	case common.DeniedByAWS, common.OtherOrg, common.RepositoryExists, common.RepositoryNotEmpty, common.QuotaReached:
		if readErr != nil && !isGone(readErr) {
			return readErr
		}
	}
	return failure
}

// outcomeOf returns which parts of a failed change are applied, and which are
// unknown.
func outcomeOf(err error) (applied, unknown []string) {
	var e *common.Error
	if !errors.As(err, &e) {
		return nil, nil
	}
	return e.Applied, e.Unknown
}

// reserveTime returns a context that ends early. It keeps a fifth of the
// remaining time for a read of what the change has done.
func reserveTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return reservePart(ctx, 5)
}

// reservePart is reserveTime for another part than the fifth.
func reservePart(ctx context.Context, part time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/part))
}

// pause waits, and returns false if the context has ended before.
func pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// retryIfDenied makes a change of a repository that was just read. If AWS
// denies the change, that contradicts the tags that were read. Either what is to
// be changed is gone, and then the error says so. Or AWS's authorization does not
// know the tags yet, and then the change is tried once more. The check tells
// whether what is to be changed is still the same.
func retryIfDenied(ctx context.Context, check func(context.Context) error, change func() error) error {
	err := change()
	if !isDenied(err) {
		return err
	}
	if !pause(ctx, denialDelay) {
		return err
	}
	switch checkErr := check(ctx); {
	case checkErr == nil:
		return change()
	case isGone(checkErr):
		return checkErr
	default: // nobody knows whether it is still the same
		return err
	}
}

// checkSame returns a RepositoryNotFound if the repository is gone, even if somebody has
// made another one of the same name since.
func (c *Client) checkSame(ctx context.Context, present *Repository) error {
	now, err := c.describe(ctx, present.RepositoryName)
	if err == nil && !present.CreatedAt.IsZero() && !aws.TimeValue(now.CreatedAt).Equal(present.CreatedAt.Time) {
		return common.Errorf(common.RepositoryNotFound, "The repository %s was deleted meanwhile, and another was made in its place.", present.RepositoryName)
	}
	return err
}
