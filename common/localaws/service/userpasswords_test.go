package service_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const userKey = "AKIAUSER000000000000"

// testKeys have one key of a user. It is inactive while its session is nil, and
// unknown unless known.
type testKeys struct {
	mu      sync.Mutex
	session *service.Session
	known   bool
	used    []string
}

func (k *testKeys) Find(accessKey string) (*service.Session, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.known || accessKey != userKey {
		return nil, false
	}
	return k.session, true
}

func (k *testKeys) Used(accessKey, service, region string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used = append(k.used, strings.Join([]string{accessKey, service, region, now.Format(time.TimeOnly)}, " "))
}

// set sets the user of the key.
func (k *testKeys) set(s *service.Session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.session, k.known = s, true
}

// forget makes the key unknown.
func (k *testKeys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.session, k.known = nil, false
}

// alice returns a user with policies. "" is no policy.
func alice(t *testing.T, permissions, boundary string) *service.Session {
	t.Helper()
	const arn = "arn:aws:iam::210987654321:user/spinup/ours/alice"
	s := &service.Session{
		Principal: service.Principal{Account: there, ARN: arn, Identity: arn, UserID: "AIDAALICE000000000000", UserName: "alice"},
		AccessKey: userKey,
		Secret:    "the secret of alice",
	}
	if permissions != "" {
		s.Permissions = []policy.Policy{parse(t, permissions)}
	}
	if boundary != "" {
		limit := parse(t, boundary)
		s.Boundary = &limit
	}
	return s
}

func parse(t *testing.T, document string) policy.Policy {
	t.Helper()
	p, err := policy.Parse(document)
	awstest.Must(t, err)
	return p
}

// TestPasswordOfUser shows that a password of a user stands for its key: each
// request has the rights of that time, and none when the key has none.
func TestPasswordOfUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	readOne := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"house:Read","Resource":"arn:aws:ecr:*:*:repository/group/one"}}`
	user := alice(t, readOne, "")
	h.keys.set(user)
	password := h.password(t, user)
	read := func(when, want, code string) {
		t.Helper()
		login, err := h.logIn("AWS", password)
		awstest.Must(t, err)
		out, err := login.Perform("house", "Read", "group/one", layerInput{"group/one", "text"})
		if got, _ := out.(string); got != want || !strings.Contains(fmt.Sprint(err), code) {
			t.Errorf("%s: %q (%v), want %q and the error %q", when, got, err, want, code)
		}
	}
	read("at first", "text", "")
	h.keys.set(alice(t, readOne, statement("Allow", "", "house:List")))
	read("with another boundary", "", "because no permissions boundary allows the house:Read action")
	h.keys.set(alice(t, "", ""))
	read("without its policy", "", "because no identity-based policy allows the house:Read action")
	h.keys.set(nil)
	h.wantLogin(t, "inactive key", password, noLogin)
	h.keys.set(user)
	h.advance(12*time.Hour - time.Second)
	read("active again", "text", "")
	h.advance(time.Second)
	h.wantLogin(t, "after twelve hours", password, expiredLogin)

	want := slices.Repeat([]string{userKey + " house us-east-1 12:00:00"}, 4) // the password, and three times Read
	if diff := cmp.Diff(append(want, userKey+" house us-east-1 23:59:59"), h.keys.used); diff != "" {
		t.Errorf("use of keys (-want +got):\n%s", diff)
	}
}

// TestKeyWithoutUser shows that a password is refused, and not the
// administrator's, if nobody knows of its key any more.
func TestKeyWithoutUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	user := alice(t, "", "")
	h.keys.set(user)
	password := h.password(t, user)
	h.keys.forget()
	h.wantLogin(t, "unknown key", password, noLogin)
}
