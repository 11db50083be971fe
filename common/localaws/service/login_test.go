//lint:file-ignore SA1019 The service uses the SDK's first version.

package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/aws/aws-sdk-go/aws/credentials"
	v4 "github.com/aws/aws-sdk-go/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// house is a server of a service with which a caller can get a password.
type house struct {
	*service.Server
	sessions *service.Sessions
	keys     testKeys
	fault    service.Fault

	mu    sync.Mutex
	now   time.Time
	calls []service.Call
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{sessions: service.NewSessions(), now: awstest.Noon}
	none := func(*service.Request, noInput) []service.Permission { return nil }
	read := func(_ *service.Request, in layerInput) []service.Permission {
		return []service.Permission{{Action: "house:Read", Resource: awstest.RepositoryARN(awstest.Other, in.repository)}}
	}
	h.Server = service.NewServer(service.Options{
		Services: []service.Service{{Name: "house", Protocol: service.JSON{Prefix: "House."}, Operations: []service.Operation{
			service.Row("GetPassword", func(*service.Request, []byte) (noInput, error) { return noInput{}, nil }, none, newPassword),
			service.Row("Read", nil, read, readLayer),
		}}},
		Sessions: h.sessions,
		UserKeys: &h.keys,
		Now:      h.time,
		Watch:    h.watch,
		FaultFor: func(service.Call) service.Fault { return h.fault },
	})
	return h
}

func (h *house) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) watch(c service.Call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
}

type noInput struct{}

func (noInput) Check(*service.Request) error { return nil }

// newPassword answers the password, and when AWS says that it ends.
func newPassword(c *service.Request, _ noInput) (any, error) {
	text, expires := c.NewPassword()
	return map[string]any{"password": text, "expires": expires}, nil
}

// layerInput asks for a layer, which has its text.
type layerInput struct{ repository, layer string }

func (in layerInput) Check(*service.Request) error {
	if in.layer == "" {
		return service.Errorf("InvalidParameterException", "no layer")
	}
	return nil
}

// readLayer answers the layer, or the part of it that a fault lets through.
func readLayer(c *service.Request, in layerInput) (any, error) {
	text, err := io.ReadAll(c.Flow(strings.NewReader(in.layer)))
	return string(text), err
}

