package roles

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/request"
)

const (
	maxRetries      = 3                      // of one call
	callsPerRetry   = 6                      // six calls earn one retry
	maxSavedRetries = 10                     // a budget starts with this many and can save at most this many
	minAttemptTime  = 500 * time.Millisecond // a shorter attempt would only be cut off by the deadline
)

// backoff is the SDK's own rule: which errors are worth a retry, and how long
// to wait. The waits are random and double each time.
var backoff = client.DefaultRetryer{NumMaxRetries: maxRetries}

// A budget limits the retries of calls, so that they do not make trouble in AWS
// worse. If every call fails, only one in six is retried. Each account has its
// own budget for ECR, so that an account in trouble takes no retries from the
// others. STS has one budget for all accounts, because its limits are those of
// our own account.
type budget struct {
	observer Observer

	mu     sync.Mutex
	credit int // how many calls have been saved up; a retry costs callsPerRetry
}

func newBudget(o Observer) *budget {
	return &budget{observer: o, credit: maxSavedRetries * callsPerRetry}
}

// earn adds one call to the credit.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.credit = min(b.credit+1, maxSavedRetries*callsPerRetry)
}

// spend pays for one retry. It returns false if the credit is too small.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.credit < callsPerRetry {
		return false
	}
	b.credit -= callsPerRetry
	return true
}

// applyTo is an option for a request. It puts the request's retries under the
// budget.
func (b *budget) applyTo(r *request.Request) { b.apply(r, &retryer{in: ownIdentity}) }

// apply lets the retryer decide on the retries of a request, under the budget.
func (b *budget) apply(r *request.Request, tries *retryer) {
	b.earn()
	tries.budget = b
	r.Retryer = tries
}

// A signedIn says whose credentials a call has. It decides what to do if AWS says
// that they have expired, or that it does not know them.
type signedIn int

const (
	ownIdentity    signedIn = iota // the service's own: the SDK renews expired ones, and unknown ones stay so
	renewedSession                 // the call is repeated in a new session
	onlySession                    // there is no other session for the call
)

// ErrLost is the cause of an error of a call in a session of Once if AWS says
// that the session has expired, or that it does not know it.
var ErrLost = errors.New("the session is lost, and it was the only one for this call")

// A retryer decides on the retries of one call.
type retryer struct {
	budget  *budget
	in      signedIn
	expire  func(accessKey string) // of a renewedSession
	lost    bool                   // AWS has said of a session of this call that it is lost
	delay   time.Duration
	answers []string // AWS's ids of the attempts that it answered
}

// MaxRetries returns how often a call may be repeated.
func (r *retryer) MaxRetries() int { return maxRetries }

// RetryRules returns how long to wait before the retry that ShouldRetry
// allowed.
func (r *retryer) RetryRules(*request.Request) time.Duration { return r.delay }

// ShouldRetry tells whether to repeat a call that failed. It never allows a
// retry beyond the call's deadline or beyond the budget. A call whose session is
// lost is repeated without regard to the budget: that is no trouble in AWS.
func (r *retryer) ShouldRetry(req *request.Request) bool {
	lost := r.lostSession(req)
	if lost && !r.drop(req) {
		return false
	}
	delay, worth := r.worthRetry(req, lost)
	if !worth {
		return false
	}
	r.delay = delay
	deadline, ok := req.Context().Deadline()
	if ok && time.Until(deadline) < r.delay+minAttemptTime {
		return false
	}
	if lost && r.in == renewedSession {
		// For its own error the SDK would now wait for the lock of the
		// credentials, without a deadline. It does not do that for an error
		// that it does not know.
		req.Error = fmt.Errorf("to be repeated in a new session: %w", req.Error)
		return true
	}
	if !r.budget.spend() {
		r.budget.observer.LimitReached(Retries)
		return false
	}
	return true
}

// unknownSession has the error codes with which AWS says that it does not know a
// session, such as one of a role that was deleted and made anew.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
var unknownSession = map[string]bool{
	"InvalidClientTokenId":        true,
	"UnrecognizedClientException": true,
}

// lostSession tells whether AWS says that the session of the call has expired,
// or that it does not know the session. AWS has done nothing then.
func (r *retryer) lostSession(req *request.Request) bool {
	if req.IsErrorExpired() {
		return true
	}
	var fault awserr.Error
	return r.in != ownIdentity && errors.As(req.Error, &fault) && unknownSession[fault.Code()]
}

// drop makes the next call have a new session, also if this call is not
// repeated. It returns false if the call had a new session already, because
// another one does not help then.
func (r *retryer) drop(req *request.Request) bool {
	if r.in == onlySession {
		req.Error = fmt.Errorf("%w: %w", ErrLost, req.Error)
		return false
	}
	if r.lost {
		req.Error = fmt.Errorf("the call was repeated in a new session, which is lost too: %w", req.Error)
		return false
	}
	r.lost = true
	if r.in == renewedSession {
		r.expire(accessKeyOf(req))
	}
	return true
}

// worthRetry tells whether a retry after the delay may succeed.
func (r *retryer) worthRetry(req *request.Request, lost bool) (delay time.Duration, worth bool) {
	switch {
	case req.RetryCount >= maxRetries:
		return 0, false
	case lost:
		return 0, true
	case !backoff.ShouldRetry(req):
		return 0, false
	}
	return backoff.RetryRules(req), true
}

// accessKeyOf returns the access key that a request was signed with.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func accessKeyOf(req *request.Request) string {
	_, rest, _ := strings.Cut(req.HTTPRequest.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	return key
}
