package calls

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
)

// AWS's Date header has whole seconds only. With each further answer the clock
// may know AWS's time more exactly.
func TestClockLearnsAWSTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ahead = time.Hour // AWS's clock is ahead of ours by this
		second := time.Now().Add(ahead).Truncate(time.Second)
		c := NewClock()
		answered := func() {
			date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
			c.Note(&request.Request{HTTPResponse: &http.Response{Header: http.Header{"Date": {date}}}})
		}
		time.Sleep(700 * time.Millisecond)
		start, before, since := time.Now(), second.Add(300*time.Millisecond), second.Add(800*time.Millisecond)
		if c.MayBeAfter(start, since) {
			t.Error("the clock claims to know AWS's time before any answer")
		}
		time.Sleep(200 * time.Millisecond)
		answered()
		if !c.MayBeAfter(start, since) || !c.MayBeAfter(start, before) || c.MayBeAfter(start, second.Add(-time.Second)) {
			t.Error("after one answer the time is not known to the second")
		}
		time.Sleep(150 * time.Millisecond) // the next second has begun
		answered()
		if !c.MayBeAfter(start, since) || c.MayBeAfter(start, before) {
			t.Error("after an answer at the beginning of a second the time is not known more exactly")
		}
		time.Sleep(800 * time.Millisecond) // this answer is less exact
		answered()
		if !c.MayBeAfter(start, since) || c.MayBeAfter(start, before) {
			t.Error("a less exact answer replaced a more exact one")
		}
		time.Sleep(time.Hour) // clocks drift in that time
		if !c.MayBeAfter(start, before) {
			t.Error("what was learned an hour ago is still relied on")
		}
	})
}

// Only an attempt that may have done the work counts. A refused one does not.
func TestAttemptsBeginWithTheFirstUnsureOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := new(Attempts)
		attempt := func(status int, code string) {
			r := &request.Request{AttemptTime: time.Now(), Error: awserr.New(code, "", nil), HTTPResponse: &http.Response{StatusCode: status}}
			a.Watch(r)
			r.Handlers.CompleteAttempt.Run(r)
		}
		attempt(400, "ThrottlingException")
		if a.Unsure {
			t.Error("a throttled attempt is taken for one that may have done the work")
		}
		time.Sleep(2 * time.Second)
		second := time.Now()
		attempt(500, "ServerException")
		time.Sleep(2 * time.Second)
		attempt(500, "ServerException")
		if !a.Unsure || !a.Start.Equal(second) {
			t.Errorf("the attempts that may have done the work began at %v, want %v", a.Start, second)
		}
	})
}

// AWS has written the header after the attempt began. So it was not later than at
// the end of that second.
func TestClockLearnsTheLatestAWSTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ahead = time.Hour
		c := NewClock()
		time.Sleep(500 * time.Millisecond)
		end := time.Now()
		if c.MayBeBefore(end, end) {
			t.Error("the clock claims to know AWS's time before any answer")
		}
		answered := func(took time.Duration) {
			began := time.Now()
			time.Sleep(took)
			date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
			c.Note(&request.Request{AttemptTime: began, HTTPResponse: &http.Response{Header: http.Header{"Date": {date}}}})
		}
		answered(0)
		if !c.MayBeBefore(end, end.Add(ahead+500*time.Millisecond)) || c.MayBeBefore(end, end.Add(ahead+700*time.Millisecond)) {
			t.Error("after an answer the time is not known to the second")
		}
		answered(10 * time.Second)
		if c.MayBeBefore(end, end.Add(ahead+700*time.Millisecond)) {
			t.Error("a less exact answer replaced a more exact one")
		}
		time.Sleep(400 * time.Millisecond) // 0.9 s of a second are over
		answered(0)
		if !c.MayBeBefore(end, end.Add(ahead+100*time.Millisecond)) || c.MayBeBefore(end, end.Add(ahead+300*time.Millisecond)) {
			t.Error("after an answer at the end of a second the time is not known more exactly")
		}
	})
}

// After an attempt that may have done the work there is no other.
func TestWatchOnce(t *testing.T) {
	t.Parallel()
	for status, again := range map[int]bool{400: true, 500: false} {
		a := new(Attempts)
		r := &request.Request{Error: awserr.New("Any", "", nil), HTTPResponse: &http.Response{StatusCode: status}}
		a.WatchOnce(r)
		r.Handlers.CompleteAttempt.Run(r)
		r.Handlers.Retry.Run(r)
		if (r.Retryable == nil) != again {
			t.Errorf("after status %d: %v, want another attempt: %t", status, r.Retryable, again)
		}
	}
}
