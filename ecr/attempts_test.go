package ecr

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
)

// AWS's Date has whole seconds only; every further one tells more of its clock.
func TestClockLearnsAWSTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ahead = time.Hour // AWS's clock before ours
		second := time.Now().Add(ahead).Truncate(time.Second)
		c := newClock()
		answered := func() {
			date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
			c.note(&request.Request{HTTPResponse: &http.Response{Header: http.Header{"Date": {date}}}})
		}
		time.Sleep(700 * time.Millisecond)
		start, before, since := time.Now(), second.Add(300*time.Millisecond), second.Add(800*time.Millisecond)
		if c.covers(start, since) {
			t.Error("AWS has told no time, and yet something is known")
		}
		time.Sleep(200 * time.Millisecond)
		answered()
		if !c.covers(start, since) || !c.covers(start, before) || c.covers(start, second.Add(-time.Second)) {
			t.Error("after one answer it is not known to the second")
		}
		time.Sleep(150 * time.Millisecond) // the next second has begun
		answered()
		if !c.covers(start, since) || c.covers(start, before) {
			t.Error("after an answer at the begin of a second it is not known better")
		}
		time.Sleep(800 * time.Millisecond) // this answer tells less
		answered()
		if !c.covers(start, since) || c.covers(start, before) {
			t.Error("what was known is forgotten")
		}
		time.Sleep(time.Hour) // in which clocks drift
		if !c.covers(start, before) {
			t.Error("what was known an hour ago is relied on")
		}
	})
}

// Only an attempt that may have done the work counts, not one that was refused.
func TestAttemptsBeginWithTheFirstUnsureOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := new(attempts)
		attempt := func(status int, code string) {
			r := &request.Request{AttemptTime: time.Now(), Error: awserr.New(code, "", nil), HTTPResponse: &http.Response{StatusCode: status}}
			a.watch(r)
			r.Handlers.CompleteAttempt.Run(r)
		}
		attempt(400, "ThrottlingException")
		if a.unsure {
			t.Error("what was throttled may be done")
		}
		time.Sleep(2 * time.Second)
		second := time.Now()
		attempt(500, "ServerException")
		time.Sleep(2 * time.Second)
		attempt(500, "ServerException")
		if !a.unsure || !a.start.Equal(second) {
			t.Errorf("the attempts that may have done the work began at %v, want %v", a.start, second)
		}
	})
}
