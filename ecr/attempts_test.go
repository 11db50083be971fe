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
func TestAttemptsKnowAWSTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const ahead = time.Hour // AWS's clock before ours
		second := time.Now().Add(ahead).Truncate(time.Second)
		answered := func(a *attempts) {
			date := time.Now().Add(ahead).UTC().Format(http.TimeFormat)
			a.noteDate(&request.Request{HTTPResponse: &http.Response{Header: http.Header{"Date": {date}}}})
		}
		time.Sleep(700 * time.Millisecond)
		a := &attempts{unsure: true, start: time.Now()}
		before, since := second.Add(100*time.Millisecond), second.Add(800*time.Millisecond)
		if a.covers(since) {
			t.Error("AWS has told no time, and yet something is known")
		}
		time.Sleep(200 * time.Millisecond)
		answered(a)
		if !a.covers(since) || !a.covers(before) || a.covers(second.Add(-time.Second)) {
			t.Error("after one answer it is not known to the second")
		}
		time.Sleep(150 * time.Millisecond) // the next second has begun
		answered(a)
		if !a.covers(since) || a.covers(before) {
			t.Error("after an answer at the begin of a second it is not known better")
		}
		time.Sleep(800 * time.Millisecond) // this answer tells less
		answered(a)
		if !a.covers(since) || a.covers(before) {
			t.Error("what was known is forgotten")
		}
	})
}

// Only an attempt that may have done the work counts, not one that was refused.
func TestAttemptsBeginWithTheFirstUnsureOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := new(attempts)
		attempt := func(status int, code string) {
			r := &request.Request{AttemptTime: time.Now(), Error: awserr.New(code, "", nil)}
			r.HTTPResponse = &http.Response{StatusCode: status, Header: http.Header{"Date": {time.Now().UTC().Format(http.TimeFormat)}}}
			a.watch(r)
			r.Handlers.CompleteAttempt.Run(r)
		}
		begin := time.Now()
		attempt(400, "ThrottlingException")
		if a.unsure {
			t.Error("what was throttled may be done")
		}
		time.Sleep(2 * time.Second)
		attempt(500, "ServerException")
		second := time.Now()
		time.Sleep(2 * time.Second)
		attempt(500, "ServerException")
		if !a.unsure || a.covers(begin.Add(time.Second)) || !a.covers(second) {
			t.Errorf("the attempts that may have done the work began at %v, want %v", a.start, second)
		}
	})
}
