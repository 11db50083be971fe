package iam

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/request"
)

const (
	maxRetries     = 3                      // of one call
	callsPerRetry  = 6                      // calls that earn their account one retry
	retriesInStock = 10                     // at most, and from the start
	leastTime      = 500 * time.Millisecond // an attempt with less before the deadline would only be cut off
)

// backoff is the SDK's own: which errors are worth a retry, and how long to wait,
// at random and twice as long each time.
var backoff = client.DefaultRetryer{NumMaxRetries: maxRetries}

// A budget bounds the retries of one account's calls, so that a storm in AWS
// does not grow by ours: where everything fails, a sixth of the calls is retried
// once. Each account has its own, so that one in trouble takes none from others.
type budget struct {
	observer Observer

	mu    sync.Mutex
	stock int // in shares, of which callsPerRetry make a retry
}

func newBudget(o Observer) *budget {
	return &budget{observer: o, stock: retriesInStock * callsPerRetry}
}

// earn puts in the share of one call.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stock = min(b.stock+1, retriesInStock*callsPerRetry)
}

// spend takes one retry out, and returns false where there is none left.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stock < callsPerRetry {
		return false
	}
	b.stock -= callsPerRetry
	return true
}

// retrying makes a call one that is retried within the budget.
func (b *budget) retrying(r *request.Request) { b.retryingIn(r, nil) }

// retryingIn is retrying for a call in a session, of which expire is told when
// AWS calls it expired.
func (b *budget) retryingIn(r *request.Request, expire func(accessKey string)) {
	b.earn()
	r.Retryer = &retryer{budget: b, expire: expire}
}

// A retryer decides on the retries of one call.
type retryer struct {
	budget  *budget
	expire  func(accessKey string) // nil: the SDK sees to it
	expired bool                   // the call was repeated because its session had expired
	delay   time.Duration
	answers []string // AWS's ids of the attempts that it answered
}

// MaxRetries returns how often a call may be repeated.
func (r *retryer) MaxRetries() int { return maxRetries }

// RetryRules returns how long to wait before the retry that ShouldRetry allowed.
func (r *retryer) RetryRules(*request.Request) time.Duration { return r.delay }

// ShouldRetry tells whether to repeat a call that failed: never beyond its
// deadline, and within the budget. A call under a session that AWS calls expired
// is repeated once for that, with a new session: a second such answer is no matter
// of time.
func (r *retryer) ShouldRetry(req *request.Request) bool {
	switch {
	case req.RetryCount >= maxRetries:
		return false
	case req.IsErrorExpired():
		if r.expired {
			return false
		}
		r.expired, r.delay = true, 0
	case !backoff.ShouldRetry(req):
		return false
	default:
		r.delay = backoff.RetryRules(req)
	}
	deadline, ok := req.Context().Deadline()
	if ok && time.Until(deadline) < r.delay+leastTime {
		return false
	}
	if !r.budget.spend() {
		r.budget.observer.OutOfRetries()
		return false
	}
	if req.IsErrorExpired() && r.expire != nil {
		// The SDK would wait for the lock of the credentials, which who renews them
		// holds, and for no deadline. An error that it does not know keeps it from that.
		req.Error = fmt.Errorf("to be repeated in a new session: %w", req.Error)
		r.expire(accessKeyOf(req))
	}
	return true
}

// accessKeyOf returns the access key that a request was signed with.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
func accessKeyOf(req *request.Request) string {
	_, rest, _ := strings.Cut(req.HTTPRequest.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, "/")
	return key
}
