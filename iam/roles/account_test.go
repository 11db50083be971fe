package roles

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An account in use keeps its budget, even if there are many other accounts.
func TestBudgetsInUseStay(t *testing.T) {
	t.Parallel()
	for _, listed := range []bool{true, false} {
		w := newWorld(t)
		budget := func() *budget { return w.roles.accounts.get(account, listed, w).budget }
		first := budget()
		for i := range 2 * maxSessions {
			w.first(strconv.Itoa(i), listed)
			if budget() != first {
				t.Fatalf("listed: %t: after %d other accounts it has another budget", listed, i)
			}
		}
	}
}

// A flood of unknown accounts does not push out what is remembered of a known
// one.
func TestFloodLeavesTheMemoryOfKnownAccounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withoutSourceIdentity)
		before := w.keyed(account, "portal")
		w.get(before)
		for i := range maxSessions + 100 {
			_, err := w.keyed(accountNumber(i), "portal").Credentials.Get()
			wantError(t, "an unknown account", err, refused)
			time.Sleep(100 * time.Millisecond)
		}
		asked := w.asked()
		after := w.keyed(account, "ops")
		w.get(after)
		if diff := cmp.Diff([]string{""}, w.identitiesSent()[asked:]); diff != "" {
			t.Errorf("source identities after the flood (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{account}, w.warned); diff != "" {
			t.Errorf("warned of (-want +got):\n%s", diff)
		}
		if after.budget != before.budget {
			t.Error("the account has another budget")
		}
	})
}

// The sessions of an account that a reload lists are no longer a stranger's.
func TestStrangerThatIsListedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newManyAccounts(t, 1)
		old := w.first(accountNumber(0), false)
		for range 200 { // so that the next place is ten seconds away
			w.roles.pace.limiters[unknownRoles].Reserve()
		}
		if err := w.list(old); err != errAccountLimit {
			t.Errorf("before it is listed: %v", err)
		}
		if w.first(accountNumber(0), true) != old {
			t.Error("it got another session")
		}
		if err := w.list(old); err != nil {
			t.Errorf("when it is listed: %v", err)
		}
	})
}
