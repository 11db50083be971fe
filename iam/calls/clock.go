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

	mu       sync.Mutex
	earliest limit
	latest   limit
}

// A limit is a limit of AWS's time at the base of a Clock.
type limit struct {
	atBase time.Time // zero before the first answer
	noted  time.Time // when that was learned
}

// drift returns by how much the two clocks may have drifted apart since.
func (l limit) drift(now time.Time) time.Duration { return now.Sub(l.noted) / driftRate }

// NewClock returns a Clock that knows nothing yet.
func NewClock() *Clock { return &Clock{base: time.Now()} }

// Note learns from the answer to one attempt of a call. AWS wrote the header
// between the beginning of the attempt and now.
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
	earliest := date.Add(-now.Sub(c.base))
	if earliest.After(c.earliest.atBase.Add(-c.earliest.drift(now))) {
		c.earliest = limit{earliest, now}
	}
	latest := date.Add(time.Second - r.AttemptTime.Sub(c.base))
	if c.latest.atBase.IsZero() || latest.Before(c.latest.atBase.Add(c.latest.drift(now))) {
		c.latest = limit{latest, now}
	}
}

// MayBeAfter tells whether t, by AWS's clock, may be later than start, by our
// clock. It is false before the first answer.
func (c *Clock) MayBeAfter(start, t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.earliest
	return !l.atBase.IsZero() && !t.Before(l.atBase.Add(start.Sub(c.base)-l.drift(time.Now())-maxSkew))
}

// MayBeBefore tells whether t, by AWS's clock, may be earlier than end, by our
// clock. It is false before the first answer.
func (c *Clock) MayBeBefore(end, t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.latest
	return !l.atBase.IsZero() && !t.After(l.atBase.Add(end.Sub(c.base)+l.drift(time.Now())+maxSkew))
}
