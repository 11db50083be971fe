package roles

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
)

// durationsAsked are the seconds of the AssumeRoles since the last call of
// durationsAsked.
func (w *world) durationsAsked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var asked []string
	for _, form := range w.forms {
		asked = append(asked, form.Get("DurationSeconds"))
	}
	w.forms = nil
	return asked
}

// inHours returns the seconds of each number of hours, as AssumeRole takes them.
func inHours(hours ...int) []string {
	var seconds []string
	for _, h := range hours {
		seconds = append(seconds, strconv.Itoa(h*3600))
	}
	return seconds
}

func (w *world) wantDurations(when string, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.durationsAsked()); diff != "" {
		w.t.Errorf("%s: durations asked for (-want +got):\n%s", when, diff)
	}
}

// setMax changes how long sessions may last, in both accounts.
func (w *world) setMax(hours int) {
	w.t.Helper()
	w.aws = newWorld(w.t, lasting(hours)).aws
}

func TestLongestDuration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hours int
		asked []string
		lasts time.Duration
	}{
		"12 hours":    {12, inHours(12), 12 * time.Hour},
		"11 hours":    {11, inHours(12, 6, 9, 10, 11), 11 * time.Hour},
		"10 hours":    {10, inHours(12, 6, 9, 10, 11), 10 * time.Hour},
		"9 hours":     {9, inHours(12, 6, 9, 10), 9 * time.Hour},
		"8 hours":     {8, inHours(12, 6, 9, 7, 8), 8 * time.Hour},
		"7 hours":     {7, inHours(12, 6, 9, 7, 8), 7 * time.Hour},
		"6 hours":     {6, inHours(12, 6, 9, 7), 6 * time.Hour},
		"5 hours":     {5, inHours(12, 6, 3, 4, 5), 5 * time.Hour},
		"4 hours":     {4, inHours(12, 6, 3, 4, 5), 4 * time.Hour},
		"3 hours":     {3, inHours(12, 6, 3, 4), 3 * time.Hour},
		"2 hours":     {2, inHours(12, 6, 3, 2), 2 * time.Hour},
		"not changed": {0, inHours(12, 6, 3, 2, 1), time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, lasting(test.hours))
				for _, asked := range [][]string{test.asked, inHours(int(test.lasts / time.Hour))} {
					s := w.once(account, "portal")
					if err := w.list(s); err != nil {
						t.Error(err)
					}
					if lasts := time.Until(s.Expires()); lasts != test.lasts {
						t.Errorf("it lasts %v", lasts)
					}
					w.wantDurations("each", asked...)
				}
				if diff := cmp.Diff([]SessionResult{Miss, Miss}, w.results); diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A lower maximum is found at once, and a higher one within an hour. Accounts
// are apart.
func TestMaximumThatChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lasting(12))
		w.once(account, "portal")
		w.setMax(4)
		w.once(account, "portal")
		w.wantDurations("lowered to four hours", inHours(12, 12, 6, 3, 4, 5)...)
		w.once(account, "portal")
		w.setMax(2)
		w.once(account, "portal")
		w.wantDurations("lowered to two hours", inHours(4, 4, 2, 3)...)
		w.setMax(9)
		w.once(account2, "portal")
		w.wantDurations("another account", inHours(12, 6, 9, 10)...)
		time.Sleep(durationRetry - time.Second)
		w.once(account, "portal")
		w.wantDurations("raised, before an hour has passed", inHours(2)...)
		time.Sleep(time.Second)
		w.once(account, "portal")
		w.wantDurations("raised, an hour later", inHours(12, 6, 9, 10)...)
		w.get(w.keyed(account, "portal"))
		w.wantDurations("a session that is renewed", "900")
	})
}

// What one request has found out is not forgotten because of another that
// began earlier.
func TestMaximumFoundByTwoAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lasting(1))
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Delay: time.Second, Times: 1})
		var slow sync.WaitGroup
		slow.Go(func() {
			if _, err := w.tryOnce(t.Context(), account, "portal"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		w.once(account, "portal")
		w.wantDurations("while the first waits", inHours(12, 12, 6, 3, 2, 1)...)
		slow.Wait()
		w.wantDurations("the first, when it is answered", inHours(1)...)
	})
}