// session issues a session for an hour. It may read in group/one only.
func (h *house) session(t *testing.T, account string) *service.Session {
	t.Helper()
	permissions, err := policy.Parse(awstest.AllowAll)
	awstest.Must(t, err)
	const text = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"house:Read","Resource":"arn:aws:ecr:*:*:repository/group/one"}}`
	limit, err := policy.Parse(text)
	awstest.Must(t, err)
	s := &service.Session{
		Principal:   service.Principal{Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/ecr-api/me", SourceIdentity: "rj45"},
		Expires:     h.time().Add(time.Hour),
		Permissions: []policy.Policy{permissions}, SessionPolicy: &limit, SessionPolicyText: text,
	}
	h.sessions.Issue(s, h.time())
	return s
}

// password asks for a password, as the administrator if there is no session.
func (h *house) password(t *testing.T, s *service.Session) string {
	t.Helper()
	by := credentials.NewStaticCredentials("key", "secret", "")
	if s != nil {
		by = credentials.NewStaticCredentials(s.AccessKey, s.Secret, s.Token)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("X-Amz-Target", "House.GetPassword")
	awstest.Must(t, awstest.ErrorOf(v4.NewSigner(by).Sign(r, strings.NewReader("{}"), "house", awstest.Here, h.time())))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct {
		Password string
		Expires  time.Time
	}
	awstest.Must(t, json.Unmarshal(w.Body.Bytes(), &answer))
	if want := h.time().Add(12 * time.Hour); answer.Password == "" || !answer.Expires.Equal(want) {
		t.Fatalf("status %d, %s; want a password until %v", w.Code, w.Body, want)
	}
	return answer.Password
}

func (h *house) logIn(user, password string) (*service.Login, error) {
	r := httptest.NewRequest(http.MethodGet, "/v2/", nil)
	r.SetBasicAuth(user, password)
	return h.LogIn(r)
}

// wantLogin fails the test unless a login with the password has this error: ""
// for none, a code, or the text of ErrNoLogin.
func (h *house) wantLogin(t *testing.T, when, password, want string) {
	t.Helper()
	got := ""
	if _, err := h.logIn("AWS", password); err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s: error %q, want %q", when, got, want)
	}
}

const (
	noLogin      = "the request has no valid user name and password"
	expiredLogin = "ExpiredTokenException: Your authorization token has expired. Reauthenticate and try again."
)

func TestLogIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	good := h.password(t, nil)
	for name, test := range map[string]struct {
		user, password string
		want           error
	}{
		"good":             {"AWS", good, nil},
		"other user":       {"aws", good, service.ErrNoLogin},
		"no user":          {"", good, service.ErrNoLogin},
		"other password":   {"AWS", good + "A", service.ErrNoLogin},
		"part of password": {"AWS", good[1:], service.ErrNoLogin},
		"no password":      {"AWS", "", service.ErrNoLogin},
		"swapped":          {good, "AWS", service.ErrNoLogin},
	} {
		login, err := h.logIn(test.user, test.password)
		if !errors.Is(err, test.want) || (err == nil) != (login != nil) {
			t.Errorf("%s: %v, %v, want %v", name, login, err, test.want)
		}
		if err == nil && login.Region() != awstest.Here {
			t.Errorf("%s: region %q", name, login.Region())
		}
	}
	if _, err := h.LogIn(httptest.NewRequest(http.MethodGet, "/v2/", nil)); err != service.ErrNoLogin {
		t.Errorf("without credentials: %v", err)
	}
	if again := h.password(t, nil); again == good {
		t.Error("the same password was given twice")
	}
}

// TestPasswordsEnd shows that a password ends after twelve hours, or with the
// session that asked for it.
func TestPasswordsEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	session := h.session(t, awstest.Other)
	ofSession, ofAdministrator := h.password(t, session), h.password(t, nil)
	h.advance(30 * time.Minute)
	later := h.password(t, session)
	for _, test := range []struct {
		after         time.Duration
		session, root string // the errors
	}{
		{30*time.Minute - time.Second, "", ""},
		{time.Second, expiredLogin, ""},
		{11*time.Hour - time.Second, expiredLogin, ""},
		{time.Second, expiredLogin, expiredLogin},
	} {
		h.advance(test.after)
		h.wantLogin(t, "session", ofSession, test.session)
		h.wantLogin(t, "session, asked later", later, test.session)
		h.wantLogin(t, "administrator", ofAdministrator, test.root)
	}
}

// TestForgottenPasswords shows that a password is unknown when its session is,
// also if the session was forgotten while the call that asked was answered.
func TestForgottenPasswords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const here = service.AdministratorAccount
	sessionHere, sessionThere := h.session(t, here), h.session(t, awstest.Other)
	ofHere, ofThere, ofAdministrator := h.password(t, sessionHere), h.password(t, sessionThere), h.password(t, nil)
	h.sessions.Forget(here)
	h.wantLogin(t, "forgotten", ofHere, noLogin)
	h.wantLogin(t, "other account", ofThere, "")
	h.wantLogin(t, "administrator", ofAdministrator, "")

	h.fault = testFault{before: func() error {
		h.sessions.Forget(awstest.Other)
		return nil
	}}
	late := h.password(t, sessionThere)
	h.fault = nil
	h.wantLogin(t, "forgotten before the answer", late, noLogin)
}

// testFault does what its functions do, those that it has.
type testFault struct {
	before func() error
	flow   func(layer io.Reader) io.Reader
	after  func(out any, err error) (any, error)
}

func (f testFault) Before(context.Context) error {
	if f.before == nil {
		return nil
	}
	return f.before()
}

func (f testFault) Flow(_ context.Context, layer io.Reader) io.Reader {
	if f.flow == nil {
		return layer
	}
	return f.flow(layer)
}

func (f testFault) After(_ context.Context, out any, err error) (any, error) {
	if f.after == nil {
		return out, err
	}
	return f.after(out, err)
}

// ownFields are the fields of a call that differ from one to the next.
var ownFields = cmpopts.IgnoreFields(service.Call{}, "RequestID", "Start", "End")

func TestPerform(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		session             bool
		service, operation  string
		repository, layer   string
		want                string // the answer
		wantCode, wantError string
	}{
		"administrator":     {false, "house", "Read", "group/two", "text", "text", "", ""},
		"session":           {true, "house", "Read", "group/one", "text", "text", "", ""},
		"not allowed":       {true, "house", "Read", "group/two", "text", "", "AccessDeniedException", "User: arn:aws:sts::210987654321:assumed-role/ecr-api/me is not authorized to perform: house:Read on resource: arn:aws:ecr:us-east-1:210987654321:repository/group/two because no session policy allows the house:Read action"},
		"bad input":         {true, "house", "Read", "group/two", "", "", "InvalidParameterException", "no layer"},
		"unknown operation": {true, "house", "Write", "group/one", "text", "", "UnknownOperationException", "there is no operation house:Write here"},
		"unknown service":   {true, "home", "Read", "group/one", "text", "", "UnknownOperationException", `there is no service "home" here, only house`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			want := service.Call{Service: test.service, Operation: test.operation, Repository: test.repository, Region: awstest.Here, ErrorCode: test.wantCode,
				AccessKey: "key", Account: "012345678901", Principal: "arn:aws:iam::012345678901:user/administrator"}
			var session *service.Session
			if test.session {
				session = h.session(t, awstest.Other)
				want.AccessKey, want.Account, want.Principal = session.AccessKey, awstest.Other, session.Principal.ARN
				want.SourceIdentity, want.Policy = "rj45", session.SessionPolicyText
			}
			login, err := h.logIn("AWS", h.password(t, session))
			awstest.Must(t, err)
			out, err := login.Perform(test.service, test.operation, test.repository, layerInput{test.repository, test.layer})
			wantOutcome(t, out, err, test.want, test.wantCode, test.wantError)
			if diff := cmp.Diff(want, h.calls[len(h.calls)-1], ownFields); diff != "" {
				t.Errorf("call (-want +got):\n%s", diff)
			}
		})
	}
}

// wantOutcome compares what Perform returns. The answer of an error is "".
func wantOutcome(t *testing.T, out any, err error, want, code, message string) {
	t.Helper()
	if text, _ := out.(string); text != want {
		t.Errorf("answer %q, want %q", text, want)
	}
	var e *service.Error
	switch {
	case code == "" && err != nil:
		t.Errorf("error %v", err)
	case code != "" && (!errors.As(err, &e) || e.Code != code || e.Message != message):
		t.Errorf("error %v, want %s: %s", err, code, message)
	}
}

// TestPerformWithFault shows that a fault can act before the work, in it and
// after it.
func TestPerformWithFault(t *testing.T) {
	t.Parallel()
	failure := &service.Error{Code: "X", Message: "fault", Status: 503}
	for name, test := range map[string]struct {
		fault     testFault
		want      string
		code, why string
	}{
		"before":   {testFault{before: func() error { return failure }}, "", "X", "fault"},
		"cut off":  {testFault{flow: func(layer io.Reader) io.Reader { return io.LimitReader(layer, 2) }}, "te", "", ""},
		"after":    {testFault{after: func(any, error) (any, error) { return nil, failure }}, "", "X", "fault"},
		"no Error": {testFault{before: func() error { return io.ErrUnexpectedEOF }}, "", "ServerException", "unexpected EOF"},
		"stopped":  {testFault{flow: func(layer io.Reader) io.Reader { return io.MultiReader(io.LimitReader(layer, 2), failing{failure}) }}, "te", "X", "fault"},
	} {
		h := newHouse(t)
		login, err := h.logIn("AWS", h.password(t, nil))
		awstest.Must(t, err)
		h.fault = test.fault
		out, err := login.Perform("house", "Read", "group/one", layerInput{"group/one", "text"})
		t.Log(name)
		wantOutcome(t, out, err, test.want, test.code, test.why)
		if c := h.calls[len(h.calls)-1]; c.ErrorCode != test.code {
			t.Errorf("%s: error code %q of the call, want %q", name, c.ErrorCode, test.code)
		}
	}
}

// TestFlowLater shows that the bytes that flow after a call do not keep the call
// in memory.
func TestFlowLater(t *testing.T) {
	t.Parallel()
	call, flow := func() (weak.Pointer[service.Request], service.Flow) {
		c := &service.Request{}
		return weak.Make(c), c.FlowLater()
	}()
	runtime.GC()
	if call.Value() != nil {
		t.Error("the call is kept")
	}
	if text, err := io.ReadAll(flow(t.Context(), strings.NewReader("text"))); err != nil || string(text) != "text" {
		t.Errorf("%q (%v)", text, err)
	}
}

// failing is a reader that fails.
type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// TestLoginsAtOnce shows that the callers of several accounts do not disturb
// each other.
func TestLoginsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var all sync.WaitGroup
	for _, account := range []string{"111111111111", "222222222222", "333333333333"} {
		all.Go(func() {
			for range 50 {
				password := h.password(t, h.session(t, account))
				login, err := h.logIn("AWS", password)
				if err != nil {
					t.Error(err)
					return
				}
				out, err := login.Perform("house", "Read", "group/one", layerInput{"group/one", "text"})
				wantOutcome(t, out, err, "text", "", "")
				h.sessions.Forget(account)
				h.wantLogin(t, account, password, noLogin)
			}
		})
	}
	all.Wait()
}
