package roles

import (
	"context"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
	"golang.org/x/time/rate"
)

// The rates are AssumeRoles per second. STS takes 600 calls per second of all
// that the service's own account does in a region, whichever accounts the roles
// are in.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	fullRate    = 200
	leastRate   = 4               // while STS throttles; each lane has a place within maxWait then
	doubleAfter = 5 * time.Second // without a throttle
	maxWait     = 5 * time.Second // for a place in the pace
)

// A lane is a kind of AssumeRole. Those of a lane may use a part of the rate
// only, so that there is always room for the lanes before it.
type lane int

const (
	renewals     lane = iota // of credentials that are still good
	knownRoles               // the account is in the configuration, or its role was assumed before
	ownSessions              // the same, of Once: each request for one costs some calls
	unknownRoles             // anybody with a token may name any twelve digits
)

// A share is a lane's part of the rate, and for how many seconds of that it can
// save up.
type share struct {
	part, seconds float64
	within        lane // whose part this one is taken from
}

var lanes = [...]share{
	renewals:     {1, 0.1, renewals},
	knownRoles:   {0.75, 0.1, renewals},
	ownSessions:  {0.5, 0.1, knownRoles},
	unknownRoles: {0.1, 2.5, knownRoles},
}

func (s share) of(perSecond float64) (limit rate.Limit, burst int) {
	limit = rate.Limit(perSecond * s.part)
	return limit, max(1, int(float64(limit)*s.seconds))
}

// The errors of an AssumeRole that is not sent because of our own limit.
var (
	errSessionLimit = common.Errorf(common.Throttled, "This service limits how fast it starts sessions in AWS, so that AWS does not have to. The limit is reached. Try again later.")
	errAccountLimit = common.Errorf(common.Throttled, "This service limits how fast it tries AWS accounts that it has not used yet. The limit is reached. Try again later.")
)

func isLimit(err error) bool { return err == errSessionLimit || err == errAccountLimit }

// A pace limits how fast the process calls AssumeRole, over all accounts. If STS
// throttles, the rate is halved, once for all attempts that are under way: they
// were sent at the old rate. Each success adds one per second, and the rate
// doubles after some time without a throttle.
type pace struct {
	observer Observer

	mu        sync.Mutex
	rate      float64
	limiters  [len(lanes)]*rate.Limiter
	slowedAt  time.Time     // when the rate fell last
	calmSince time.Time     // when STS throttled last, or when the rate doubled after that
	slowed    chan struct{} // closed when the rate falls
}

func newPace(o Observer) *pace {
	p := &pace{observer: o, slowed: make(chan struct{})}
	p.setRate(fullRate)
	return p
}

// setRate starts all lanes anew, with what they can save up.
func (p *pace) setRate(perSecond float64) {
	p.rate = perSecond
	for i, l := range lanes {
		p.limiters[i] = rate.NewLimiter(l.of(perSecond))
	}
}

// raise lets all lanes go on with what they have saved up.
func (p *pace) raise(perSecond float64) {
	p.rate = min(perSecond, fullRate)
	for i, l := range lanes {
		limit, burst := l.of(p.rate)
		p.limiters[i].SetLimit(limit)
		p.limiters[i].SetBurst(burst)
	}
}

// learn is a handler of the SDK. It changes the rate after an attempt. A 502 or
// 503 is no throttle.
func (p *pace) learn(r *request.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.Error == nil && p.rate < fullRate:
		p.raise(p.rate + 1)
	case request.IsErrorThrottle(r.Error):
		p.calmSince = time.Now()
		if r.LastSignedAt.After(p.slowedAt) {
			p.slow()
		}
	}
}

// slow halves the rate. What was saved up is lost, and all who wait get new and
// later places.
func (p *pace) slow() {
	p.slowedAt, p.calmSince = time.Now(), time.Now()
	if p.rate == leastRate {
		return
	}
	p.setRate(max(p.rate/2, leastRate))
	for _, l := range p.limiters {
		l.AllowN(time.Now(), l.Burst())
	}
	close(p.slowed)
	p.slowed = make(chan struct{})
}

// reserve returns a place in a lane, and a channel that is closed if the place
// is no longer good.
func (p *pace) reserve(l lane) (place *rate.Reservation, slowed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.rate < fullRate && time.Since(p.calmSince) > doubleAfter {
		p.raise(2 * p.rate)
		p.calmSince = p.calmSince.Add(doubleAfter)
	}
	return p.limiters[l].Reserve(), p.slowed
}

// wait returns when an attempt of the lane may be sent. It returns an error at
// once if that is too late, and when the caller hangs up.
func (p *pace) wait(ctx context.Context, l lane) error {
	until := time.Now().Add(maxWait)
	for _, c := range []context.Context{ctx, callerOf(ctx)} {
		if end, ok := c.Deadline(); ok && end.Add(-minAttemptTime).Before(until) {
			until = end.Add(-minAttemptTime)
		}
	}
	for { // the narrowest lane first
		if err := p.waitIn(ctx, l, until); err != nil || l == renewals {
			return err
		}
		l = lanes[l].within
	}
}

func (p *pace) waitIn(ctx context.Context, l lane, until time.Time) error {
	for {
		place, slowed := p.reserve(l)
		delay := place.Delay()
		if delay == 0 {
			return nil
		}
		if time.Until(until) < delay {
			place.Cancel()
			return p.limitReached(l)
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
			return nil
		case <-slowed:
			timer.Stop()
		case <-ctx.Done():
			place.Cancel()
			return ctx.Err()
		case <-callerOf(ctx).Done():
			place.Cancel()
			return callerOf(ctx).Err()
		}
	}
}

func (p *pace) limitReached(l lane) error {
	if l == unknownRoles {
		p.observer.LimitReached(NewAccounts)
		return errAccountLimit
	}
	p.observer.LimitReached(NewSessions)
	return errSessionLimit
}
