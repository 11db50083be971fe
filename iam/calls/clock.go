package calls

import (
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws/request"
)

const (
	driftRate = 1000                   // seconds in which our clock and AWS's may drift apart by one second
	maxSkew   = 100 * time.Millisecond // the clocks of AWS's machines may differ by this
)

// A Clock learns AWS's time from the Date header of AWS's answers. The header
// has whole seconds (RFC 9110, 6.6.1). So after the first answer the time is
// known to the second, and each further answer may make it more exact.
type Clock struct {
	base time.Time // when this clock began, by our clock

	mu     sync.Mutex
	atBase time.Time // AWS's time at base was this or later; zero before the first answer
	noted  time.Time // when atBase was learned
}

// NewClock returns a Clock that knows nothing yet.
func NewClock() *Clock { return &Clock{base: time.Now()} }

// Note learns from the answer to one attempt of a call.
func (c *Clock) Note(r *request.Request) {
	if r.HTTPResponse == nil {
		return
	}
	date, err := http.ParseTime(r.HTTPResponse.Header.Get("Date"))
	if err != nil {
		return
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if atBase := date.Add(-now.Sub(c.base)); atBase.After(c.earliest(now)) {
		c.atBase, c.noted = atBase, now
	}
}

// earliest returns atBase minus the time by which the two clocks may have
// drifted since.
func (c *Clock) earliest(now time.Time) time.Time {
	return c.atBase.Add(-now.Sub(c.noted) / driftRate)
}

// MayBeAfter tells whether t, by AWS's clock, may be later than start, by our
// clock. It is false before the first answer.
func (c *Clock) MayBeAfter(start, t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atBase.IsZero() {
		return false
	}
	return !t.Before(c.earliest(time.Now()).Add(start.Sub(c.base) - maxSkew))
}