// The longest session that AWS gave is answered if it is not known whether AWS
// gives a longer one. The next request goes on from there.
func TestFailureAmongDurations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lasting(10))
		mend := w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "InternalFailure", Status: 500,
			When: func(localaws.Call) bool { return w.asked() > 2 }})
		s := w.once(account, "portal")
		if lasts := time.Until(s.Expires()).Round(time.Hour); lasts != 6*time.Hour {
			t.Errorf("it lasts %v", lasts)
		}
		w.wantDurations("at first", inHours(12, 6, 9, 9, 9, 9)...)
		mend()
		w.once(account, "portal")
		w.wantDurations("when it is mended", inHours(9, 10, 11)...)
		w.once(account, "portal")
		w.wantDurations("then", inHours(10)...)
	})
}

// chained makes the service's own identity a session of a role.
func (w *world) chained(c *common.Config) {
	w.t.Helper()
	out, err := sts.New(w.session).AssumeRole(&sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::012345678901:role/service"), RoleSessionName: aws.String("service"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	own := out.Credentials
	sdk := w.session.Copy(&aws.Config{Credentials: credentials.NewStaticCredentials(*own.AccessKeyId, *own.SecretAccessKey, *own.SessionToken)})
	if w.roles, err = New(sdk, c, w); err != nil {
		w.t.Fatal(err)
	}
	w.durationsAsked()
}

// A session of a role gets no more than an hour. AWS looks at the maximum of the
// role first.
func TestDurationOfAChainedRole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hours int
		asked []string
	}{
		"12 hours": {12, inHours(12, 1)},
		"6 hours":  {6, inHours(12, 6, 1)},
		"1 hour":   {1, inHours(12, 6, 3, 2, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var config *common.Config
				w := newWorld(t, func(c *common.Config, o *localaws.Options) {
					config = c
					o.Roles = append(o.Roles, localaws.Role{Account: account, Name: "service", Trust: openTrust,
						Permissions: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`}})
				}, lasting(test.hours))
				w.chained(config)
				for _, asked := range [][]string{test.asked, inHours(1)} {
					s := w.once(account2, "portal")
					if lasts := time.Until(s.Expires()); lasts != time.Hour {
						t.Errorf("it lasts %v", lasts)
					}
					w.wantDurations("each", asked...)
				}
			})
		})
	}
}

// A role that takes no source identity is asked without one for the other
// durations, and is told of once.
func TestDurationsWithoutASourceIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, withoutSourceIdentity, lasting(9))
		w.once(account, "portal")
		w.once(account, "portal")
		w.wantIdentities("both", "portal", "", "", "", "", "")
		w.wantDurations("both", inHours(12, 12, 6, 9, 10, 9)...)
		if diff := cmp.Diff([]string{account}, w.warned); diff != "" {
			t.Errorf("warned of (-want +got):\n%s", diff)
		}
		time.Sleep(identityDoubt)
		w.once(account, "portal")
		w.wantIdentities("a minute later", "")
	})
}

// called keeps the codes of the calls to AWS.
type called struct {
	unobserved
	mu    sync.Mutex
	codes []common.Code
}

func (c *called) Called(_ context.Context, call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.codes = append(c.codes, call.Code)
}

// A duration that AWS refuses is no failure in metrics, costs no retry and
// changes no pace.
func TestRefusedDurationsAreNoFailures(t *testing.T) {
	t.Parallel()
	var config *common.Config
	w := newWorld(t, func(c *common.Config, _ *localaws.Options) { config = c })
	seen := new(called)
	sdk, err := NewSDKSession(config, seen)
	if err != nil {
		t.Fatal(err)
	}
	sdk.Config.HTTPClient.Transport = w
	if w.roles, err = New(sdk, config, seen); err != nil {
		t.Fatal(err)
	}
	w.once(account, "portal")
	const refused = common.BadRequest // which counts as a call that AWS has answered
	if diff := cmp.Diff([]common.Code{refused, refused, refused, refused, ""}, seen.codes); diff != "" {
		t.Errorf("codes of the calls (-want +got):\n%s", diff)
	}
	if credit := w.roles.budget.credit; credit != maxSavedRetries*callsPerRetry {
		t.Errorf("the budget of STS has a credit of %d", credit)
	}
	if w.roles.pace.rate != fullRate {
		t.Errorf("the rate is %v", w.roles.pace.rate)
	}
	if err := w.roles.accounts.get(account, true, seen).refused(); err != nil {
		t.Errorf("it is remembered as a refusal: %v", err)
	}
}
