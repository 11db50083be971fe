package roles

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/google/go-cmp/cmp"
)

// attempts returns how often AWS was called since the last call of attempts.
func (w *world) attempts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.calls)
	w.calls = nil
	return n
}

func awsCode(err error) string {
	var fault awserr.Error
	if errors.As(err, &fault) {
		return fault.Code()
	}
	return ""
}

func TestRetries(t *testing.T) {
	t.Parallel()
	const plenty = 25 * time.Second
	for name, test := range map[string]struct {
		fault    localaws.Fault
		within   time.Duration
		attempts int
		code     string // "" is success
	}{
		"throttled once":                      {localaws.Fault{Code: "ThrottlingException", Times: 1}, plenty, 2, ""},
		"failed once":                         {localaws.Fault{Code: "ServerException", Status: 500, Times: 1}, plenty, 2, ""},
		"dropped once":                        {localaws.Fault{Drop: true, Times: 1}, plenty, 2, ""},
		"stalled once":                        {localaws.Fault{Delay: time.Hour, Times: 1}, plenty, 2, ""},
		"throttled for good":                  {localaws.Fault{Code: "ThrottlingException"}, plenty, 4, "ThrottlingException"},
		"failed for good":                     {localaws.Fault{Code: "ServerException", Status: 500}, plenty, 4, "ServerException"},
		"refused":                             {localaws.Fault{Code: "AccessDeniedException"}, plenty, 1, "AccessDeniedException"},
		"no time for a retry, error of AWS":   {localaws.Fault{Code: "ThrottlingException"}, 900 * time.Millisecond, 1, "ThrottlingException"},
		"no time for another after a stall":   {localaws.Fault{Delay: 5 * time.Second, Code: "ServerException", Status: 500}, 5200 * time.Millisecond, 1, "ServerException"},
		"time for some of the retries":        {localaws.Fault{Delay: 4 * time.Second, Code: "ServerException", Status: 500}, 8400 * time.Millisecond, 2, "ServerException"},
		"the deadline passes while AWS works": {localaws.Fault{Delay: time.Hour}, 3 * time.Second, 1, "RequestCanceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.listSession(account)
				w.get(s)
				w.attempts()
				test.fault.Operation = "ecr:DescribeRepositories"
				w.aws.Inject(test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				defer cancel()
				start := time.Now()
				err := w.listWithin(ctx, s)
				if got := awsCode(err); got != test.code {
					t.Errorf("it ended with %q, want %q: %v", got, test.code, err)
				}
				if took := time.Since(start); took > test.within {
					t.Errorf("it took %v of %v", took, test.within)
				}
				synctest.Wait() // AWS has to notice that the caller is gone
				if got := w.attempts(); got != test.attempts {
					t.Errorf("%d attempts, want %d", got, test.attempts)
				}
			})
		})
	}
}

// If every call to one account fails, fewer than a fifth of its calls are
// repeated. Calls to other accounts are repeated as usual.
func TestFailingAccountKeepsToItsRetryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		failing, working := w.listSession(account), w.listSession(account2)
		w.get(failing)
		w.get(working)
		mend := w.aws.Inject(localaws.Fault{Operation: "*", Code: "ServerException", Status: 500, When: func(c localaws.Call) bool { return c.Account == account }})
		w.attempts()
		const calls = 1000
		for range calls {
			if err := w.list(failing); awsCode(err) != "ServerException" {
				t.Fatal(err)
			}
		}
		if retries := w.attempts() - calls; retries < calls/10 || retries >= calls/5 {
			t.Errorf("%d retries of %d calls that failed", retries, calls)
		}
		w.aws.Inject(localaws.Fault{Operation: "*", Code: "ServerException", Status: 500, Times: 3, When: func(c localaws.Call) bool { return c.Account == account2 }})
		if err := w.list(working); err != nil {
			t.Errorf("another account is not retried: %v", err)
		}

		mend() // calls that succeed earn the retries back
		for range maxSavedRetries * callsPerRetry {
			if err := w.list(failing); err != nil {
				t.Fatal(err)
			}
		}
		w.aws.Inject(localaws.Fault{Operation: "*", Code: "ServerException", Status: 500, Times: 3})
		if err := w.list(failing); err != nil {
			t.Errorf("when the account works again: %v", err)
		}
	})
}

