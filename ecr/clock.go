package ecr

import (
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws/request"
)

const (
	driftRate = 1000                   // in as many seconds our clock and AWS's may differ by one more second
	maxSkew   = 100 * time.Millisecond // AWS's machines may differ among themselves by as much
)

// A clock knows AWS's time from the Date header of AWS's answers. The header
// has whole seconds (RFC 9110, 6.6.1). So the first answer tells the time to
// the second, and each further one may tell it better.
type clock struct {
	base time.Time // when this clock began, by our clock

	mu     sync.Mutex
	atBase time.Time // AWS's time at base, at least; zero until AWS has told a time
	noted  time.Time // when atBase was learned
}

func newClock() *clock { return &clock{base: time.Now()} }

// note learns from the answer to one attempt of a call.
func (c *clock) note(r *request.Request) {
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

// earliest returns atBase, less what the two clocks may have drifted since.
func (c *clock) earliest(now time.Time) time.Time {
	return c.atBase.Add(-now.Sub(c.noted) / driftRate)
}

// mayBeAfter tells whether t, a time of AWS, may lie after start, a time of
// ours. It is false while AWS has told no time.
func (c *clock) mayBeAfter(start, t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atBase.IsZero() {
		return false
	}
	return !t.Before(c.earliest(time.Now()).Add(start.Sub(c.base) - maxSkew))
}
