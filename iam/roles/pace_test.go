package roles

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/google/go-cmp/cmp"
)

// accountNumber returns the id of one of many accounts.
func accountNumber(n int) string { return fmt.Sprintf("%012d", 300000000000+n) }

// newManyAccounts returns a world whose AWS has n more accounts.
func newManyAccounts(t testing.TB, n int) *world {
	return newWorld(t, func(_ *common.Config, o *localaws.Options) {
		for i := range n {
			o.Roles = append(o.Roles, localaws.Role{Account: accountNumber(i), Name: "ecr-api", Trust: config.TrustPolicy, Permissions: []string{config.RolePolicy}})
		}
	})
}

// first returns the first session of an account, which the configuration lists
// or not.
func (w *world) first(account string, listed bool) *Session {
	return w.roles.Session(Want{Registry: registryOf(account), Policy: listing(account), Listed: listed})
}

// throttle makes STS throttle, 50 ms after it is asked.
func (w *world) throttle() (mend func()) {
	return w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "Throttling", Message: "Rate exceeded", Delay: 50 * time.Millisecond})
}

// listAll lists in n accounts at once. It returns how many lists ended with each
// error, "" for none.
func (w *world) listAll(n int, session func(n int) *Session) map[string]int {
	var mu sync.Mutex
	ends := map[string]int{}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(w.t.Context(), 25*time.Second)
			defer cancel()
			err := w.listWithin(ctx, session(i))
			mu.Lock()
			defer mu.Unlock()
			ends[endOf(err)]++
		})
	}
	all.Wait()
	return ends
}

func endOf(err error) string {
	switch {
	case err == nil:
		return ""
	case err == errSessionLimit:
		return "session limit"
	case err == errAccountLimit:
		return "account limit"
	default:
		return string(common.CodeOf(err))
	}
}

// While STS throttles, 200 requests to 200 accounts make few calls, and all of
// them are answered as throttled. When STS has recovered, so does the service.
func TestThrottledSTSIsLeftAlone(t *testing.T) {
	t.Parallel()
	const accounts = 200
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, accounts)
		mend := w.throttle()
		list := func(i int) *Session { return w.first(accountNumber(i), true) }
		start := time.Now()
		ends := w.listAll(accounts, list)
		if n := ends["session limit"] + ends[string(common.Throttled)]; n != accounts || ends["session limit"] < accounts/2 {
			t.Errorf("the lists ended with %v", ends)
		}
		if asked := w.asked(); asked > 60 {
			t.Errorf("STS was asked %d times", asked)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
		if w.limits[NewSessions] != ends["session limit"] || w.limits[Retries] == 0 {
			t.Errorf("limits reached: %v; ends: %v", w.limits, ends)
		}
		mend()
		for range 10 { // as callers do that wait for five seconds
			time.Sleep(5 * time.Second)
			ends = w.listAll(accounts, list)
		}
		if diff := cmp.Diff(map[string]int{"": accounts}, ends); diff != "" {
			t.Errorf("after STS has recovered (-want +got):\n%s", diff)
		}
	})
}

// Throttles of the same instant slow the service down once, so a short burst of
// them keeps no caller out.
func TestShortBurstOfThrottles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		accounts int
		listed   bool
	}{"listed": {60, true}, "unknown": {10, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newManyAccounts(t, test.accounts)
				w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "Throttling", Times: 8, Delay: 20 * time.Millisecond})
				ends := w.listAll(test.accounts, func(i int) *Session { return w.first(accountNumber(i), test.listed) })
				if diff := cmp.Diff(map[string]int{"": test.accounts}, ends); diff != "" {
					t.Errorf("lists (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A burst of good requests is not refused, and is spread over some time.
func TestManyFirstSessions(t *testing.T) {
	t.Parallel()
	const accounts = 300
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, accounts)
		start := time.Now()
		ends := w.listAll(accounts, func(i int) *Session { return w.first(accountNumber(i), true) })
		if diff := cmp.Diff(map[string]int{"": accounts}, ends); diff != "" {
			t.Errorf("lists (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took < time.Second || took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A flood of accounts that do not exist is limited. It neither delays accounts
// that are known, nor pushes their sessions out, nor takes the place of
// renewals.
func TestFloodOfUnknownAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, 10)
		worked := w.first(account, false)
		kept := w.get(worked)
		before := w.asked()
		start := time.Now()
		var flood sync.WaitGroup
		flood.Go(func() {
			for i := range 10 {
				w.listAll(500, func(n int) *Session { return w.first(accountNumber(1000+500*i+n), false) })
			}
		})
		time.Sleep(time.Second)
		for i := range 10 {
			if err := w.list(w.first(accountNumber(i), true)); err != nil {
				t.Errorf("a listed account: %v", err)
			}
		}
		if err := w.list(w.sessionFor(account, listing(account)+" ")); err != nil {
			t.Errorf("another session of an account that has worked: %v", err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("known accounts waited %v", took-time.Second)
		}
		flood.Wait()
		if w.first(account, false) != worked || w.get(worked) != kept {
			t.Error("the session of the account that has worked is gone")
		}
		most := 11 + 2*(50+20*int(time.Since(start)/time.Second+1))
		if asked := w.asked() - before; asked > most || asked < 50 {
			t.Errorf("STS was asked %d times in %v, want %d at most", asked, time.Since(start), most)
		}
		if w.limits[NewAccounts] == 0 || w.limits[NewSessions] != 0 {
			t.Errorf("limits reached: %v", w.limits)
		}
	})
}

// Renewals do not wait behind first sessions.
func TestRenewalsComeFirst(t *testing.T) {
	t.Parallel()
	const accounts = 500
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, accounts)
		old := w.first(account, true)
		first := w.get(old)
		time.Sleep(sessionDuration - renewBefore + time.Second)
		var all sync.WaitGroup
		all.Go(func() {
			w.listAll(accounts, func(i int) *Session { return w.first(accountNumber(i), true) })
		})
		synctest.Wait() // they all wait for their turns
		start := time.Now()
		if err := w.list(old); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("the renewal took %v", took)
		}
		if w.get(old) == first {
			t.Error("it was not renewed")
		}
		all.Wait()
	})
}