// A renewal that fails does no harm while the old credentials are still good.
func TestRenewalThatFails(t *testing.T) {
	t.Parallel()
	const renewal = sessionDuration - renewBefore + time.Second // the session's age when it is due
	for name, test := range map[string]struct {
		fault localaws.Fault
		works bool
	}{
		"STS fails":     {localaws.Fault{Code: "InternalFailure", Status: 500}, true},
		"STS is slow":   {localaws.Fault{Delay: time.Hour}, true},
		"STS throttles": {localaws.Fault{Code: "Throttling"}, true},
		"STS refuses":   {localaws.Fault{Code: "AccessDenied", Status: 403}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.listSession(account)
				first := w.get(s)
				born := time.Now()
				test.fault.Operation = "sts:AssumeRole"
				mend := w.aws.Inject(test.fault)
				time.Sleep(renewal)
				start := time.Now()
				if err := w.list(s); (err == nil) != test.works {
					t.Fatalf("when the renewal is due: %v", err)
				}
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("requests waited %v for a renewal that can be put off", took)
				}
				if !test.works {
					return
				}
				for time.Since(born) < sessionDuration-longestUse-10*time.Second {
					if err := w.list(s); err != nil {
						t.Fatalf("%v after it began: %v", time.Since(born), err)
					}
					time.Sleep(5 * time.Second)
				}
				if asked := w.asked(); asked > 4*int(renewBefore/renewRetry) {
					t.Errorf("STS was asked %d times", asked)
				}
				time.Sleep(longestUse)
				if err := w.list(s); err == nil {
					t.Error("the credentials are used to their very end")
				}
				mend()
				time.Sleep(refusalMemory)
				if err := w.list(s); err != nil || w.get(s) == first {
					t.Errorf("when it is mended: %v", err)
				}
			})
		})
	}
}

// Credentials that AWS calls expired are not used again, even if our clock says
// that they are good.
func TestRenewalOfCredentialsThatAWSCallsExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.listSession(account)
		w.get(s)
		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Times: 1})
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "InternalFailure", Status: 500})
		if err := w.list(s); common.CodeOf(err) != common.Internal {
			t.Errorf("it ended with %v", err)
		}
	})
}

// A call whose session has expired waits no longer than its deadline, even
// while the renewal of another call stalls. This test runs in real time: the
// SDK waits for a mutex, and synctest does not advance the time then.
func TestExpiredWhileSTSStalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.listSession(account)
	w.get(s)
	asked, renewing, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	expired := localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Times: 1}
	late := expired
	var taken atomic.Bool // Times alone is not enough: it counts a hit only after When has returned
	late.When = func(localaws.Call) bool {
		if taken.Swap(true) {
			return false
		}
		close(asked)
		<-renewing
		return true
	}
	w.aws.Inject(late)
	w.aws.Inject(expired)
	w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Times: 1, When: func(localaws.Call) bool {
		close(renewing)
		<-end
		return true
	}})
	var both sync.WaitGroup
	both.Go(func() {
		defer close(end)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.listWithin(ctx, s); common.CodeOf(common.FromAWS(err, nil, "")) != common.Timeout {
			t.Errorf("the call that waits while another renews: %v", err)
		}
	})
	<-asked
	both.Go(func() {
		if err := w.list(s); err != nil {
			t.Errorf("the call that renews: %v", err)
		}
	})
	both.Wait() // this never returns if each call waits for the other
}

// Many calls whose session has expired lead to one new session.
func TestExpiredForManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.listSession(account)
		old := w.get(s).AccessKeyID
		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", When: func(c localaws.Call) bool {
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
			return c.AccessKey == old
		}})
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if err := w.list(s); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		w.wantAsked(2, "after six calls whose session has expired")
		w.results = nil
		w.listSession(account)
		if diff := cmp.Diff([]SessionResult{Hit}, w.results); diff != "" {
			t.Errorf("the new session is not known to be there (-want +got):\n%s", diff)
		}
	})
}
