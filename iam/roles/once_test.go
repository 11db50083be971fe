package roles

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// once assumes the role for a request with that key. The test fails if AWS
// refuses.
func (w *world) once(account, key string) *Session {
	w.t.Helper()
	s, err := w.tryOnce(w.t.Context(), account, key)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) tryOnce(ctx context.Context, account, key string) (*Session, error) {
	return w.roles.Once(ctx, Want{Registry: registryOf(account), Policy: listing(account), Key: key, Listed: true})
}

func (w *world) signerOf(s *Session) *signer {
	w.t.Helper()
	signer, err := s.signer(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return signer
}

// lasting changes a world's roles to ones whose sessions last that many hours.
func lasting(hours int) func(*common.Config, *localaws.Options) {
	return func(_ *common.Config, o *localaws.Options) {
		for i := range o.Roles {
			o.Roles[i].MaxSessionDuration = hours * 3600
		}
	}
}

// operations are the calls that AWS has seen since the last call of attempts.
func (w *world) operations() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var seen []string
	for _, c := range w.calls {
		seen = append(seen, c.Operation)
	}
	return seen
}

func TestAssumeRoleCallOfOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lasting(12))
	s := w.once(account2, "portal")
	got := map[string]string{}
	for key, values := range w.forms[0] {
		got[key] = strings.Join(values, "|")
	}
	if got["RoleSessionName"] != s.Name {
		t.Errorf("the session is named %s", s.Name)
	}
	got["RoleSessionName"] = sixteenHex.ReplaceAllString(got["RoleSessionName"], "HEX")
	if diff := cmp.Diff(map[string]string{
		"Action":              "AssumeRole",
		"Version":             "2011-06-15",
		"RoleArn":             "arn:aws:iam::210987654321:role/ecr-api",
		"RoleSessionName":     "spinup-spindev-ecr-api-HEX",
		"ExternalId":          "local",
		"DurationSeconds":     "43200",
		"SourceIdentity":      "portal",
		"Tags.member.1.Key":   "spinup:org",
		"Tags.member.1.Value": "spindev",
		"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribeRepositories"],` +
			`"Resource":["arn:aws:ecr:us-east-1:210987654321:repository/*"]}]}`,
	}, got); diff != "" {
		t.Errorf("AssumeRole (-want +got):\n%s", diff)
	}
}

// Each call has a session of its own, which is in no cache and never renewed.
func TestOnceIsNotShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lasting(12))
		first, second := w.once(account, "portal"), w.once(account, "portal")
		w.wantAsked(2, "two calls")
		value := w.get(first)
		if other := w.get(second); value.AccessKeyID == other.AccessKeyID || first.Name == second.Name {
			t.Errorf("both have the access key %s or the name %s", value.AccessKeyID, first.Name)
		}
		if n := w.roles.sessions.Len() + w.roles.strangers.Len(); n != 0 {
			t.Errorf("%d sessions are kept", n)
		}
		if one, other := w.signerOf(first), w.signerOf(first); one != other || one.Value.AccessKeyID != value.AccessKeyID {
			t.Error("the key that is derived from the secret is not kept")
		}
		w.wantAsked(2, "two sessions in use")
		w.get(w.keyed(account, "portal"))
		w.wantAsked(3, "a session that is kept")
		if diff := cmp.Diff([]SessionResult{Miss, Miss, Miss}, w.results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		time.Sleep(12*time.Hour - time.Minute)
		if err := w.list(first); err != nil || w.get(first) != value {
			t.Errorf("a minute before its end: %v", err)
		}
		w.wantAsked(3, "a minute before its end")
	})
}

// Callers are told AWS's word, also where our clock is wrong.
func TestExpiryIsAWSsWord(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{0, -20 * time.Hour, 20 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			now := func() time.Time { return time.Now().Add(off) }
			w := newWorld(t, lasting(12), func(_ *common.Config, o *localaws.Options) { o.Now = now })
			s := w.once(account, "portal")
			if want := now().Add(12 * time.Hour).Truncate(time.Second); !s.Expires().Equal(want) {
				t.Errorf("our clock is %v off: it expires at %v, want %v", off, s.Expires(), want)
			}
			if err := w.list(s); err != nil {
				t.Errorf("our clock is %v off: %v", off, err)
			}
			w.wantAsked(1, "in all")
			if kept := w.keyed(account, "portal"); !kept.Expires().IsZero() {
				t.Errorf("a session that is renewed expires at %v", kept.Expires())
			}
		})
	}
}

// A session of Once that AWS calls expired or unknown has no successor.
func TestOnceThatIsLost(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			s := w.once(account, "portal")
			w.attempts()
			w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: code})
			err := w.list(s)
			if awsCode(err) != code || !strings.HasPrefix(err.Error(), "the session is lost, and it was the only one for this call: "+code) {
				t.Errorf("%s: %v", code, err)
			}
			if diff := cmp.Diff([]string{"DescribeRepositories"}, w.operations()); diff != "" {
				t.Errorf("%s: calls (-want +got):\n%s", code, diff)
			}
		})
	}
}

func TestOnceAfterItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lasting(12))
		s := w.once(account, "portal")
		time.Sleep(12*time.Hour + time.Second)
		w.attempts()
		if err := w.list(s); awsCode(err) != "ExpiredTokenException" {
			t.Errorf("after its end: %v", err)
		}
		if diff := cmp.Diff([]string{"DescribeRepositories"}, w.operations()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// Calls in a session of Once are retried within the budget of the account.
func TestRetriesInOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.once(account, "portal")
		if s.budget != w.keyed(account, "portal").budget {
			t.Error("it has a budget of its own")
		}
		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ServerException", Status: 500, Times: 2})
		if err := w.list(s); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.listWithin(ctx, s); awsCode(err) != "RequestCanceled" {
			t.Errorf("the caller has hung up: %v", err)
		}
	})
}

// A refusal is remembered for all sessions of the account.
func TestRefusalOfOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, first := w.tryOnce(t.Context(), stranger, "portal")
		wantError(t, "first", first, refused)
		w.wantAsked(2, "with and without a source identity")
		_, err := w.tryOnce(t.Context(), stranger, "portal")
		if _, other := w.keyed(stranger, "ops").Credentials.Get(); err != first || other != first {
			t.Errorf("at once: %v and %v, want the same %v", err, other, first)
		}
		w.wantAsked(2, "at once")
		time.Sleep(refusalMemory)
		_, other := w.keyed(stranger, "ops").Credentials.Get()
		if _, err := w.tryOnce(t.Context(), stranger, "portal"); err != other {
			t.Errorf("after the refusal of another session: %v, want %v", err, other)
		}
		w.wantAsked(3, "later")
		if diff := cmp.Diff([]SessionResult{Refused, Refused, Refused, Refused, Refused}, w.results); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

// These errors are not refusals. They are those of other sessions, and nothing
// is remembered.
func TestFailuresOfOnce(t *testing.T) {
	t.Parallel()
	internal := func(code string) common.Error {
		return common.Error{Code: common.Internal, Message: "internal error", AWSCode: code}
	}
	for name, test := range map[string]struct {
		fault localaws.Fault
		tries int
		want  common.Error
	}{
		"unreadable policy":           {localaws.Fault{Code: "MalformedPolicyDocument"}, 1, internal("MalformedPolicyDocument")},
		"another validation error":    {localaws.Fault{Code: "ValidationError", Message: "1 validation error detected: Value 'a' at 'durationSeconds' failed"}, 1, internal("ValidationError")},
		"another error of a duration": {localaws.Fault{Code: "InvalidParameterValue", Message: "DurationSeconds is wrong"}, 1, internal("InvalidParameterValue")},
		"every duration is refused": {localaws.Fault{
			Code: "ValidationError", Message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		}, 5, internal("ValidationError")},
		"STS is broken": {localaws.Fault{Code: "InternalFailure", Status: 500}, 4, internal("InternalFailure")},
		"STS stalls":    {localaws.Fault{Delay: time.Hour}, 3, common.Error{Code: common.Timeout, Message: "AWS did not answer in time."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, lasting(12))
				test.fault.Operation = "sts:AssumeRole"
				mend := w.aws.Inject(test.fault)
				_, err := w.tryOnce(t.Context(), account, "portal")
				wantError(t, "at first", err, test.want)
				w.wantAsked(test.tries, "at first")
				mend()
				w.once(account, "portal")
				w.wantAsked(test.tries+1, "when it is mended")
				if diff := cmp.Diff([]SessionResult{Miss, Miss}, w.results); diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The deadline of the request holds for all of AssumeRole.
func TestDeadlineOfOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t) // sessions last an hour, so five calls are needed
		mend := w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Delay: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := w.tryOnce(ctx, account, "portal")
		wantError(t, "too late", err, common.Error{Code: common.Timeout, Message: "AWS did not answer in time."})
		if took := time.Since(start); took != 2500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		mend()
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Delay: 7 * time.Second})
		start = time.Now()
		_, err = w.tryOnce(t.Context(), account2, "portal")
		wantError(t, "no deadline, but our timeout", err, common.Error{Code: common.Timeout, Message: "AWS did not answer in time."})
		if took := time.Since(start); took > 25*time.Second {
			t.Errorf("it took %v", took)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		_, err = w.tryOnce(gone, account, "portal")
		wantError(t, "the caller has hung up", err, common.Error{Code: common.Canceled, Message: "The request was cancelled."})
	})
}

// Once keeps to the pace of the account's lane.
func TestPaceOfOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for range 200 { // so that the next place is ten seconds away
			w.roles.pace.limiters[unknownRoles].Reserve()
		}
		_, err := w.roles.Once(t.Context(), Want{Registry: registryOf(account2), Policy: listing(account2)})
		if err != errAccountLimit || w.asked() != 0 {
			t.Errorf("an account that is not known: %v", err)
		}
		w.once(account, "portal")
		w.results = nil
		if _, err = w.roles.Once(t.Context(), Want{Registry: registryOf(account), Policy: listing(account)}); err != nil {
			t.Errorf("an account whose role was assumed: %v", err)
		}
		if diff := cmp.Diff(map[Limit]int{NewAccounts: 1}, w.limits); diff != "" {
			t.Errorf("limits reached (-want +got):\n%s", diff)
		}
	})
}

// An account is known once its role was assumed by Once.
func TestOnceMakesAnAccountKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.roles.Once(t.Context(), Want{Registry: registryOf(account), Policy: listing(account)}); err != nil {
		t.Fatal(err)
	}
	if w.roles.accounts.known.Len() != 1 || w.roles.accounts.strangers.Len() != 0 {
		t.Error("the account is not known")
	}
}

// All who ask at the same time get a session each.
func TestOnceForManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var mu sync.Mutex
		var all sync.WaitGroup
		keys := map[string]bool{}
		for range 20 {
			all.Go(func() {
				s, err := w.tryOnce(t.Context(), account, "portal")
				if err == nil {
					err = errors.Join(w.list(s), w.list(s))
				}
				if err != nil {
					t.Error(err)
					return
				}
				key := s.fixed.AccessKeyID
				mu.Lock()
				defer mu.Unlock()
				keys[key] = true
			})
		}
		all.Wait()
		if len(keys) != 20 {
			t.Errorf("20 callers have %d sessions", len(keys))
		}
		before := w.asked()
		w.once(account, "portal")
		w.wantAsked(before+1, "when the longest time is known")
	})
}
