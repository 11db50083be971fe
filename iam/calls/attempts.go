// Package calls has what changes in AWS need of any service: which attempts may
// have done the work without saying so, AWS's time, and turns.
package calls

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
)

// Attempts holds how the attempts of one change ended.
type Attempts struct {
	Unsure bool      // one of them may have done the work, and AWS did not say so
	Start  time.Time // of the first such attempt, by our clock
	End    time.Time // of the last such attempt, by our clock

	Failure error // of the last attempt, before it is translated
}

// Watch is an option for a request. It notes how the request's attempts end.
// Two such requests must not run at the same time.
func (a *Attempts) Watch(r *request.Request) {
	r.Handlers.CompleteAttempt.PushBack(func(r *request.Request) {
		a.Failure = r.Error
		if !isUnsure(r) {
			return
		}
		if a.End = time.Now(); !a.Unsure {
			a.Unsure, a.Start = true, r.AttemptTime
		}
	})
}

// WatchOnce is Watch for a request that must not do its work twice. After an
// attempt that may have done it there is no further attempt.
func (a *Attempts) WatchOnce(r *request.Request) {
	a.Watch(r)
	r.Handlers.Retry.PushBack(func(r *request.Request) {
		if a.Unsure {
			r.Retryable = aws.Bool(false)
		}
	})
}

// RepeatIfSame is an option for the request of a deletion. An attempt may have
// done the work without saying so, and somebody may have made something else of
// the same name. So before the next attempt it checks whether what is to be
// deleted is still there and still the same. If it is gone, the call ends with the
// error of the check. If the check cannot find out, there is no further attempt,
// and the error is that of the last attempt.
func (a *Attempts) RepeatIfSame(check func(context.Context) error) request.Option {
	return func(r *request.Request) {
		r.Handlers.AfterRetry.PushBack(func(r *request.Request) {
			if r.Error != nil || !a.Unsure { // there is no further attempt, or it does no harm
				return
			}
			switch err := check(r.Context()); {
			case err == nil:
			case IsGone(err):
				r.Error = err
			default:
				r.Error = a.Failure
			}
		})
	}
}

// IsGone tells whether the error says that something is not there.
func IsGone(err error) bool {
	switch common.CodeOf(err) {
	case common.RepositoryNotFound, common.ImageNotFound, common.LifecycleNotFound, common.UserNotFound, common.AccessKeyNotFound:
		return true
	}
	return false
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

// UnknownReason returns the error to answer if it is not known what a change
// did. That is the failure of the change. There is one exception: if AWS
// refused the last attempt, an earlier attempt may be the reason for the
// refusal. Then the answer is readErr, the error of the read that should have
// found out.
func UnknownReason(failure, readErr error) error {
	switch common.CodeOf(failure) {
	case common.DeniedByAWS, common.OtherOrg, common.RepositoryExists, common.RepositoryNotEmpty, common.QuotaReached,
		common.UserExists, common.UserNotFound, common.UserConflict:
		if readErr != nil && !IsGone(readErr) {
			return readErr
		}
	}
	return failure
}

// OutcomeOf returns which parts of a failed change are applied, and which are
// unknown.
func OutcomeOf(err error) (applied, unknown []string) {
	var e *common.Error
	if !errors.As(err, &e) {
		return nil, nil
	}
	return e.Applied, e.Unknown
}

// ReserveTime returns a context that ends early. It keeps a fifth of the
// remaining time for a read of what the change has done.
func ReserveTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return ReservePart(ctx, 5)
}

// ReservePart is ReserveTime for another part than the fifth.
func ReservePart(ctx context.Context, part time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/part))
}

// Pause waits, and returns false if the context has ended before.
func Pause(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
