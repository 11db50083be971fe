package roles

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

const (
	account  = "012345678901"
	account2 = "210987654321"
	stranger = "111111111111" // has no role for us
)

// A world is Roles with their own AWS. There is no network between the two, so
// synctest can advance the time whenever all goroutines wait.
type world struct {
	t       testing.TB
	aws     *localaws.Server
	session *session.Session
	roles   *Roles

	mu    sync.Mutex
	calls []localaws.Call
	forms []url.Values // of the AssumeRole calls

	unobserved
	results []SessionResult
	limits  map[Limit]int // how often each was reached
	warned  []string      // accounts without a source identity
}

// SessionRequested keeps the results.
func (w *world) SessionRequested(e SessionResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.results = append(w.results, e)
}

// LimitReached counts the limits.
func (w *world) LimitReached(l Limit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits[l]++
}

// NoSourceIdentity keeps the accounts.
func (w *world) NoSourceIdentity(account string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warned = append(w.warned, account)
}

func newWorld(t testing.TB, change ...func(*common.Config, *localaws.Options)) *world {
	t.Helper()
	w := &world{t: t, limits: map[Limit]int{}}
	options := localaws.Options{Watch: w.watch}
	for _, a := range []string{account, account2} {
		options.Roles = append(options.Roles, localaws.Role{Account: a, Name: "ecr-api", Trust: config.TrustPolicy, Permissions: []string{config.RolePolicy}})
	}
	c := common.Defaults()
	c.Org = "spindev"
	c.Account = common.Account{
		Region: "us-east-1", AKID: "AKID", Secret: "hush", ExternalID: "local", Role: "ecr-api", Endpoint: "http://aws.local",
	}
	for _, f := range change {
		f(c, &options)
	}
	var err error
	if w.aws, err = localaws.New(options); err != nil {
		t.Fatal(err)
	}
	if w.session, err = NewSDKSession(c, unobserved{}); err != nil {
		t.Fatal(err)
	}
	w.session.Config.HTTPClient.Transport = w
	if w.roles, err = New(w.session, c, w); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) watch(c localaws.Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
}

// RoundTrip passes a request of the SDK to the AWS, as net/http would.
func (w *world) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") == "AssumeRole" {
		w.mu.Lock()
		w.forms = append(w.forms, form)
		w.mu.Unlock()
	}
	in := r.Clone(r.Context())
	in.Host = r.URL.Host
	in.Header.Set("Content-Length", strconv.Itoa(len(body)))
	in.Body = io.NopCloser(bytes.NewReader(body))
	defer func() {
		if recover() != nil { // localaws closed the connection
			answer, err = nil, io.ErrUnexpectedEOF
		}
	}()
	recorder := httptest.NewRecorder()
	w.aws.ServeHTTP(recorder, in)
	return recorder.Result(), nil
}

// asked returns how often AssumeRole reached AWS.
func (w *world) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.forms)
}

func (w *world) wantAsked(n int, when string) {
	w.t.Helper()
	if got := w.asked(); got != n {
		w.t.Errorf("%s: AWS was asked %d times to assume a role, want %d", when, got, n)
	}
}

// listing is a session policy that allows listing the account's repositories in
// us-east-1.
func listing(account string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribeRepositories"],` +
		`"Resource":["arn:aws:ecr:us-east-1:` + account + `:repository/*"]}]}`
}

// showing is a session policy that allows describing the repositories of a
// group.
func showing(account, group string) string {
	return strings.Replace(listing(account), "repository/*", "repository/"+group+"/*", 1)
}

func registryOf(account string) common.Registry {
	return common.Registry{Partition: "aws", Region: "us-east-1", Account: account}
}

// listSession returns a session that may list the account's repositories.
func (w *world) listSession(account string) *Session { return w.sessionFor(account, listing(account)) }

func (w *world) sessionFor(account, policy string) *Session {
	return w.roles.Session(Want{Registry: registryOf(account), Policy: policy})
}

