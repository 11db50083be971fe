package roles

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
)

// keyed returns a list session for a request with that key.
func (w *world) keyed(account, key string) *Session {
	return w.roles.Session(Want{Registry: registryOf(account), Policy: listing(account), Key: key})
}

// identitiesSent are the source identities of the AssumeRoles so far.
func (w *world) identitiesSent() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var sent []string
	for _, form := range w.forms {
		sent = append(sent, form.Get("SourceIdentity"))
	}
	return sent
}

func (w *world) wantIdentities(when string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.identitiesSent()); diff != "" {
		w.t.Errorf("%s: source identities (-want +got):\n%s", when, diff)
	}
}

// withoutSourceIdentity changes a world's roles to ones that were set up before
// the service sent a source identity.
func withoutSourceIdentity(_ *common.Config, o *localaws.Options) {
	for i := range o.Roles {
		o.Roles[i].Trust = strings.Replace(config.TrustPolicy, `["sts:TagSession", "sts:SetSourceIdentity"]`, `"sts:TagSession"`, 1)
	}
}

// Each key has its own sessions, and CloudTrail shows with each call for which
// key it was.
func TestSourceIdentityIsTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	longest := strings.Repeat("k", 64)
	for _, key := range []string{"portal", "ops_1.2-3", "portal", longest, "x", ""} {
		if err := w.list(w.keyed(account, key)); err != nil {
			t.Errorf("key %q: %v", key, err)
		}
	}
	w.wantIdentities("sessions", "portal", "ops_1.2-3", longest, "", "")
	var called []string
	for _, c := range w.calls {
		if c.Service == "ecr" {
			called = append(called, c.SourceIdentity)
		}
	}
	if diff := cmp.Diff([]string{"portal", "ops_1.2-3", "portal", longest, "", ""}, called); diff != "" {
		t.Errorf("source identities of the calls to ECR (-want +got):\n%s", diff)
	}
	if len(w.warned) > 0 {
		t.Errorf("warned of %s", w.warned)
	}
}

// A role whose trust policy does not allow a source identity is assumed without
// one. That is told once, and tried again after an hour.
func TestRoleThatTakesNoSourceIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withoutSourceIdentity)
		list := func(account, key string) {
			t.Helper()
			if err := w.list(w.keyed(account, key)); err != nil {
				t.Error(err)
			}
		}
		list(account, "portal")
		w.wantIdentities("first", "portal", "")
		list(account, "ops")
		w.wantIdentities("another session", "portal", "", "")
		time.Sleep(sessionDuration)
		list(account, "portal")
		w.wantIdentities("a renewal", "portal", "", "", "")
		list(account2, "portal")
		w.wantIdentities("another account", "portal", "", "", "", "portal", "")
		time.Sleep(identityRetry)
		list(account, "portal")
		w.wantIdentities("an hour later", "portal", "", "", "", "portal", "", "portal", "")
		if diff := cmp.Diff([]string{account, account2}, w.warned); diff != "" {
			t.Errorf("warned of (-want +got):\n%s", diff)
		}
	})
}

// STS may refuse without a word. When the role takes a source identity later,
// it gets one within an hour.
func TestRoleThatTakesASourceIdentityLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "AccessDenied", Status: 403, Times: 1})
		w.get(w.keyed(account, "portal"))
		time.Sleep(identityRetry + time.Second)
		w.get(w.keyed(account, "portal"))
		w.get(w.keyed(account, "ops"))
		w.wantIdentities("all", "portal", "", "portal", "ops")
		if diff := cmp.Diff([]string{account}, w.warned); diff != "" {
			t.Errorf("warned of (-want +got):\n%s", diff)
		}
	})
}

// A role that cannot be assumed at all costs one call more, once a minute.
func TestRefusalWithASourceIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, test := range []struct {
			pass  time.Duration
			asked int
		}{{0, 2}, {time.Second, 2}, {refusalMemory, 3}, {refusalMemory, 4}, {identityDoubt, 6}} {
			time.Sleep(test.pass)
			_, err := w.keyed(stranger, "portal").Credentials.Get()
			wantError(t, test.pass.String()+" later", err, refused)
			w.wantAsked(test.asked, test.pass.String()+" later")
		}
		if len(w.warned) > 0 {
			t.Errorf("warned of %s", w.warned)
		}
	})
}

// An AssumeRole that fails for another reason is not repeated without a source
// identity.
func TestFailureWithASourceIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "MalformedPolicyDocument", Times: 1})
	if _, err := w.keyed(account, "portal").Credentials.Get(); common.CodeOf(err) != common.Internal {
		t.Error(err)
	}
	w.get(w.keyed(account, "portal"))
	w.wantIdentities("both", "portal", "portal")
}
