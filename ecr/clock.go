package ecr

import (
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go/aws/request"
)

const (
	drift = 1000                   // seconds in which our clock and AWS's may come a second apart
	skew  = 100 * time.Millisecond // by which AWS's machines may differ among themselves
)

// clock knows AWS's clock from the Date of its answers. These leave out the
// fraction of a second (RFC 9110, 6.6.1), so the first tells the time to the
// second, and each further one may tell it better.
type clock struct {
	base time.Time // when it began, by our clock

	mu     sync.Mutex
	atBase time.Time // AWS's time at the base, at least; zero while it has told none
	noted  time.Time // when that was learned
}

func newClock() *clock { return &clock{base: time.Now()} }

// note learns from an attempt of a call.
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

// earliest is atBase as far as it can still be relied on.
func (c *clock) earliest(now time.Time) time.Time {
	return c.atBase.Add(-now.Sub(c.noted) / drift)
}

// covers tells whether AWS's time t may lie after our time start; false if AWS
// has told no time.
func (c *clock) covers(start, t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.atBase.IsZero() {
		return false
	}
	return !t.Before(c.earliest(time.Now()).Add(start.Sub(c.base) - skew))
}