// get returns the session's credentials. The test fails if there are none.
func (w *world) get(s *Session) credentials.Value {
	w.t.Helper()
	value, err := s.Credentials.Get()
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

// list calls ECR in the session.
func (w *world) list(s *Session) error { return w.listWithin(w.t.Context(), s) }

func (w *world) listWithin(ctx context.Context, s *Session) error {
	return w.listRequest(ctx, s).Send()
}

func (w *world) listRequest(ctx context.Context, s *Session) *request.Request {
	r, _ := ecr.New(w.session).DescribeRepositoriesRequest(&ecr.DescribeRepositoriesInput{})
	r.SetContext(ctx)
	r.ApplyOptions(s.Apply)
	return r
}

var sixteenHex = regexp.MustCompile(`[0-9a-f]{16}$`)

// openTrust is a trust policy that lets the first account in, in any partition.
const openTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"AWS":"012345678901"}}}`

func TestAssumeRoleCall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*common.Config)
		want   map[string]string // the parameters that differ from the usual ones; "" means absent
	}{
		"as configured": {func(*common.Config) {}, map[string]string{
			"RoleArn": "arn:aws:iam::210987654321:role/ecr-api",
		}},
		"no external id": {func(c *common.Config) { c.Account.ExternalID = "" }, map[string]string{
			"ExternalId": "",
		}},
		"another role": {func(c *common.Config) { c.Account.Role = "other" }, map[string]string{
			"RoleArn": "arn:aws:iam::210987654321:role/other",
		}},
		"org that is no session name": {func(c *common.Config) { c.Org = "spin dev:1/_=.@-" }, map[string]string{
			"RoleSessionName":     "spinup-spin-dev-1-_=.@--ecr-api-HEX",
			"Tags.member.1.Value": "spin dev:1/_=.@-",
		}},
		"longest org": {func(c *common.Config) { c.Org = strings.Repeat("o", 64) }, map[string]string{
			"RoleSessionName":     "spinup-" + strings.Repeat("o", 32) + "-ecr-api-HEX",
			"Tags.member.1.Value": strings.Repeat("o", 64),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *common.Config, o *localaws.Options) {
				test.change(c)
				o.Roles = []localaws.Role{{Account: account2, Name: c.Account.Role, Trust: openTrust, Permissions: []string{config.RolePolicy}}}
			})
			w.get(w.listSession(account2))
			want := map[string]string{
				"Action":              "AssumeRole",
				"Version":             "2011-06-15",
				"RoleArn":             "arn:aws:iam::210987654321:role/ecr-api",
				"RoleSessionName":     "spinup-spindev-ecr-api-HEX",
				"ExternalId":          "local",
				"DurationSeconds":     "900",
				"Tags.member.1.Key":   "spinup:org",
				"Tags.member.1.Value": "spindev",
				"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribeRepositories"],` +
					`"Resource":["arn:aws:ecr:us-east-1:210987654321:repository/*"]}]}`,
			}
			for key, value := range test.want {
				want[key] = value
				if value == "" {
					delete(want, key)
				}
			}
			got := map[string]string{}
			for key, values := range w.forms[0] {
				got[key] = strings.Join(values, "|")
			}
			if n := len(got["RoleSessionName"]); n > 64 {
				t.Errorf("a session name of %d characters", n)
			}
			got["RoleSessionName"] = sixteenHex.ReplaceAllString(got["RoleSessionName"], "HEX")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("AssumeRole (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRoleOfAnotherPartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, o *localaws.Options) {
		c.Account.Region = "us-gov-west-1"
		o.Roles = []localaws.Role{{Account: account2, Name: "ecr-api", Trust: openTrust, Permissions: []string{config.RolePolicy}}}
	})
	govCloud := common.Registry{Partition: "aws-us-gov", Region: "us-gov-west-1", Account: account2}
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["*"],"Resource":["*"]}]}`
	w.get(w.roles.Session(Want{Registry: govCloud, Policy: policy}))
	got := []string{w.forms[0].Get("RoleArn"), w.forms[0].Get("Policy")}
	if diff := cmp.Diff([]string{"arn:aws-us-gov:iam::210987654321:role/ecr-api", policy}, got); diff != "" {
		t.Errorf("role and session policy (-want +got):\n%s", diff)
	}
}

// The session policy limits the calls of a session.
func TestSessionPolicyIsInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.listSession(account2)
	if err := w.list(c); err != nil {
		t.Fatal(err)
	}
	call := w.calls[len(w.calls)-1]
	got := localaws.Call{
		Service: call.Service, Operation: call.Operation, AccessKey: call.AccessKey, Account: call.Account, Region: call.Region,
		Principal: sixteenHex.ReplaceAllString(call.Principal, "HEX"), Policy: call.Policy,
	}
	if diff := cmp.Diff(localaws.Call{
		Service: "ecr", Operation: "DescribeRepositories", AccessKey: w.get(c).AccessKeyID, Account: account2, Region: "us-east-1",
		Principal: "arn:aws:sts::210987654321:assumed-role/ecr-api/spinup-spindev-ecr-api-HEX",
		Policy:    listing(account2),
	}, got); diff != "" {
		t.Errorf("call of ECR (-want +got):\n%s", diff)
	}
}

func TestFirstUsersShareOneSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Delay: 50 * time.Millisecond})
	var users sync.WaitGroup
	start := make(chan struct{})
	values := make([]credentials.Value, 100)
	for i := range values {
		users.Go(func() {
			<-start
			var err error
			if values[i], err = w.listSession(account).Credentials.Get(); err != nil {
				t.Error(err)
			}
		})
	}
	close(start)
	users.Wait()
	w.wantAsked(1, "100 first users")
	if n := len(slices.Compact(values)); n != 1 {
		t.Errorf("they have %d sessions", n)
	}
}

func TestSessionsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.sessionFor(account, listing(account))
	if again := w.sessionFor(account, listing(account)); again != first {
		t.Error("the same account and policy get another session")
	}
	seen := map[string]string{w.get(first).AccessKeyID: "the first"}
	for i, test := range []struct{ name, account, policy string }{
		{"another account", account2, listing(account2)},
		{"another account under the same policy", account2, listing(account)},
		{"another group", account, showing(account, "g")},
		{"a third group", account, showing(account, "h")},
		{"the same policy, written with a space", account, listing(account) + " "},
	} {
		s := w.sessionFor(test.account, test.policy)
		if other, ok := seen[w.get(s).AccessKeyID]; ok {
			t.Errorf("%s has the session of %s", test.name, other)
		}
		seen[w.get(s).AccessKeyID] = test.name
		w.wantAsked(i+2, test.name)
	}
	names := map[string]bool{}
	for _, form := range w.forms {
		names[form.Get("RoleSessionName")] = true
	}
	if len(names) != len(seen) {
		t.Errorf("%d names for %d sessions", len(names), len(seen))
	}
}

// A session of 15 minutes is renewed when it has five left.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.listSession(account)
		first := w.get(c)
		for _, test := range []struct {
			pass  time.Duration
			asked int
		}{
			{5 * time.Minute, 1},
			{4*time.Minute + 59*time.Second, 1},
			{2 * time.Second, 2},
			{9 * time.Minute, 2},
			{2 * time.Minute, 3},
			{24 * time.Hour, 4},
		} {
			time.Sleep(test.pass)
			got := w.get(c)
			w.wantAsked(test.asked, test.pass.String()+" later")
			if renewed := got != first; renewed != (test.asked > 1) {
				t.Errorf("%v later: other credentials: %v", test.pass, renewed)
			}
			if err := w.list(c); err != nil {
				t.Errorf("%v later: %v", test.pass, err)
			}
		}
	})
}

// If AWS says that a session has expired, the session is dropped and the call
// is repeated once.
func TestExpiredSessionIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.listSession(account)
		first := w.get(c)
		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Status: 400, Times: 1})
		if err := w.list(c); err != nil {
			t.Error(err)
		}
		w.wantAsked(2, "after the session was called expired")
		if w.get(c) == first {
			t.Error("the session is still the expired one")
		}

		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Status: 400})
		w.mu.Lock()
		w.calls = nil
		w.mu.Unlock()
		var fault awserr.Error
		if err := w.list(c); !errors.As(err, &fault) || fault.Code() != "ExpiredTokenException" {
			t.Errorf("where every session is called expired: %v", err)
		}
		var operations []string
		for _, call := range w.calls {
			operations = append(operations, call.Operation)
		}
		if diff := cmp.Diff([]string{"DescribeRepositories", "AssumeRole", "DescribeRepositories"}, operations); diff != "" {
			t.Errorf("calls where every session is called expired (-want +got):\n%s", diff)
		}
	})
}

// wantError compares an error with the one wanted, without its cause and AWS's
// request id.
func wantError(t *testing.T, name string, err error, want common.Error) {
	t.Helper()
	var got *common.Error
	if !errors.As(err, &got) {
		t.Errorf("%s: %v is not a common.Error", name, err)
		return
	}
	bare := *got
	bare.Cause, bare.AWSRequestID = nil, ""
	if diff := cmp.Diff(want, bare); diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
	}
	if got.Cause == nil || (got.AWSRequestID != "") != (want.AWSCode != "") {
		t.Errorf("%s: cause %v, AWS's request id %q", name, got.Cause, got.AWSRequestID)
	}
}

var refused = common.Error{
	Code: common.RoleRefused,
	Message: "AWS refused sts:AssumeRole for the role ecr-api of that account. Look at the role's trust policy, at the external id and sts:TagSession in it, " +
		"and at the permission of the service's own identity to assume the role.",
	AWSCode: "AccessDenied",
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, first := w.listSession(stranger).Credentials.Get()
		wantError(t, "first", first, refused)
		w.wantAsked(1, "first")

		time.Sleep(4 * time.Second)
		for _, c := range []*Session{
			w.listSession(stranger),
			w.sessionFor(stranger, showing(stranger, "g")),
			w.sessionFor(stranger, showing(stranger, "h")),
		} {
			if _, err := c.Credentials.Get(); err != first {
				t.Errorf("4 s later: %v, want the same %v", err, first)
			}
			wantError(t, "of an ECR call", w.list(c), refused)
		}
		w.wantAsked(1, "4 s later")

		w.get(w.listSession(account))
		w.get(w.listSession(account2))
		w.wantAsked(3, "other accounts")

		time.Sleep(time.Second)
		_, err := w.listSession(stranger).Credentials.Get()
		wantError(t, "5 s later", err, refused)
		if err == first {
			t.Error("5 s later: it is still the first refusal")
		}
		w.wantAsked(4, "5 s later")
	})
}

func TestRefusalIsForgottenWhenItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Code: "AccessDenied", Status: 403, Times: 1})
		c := w.listSession(account)
		_, err := c.Credentials.Get()
		wantError(t, "refused", err, refused)
		time.Sleep(5 * time.Second)
		w.get(c)
		w.wantAsked(2, "5 s later")
	})
}

// These errors are not refusals, so they are not remembered.
func TestFailures(t *testing.T) {
	t.Parallel()
	internal := func(code string) common.Error {
		return common.Error{Code: common.Internal, Message: "internal error", AWSCode: code}
	}
	for name, test := range map[string]struct {
		fault localaws.Fault
		tries int
		want  common.Error
	}{
		"unknown access key":  {localaws.Fault{Code: "InvalidClientTokenId", Status: 403}, 1, internal("InvalidClientTokenId")},
		"wrong secret":        {localaws.Fault{Code: "SignatureDoesNotMatch", Status: 403}, 1, internal("SignatureDoesNotMatch")},
		"own session expired": {localaws.Fault{Code: "ExpiredToken", Status: 403}, 2, internal("ExpiredToken")},
		"region not enabled":  {localaws.Fault{Code: "RegionDisabledException", Status: 403}, 1, internal("RegionDisabledException")},
		"unreadable policy":   {localaws.Fault{Code: "MalformedPolicyDocument"}, 1, internal("MalformedPolicyDocument")},
		"policy too large":    {localaws.Fault{Code: "PackedPolicyTooLarge"}, 1, internal("PackedPolicyTooLarge")},
		"STS is broken":       {localaws.Fault{Code: "InternalFailure", Status: 500}, 4, internal("InternalFailure")},
		"STS is down":         {localaws.Fault{Code: "ServiceUnavailable", Status: 503}, 4, internal("ServiceUnavailable")},
		"no answer":           {localaws.Fault{Drop: true}, 4, internal("")},
		"STS throttles": {localaws.Fault{Code: "Throttling"}, 4, common.Error{
			Code:    common.Throttled,
			Message: "AWS STS limits how fast this service's own account may ask for sessions, in all accounts together. The limit is reached. Try again later.",
			AWSCode: "Throttling",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				test.fault.Operation = "sts:AssumeRole"
				mend := w.aws.Inject(test.fault)
				_, err := w.listSession(account).Credentials.Get()
				wantError(t, "at first", err, test.want)
				w.wantAsked(test.tries, "at first")
				mend()
				w.get(w.listSession(account))
				w.wantAsked(test.tries+1, "when it is mended")
			})
		})
	}
}

// The SDK renews without the caller's deadline, so a renewal has its own
// timeout.
func TestStalledSTS(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Delay: time.Hour})
		start := time.Now()
		_, err := w.listSession(account).Credentials.Get()
		wantError(t, "stalled", err, common.Error{Code: common.Timeout, Message: "AWS did not answer in time."})
		w.wantAsked(3, "stalled")
		if took := time.Since(start); took > 25*time.Second {
			t.Errorf("three attempts took %v", took)
		}
	})
}

// A renewal continues when one caller hangs up, because others may wait for it.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.aws.Inject(localaws.Fault{Operation: "sts:AssumeRole", Delay: 3 * time.Second})
		c := w.listSession(account)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Credentials.GetWithContext(ctx)
		wantError(t, "left", common.FromAWS(err, nil, ""), common.Error{
			Code: common.Timeout, Message: "AWS did not answer in time.",
		})
		if took := time.Since(start); took != time.Second {
			t.Errorf("hanging up took %v", took)
		}
		time.Sleep(2 * time.Second)
		w.get(c)
		w.wantAsked(1, "the next caller")
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get(w.listSession(account))
	used := w.sessionFor(account, showing(account, "used"))
	idle := w.sessionFor(account, showing(account, "idle"))
	for i := range 3 * maxSessions {
		id := strconv.Itoa(i)
		w.sessionFor(account, showing(account, id))
		w.sessionFor(id, "a stranger's")
		w.first("listed "+id, true)
		if w.sessionFor(account, showing(account, "used")) != used {
			t.Fatalf("after %d other sessions, the session in use is gone", i)
		}
	}
	if w.sessionFor(account, showing(account, "idle")) == idle {
		t.Error("the least recently used session is still there")
	}
	for name, n := range map[string]int{
		"sessions":            w.roles.sessions.Len(),
		"strangers' sessions": w.roles.strangers.Len(),
		"known accounts":      w.roles.accounts.known.Len(),
		"strangers":           w.roles.accounts.strangers.Len(),
	} {
		if n != maxSessions {
			t.Errorf("%d %s are kept", n, name)
		}
	}
}

// The observer gets the result of each request for a session.
func TestSessionResults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		use := func(account string) { w.list(w.listSession(account)) }
		use(account)
		use(account)
		use(stranger)
		use(stranger) // the refusal is remembered
		time.Sleep(sessionDuration)
		use(account)
		use(account)
		if diff := cmp.Diff([]SessionResult{Miss, Hit, Refused, Refused, Miss, Hit}, w.results); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}