// A loop for credentials delays neither first sessions nor renewals, and does not
// take their rate.
func TestFloodOfCredentials(t *testing.T) {
	t.Parallel()
	const accounts = 40
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, accounts)
		old := w.first(account, true)
		w.get(old)
		time.Sleep(sessionDuration - renewBefore + time.Second)
		var flood sync.WaitGroup
		for range 1000 {
			flood.Go(func() { _, _ = w.tryOnce(t.Context(), account2, "portal") }) // some reach the limit
		}
		synctest.Wait() // they all wait for their turns
		start := time.Now()
		ends := w.listAll(accounts, func(i int) *Session { return w.first(accountNumber(i), i%2 == 0) })
		if diff := cmp.Diff(map[string]int{"": accounts}, ends); diff != "" {
			t.Errorf("lists in new accounts (-want +got):\n%s", diff)
		}
		if took := time.Since(start); took > time.Second { // at a quarter of the rate
			t.Errorf("they took %v", took)
		}
		start = time.Now()
		if err := w.list(old); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 100*time.Millisecond {
			t.Errorf("the renewal took %v", took)
		}
		flood.Wait()
	})
}

// A request that hangs up while it waits for its turn asks nothing any more.
func TestCallerLeavesBeforeItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.roles.pace.slow()
		ctx, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, hangUp)
		if code := common.CodeOf(common.FromAWS(w.listWithin(ctx, w.first(account, false)), nil, "")); code != common.Canceled {
			t.Errorf("the caller that hangs up: %q", code)
		}
		time.Sleep(time.Minute)
		w.wantAsked(0, "after the caller has hung up")
	})
}

// If the request that is to ask STS for all who wait hangs up, another one asks.
// This test runs in real time: those who wait do it for a mutex of the SDK, and
// synctest does not advance the time then.
func TestCallersLeaveOneAfterAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roles.pace.slow()
	w.roles.pace.setRate(1) // so that no place comes before its caller has left
	w.roles.pace.limiters[knownRoles].Allow()
	s := w.first(account, true)
	var all sync.WaitGroup
	var hangUps []context.CancelFunc
	for i := range 20 {
		ctx, hangUp := context.WithCancel(t.Context())
		hangUps = append(hangUps, hangUp)
		all.Go(func() {
			err := w.listWithin(ctx, s)
			if code := common.CodeOf(common.FromAWS(err, nil, "")); i == 10 && code != "" || i != 10 && code != common.Canceled {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	for _, hangUp := range slices.Delete(hangUps, 10, 11) { // neither the first nor the last goroutine, which tend to ask first
		for w.roles.pace.limiters[knownRoles].Tokens() >= 0 { // until one of them has a place
			time.Sleep(time.Millisecond)
		}
		hangUp()
		time.Sleep(5 * time.Millisecond) // so that all others wait for the next one
	}
	all.Wait()
	w.wantAsked(1, "after all")
}

// limited provides credentials only if a request has asked before that has no
// time to wait for its turn.
type limited struct {
	*roleProvider
	before int // how many such requests
	asked  int
}

func (l *limited) RetrieveWithContext(ctx credentials.Context) (credentials.Value, error) {
	if l.asked++; l.asked <= l.before {
		return credentials.Value{}, errSessionLimit
	}
	return l.roleProvider.RetrieveWithContext(ctx)
}

// A request that waits for another one's AssumeRole does not get the limit that
// is due to the little time that the other one has.
func TestLimitOfAnotherRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.first(account, true)
		others := &limited{roleProvider: s.provider, before: 3}
		s.Credentials = credentials.NewCredentials(others)
		if err := w.list(s); err != nil || others.asked != 4 {
			t.Errorf("after %d requests: %v", others.asked, err)
		}

		s = w.first(account2, true)
		for range 2000 { // so that its turn is ten seconds away
			w.roles.pace.limiters[knownRoles].Reserve()
		}
		if err := w.list(s); err != errSessionLimit {
			t.Errorf("its own limit: %v", err)
		}
		if w.limits[NewSessions] != 1 {
			t.Errorf("limits reached: %v", w.limits)
		}
	})
}

// The rate is halved by a throttle, never below the least, and grows again by
// successes, and by itself.
func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, 50)
		want := func(rate float64, when string) {
			t.Helper()
			if got := w.roles.pace.rate; got != rate {
				t.Errorf("%s: %v a second, want %v", when, got, rate)
			}
		}
		next := 0
		assume := func() { next++; w.list(w.first(accountNumber(next), true)) }
		throttled := func(times int) {
			defer w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "Throttling", Times: times})()
			assume()
		}
		want(200, "at first")
		throttled(2)
		want(51, "after two throttles and a success")
		assume()
		want(52, "after another success")
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "AccessDenied", Status: 403, Times: 1})
		assume()
		want(52, "after a refusal")
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "ServiceUnavailable", Status: 503, Times: 2})
		assume()
		want(53, "after two answers of 503 and a success")
		for range 4 {
			throttled(4)
		}
		want(leastRate, "after many throttles")
		time.Sleep(doubleAfter + time.Second)
		assume()
		want(2*leastRate+1, "after some seconds without a throttle, and a success")
		time.Sleep(6 * doubleAfter)
		assume()
		want(200, "after half a minute without a throttle")
	})
}
