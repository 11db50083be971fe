package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/test/openapi"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

const (
	account  = "012345678901"
	account2 = "210987654321"
	region   = "us-east-1"
	org      = "spindev"
	key      = "the pre-shared key"
	base     = "/v1/ecr/" + account + "/repositories"
)

// awsClock is the time of the local AWS. It stands still, so that tests know
// the times in answers. It is far ahead of the SDK's clock, so that sessions do
// not expire.
var awsClock = time.Date(2040, 12, 14, 15, 34, 18, 0, time.UTC)

// token returns a good X-Auth-Token of bcrypt's lowest cost.
var token = sync.OnceValue(func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte(key), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(hash)
})

// Most tests wait for retries and not for a core, so many run at the same time.
// Fuzzing does not wait. A mistake in the table or in the OpenAPI document
// would make every test fail, so it is told once. The local AWS has no
// certificates, so no test needs to read a bundle of them.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Unsetenv("AWS_CA_BUNDLE")
	_, err := openapi.Parse(openAPIDocument())
	if err := errors.Join(checkRoutes(routes, pathVars), err); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if flag.Lookup("test.fuzz").Value.String() == "" {
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// A world is a service with an AWS of its own.
type world struct {
	t       testing.TB
	aws     *localaws.Server
	service *Service
	url     string
	log     *lockedBuffer
	later   atomic.Int64        // seconds since awsClock
	after   func(localaws.Call) // if set, runs after each call to AWS and before its answer

	unspecified bool // its handlers are not the service's, so the OpenAPI document does not know their answers

	mu    sync.Mutex
	calls []localaws.Call
}

// newWorld starts a service for the test. The options change its configuration
// and its table of routes.
func newWorld(t testing.TB, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	return newWorldWith(t, rolesOf(config.RolePolicy, account, account2), change...)
}

// rolesOf returns the management role of each account, with these permissions
// and those for docker credentials, Inspector and users, and a role "auditor" that
// may do everything.
func rolesOf(permissions string, accounts ...string) []localaws.Role {
	const everything = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}`
	var roles []localaws.Role
	for _, a := range accounts {
		roles = append(roles,
			localaws.Role{Account: a, Name: "ecr-api", Trust: config.TrustPolicy,
				Permissions:        []string{permissions, config.CredentialsPolicy, config.InspectorPolicy, usersPermissions},
				MaxSessionDuration: 12 * 60 * 60},
			localaws.Role{Account: a, Name: "auditor", Trust: config.TrustPolicy, Permissions: []string{everything}})
	}
	return roles
}

// newWorldWith is newWorld with other roles.
func newWorldWith(t testing.TB, roles []localaws.Role, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	w := &world{t: t, log: &lockedBuffer{}}
	aws, err := localaws.New(localaws.Options{
		Roles: roles,
		Now:   func() time.Time { return awsClock.Add(time.Duration(w.later.Load()) * time.Second) },
		Watch: w.watch,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.aws = aws
	t.Cleanup(func() {
		if err := aws.Close(); err != nil {
			t.Error(err)
		}
	})
	awsServer := httptest.NewServer(aws)
	t.Cleanup(awsServer.Close)

	c := common.Defaults()
	c.Account = common.Account{
		Region: region, AKID: "local", Secret: "local", ExternalID: "local", Role: "ecr-api", Endpoint: awsServer.URL,
	}
	c.Token = common.Keys{{Name: "default", Secret: key}}
	c.Org = org
	c.Users = common.Users{Boundary: "ecr-api-users", FormerGroup: "former"}
	w.setUpUsers(roles)
	table := append([]route(nil), routes...)
	for _, f := range change {
		f(c, &table)
	}
	logger := logrus.New()
	logger.SetOutput(w.log)
	logger.SetFormatter(common.LogFormatter{})
	service, err := newService(Options{Config: c, Log: logger}, table)
	if err != nil {
		t.Fatal(err)
	}
	w.service = service
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *world) watch(c localaws.Call) {
	w.mu.Lock()
	w.calls = append(w.calls, c)
	w.mu.Unlock()
	if w.after != nil {
		w.after(c)
	}
}

// changeAnswers returns an option for newWorld. It changes the bodies of AWS's
// answers on their way to the service.
func changeAnswers(t *testing.T, change func(operation, body string) string) func(*common.Config, *[]route) {
	type operationKey struct{}
	return func(c *common.Config, _ *[]route) {
		aws, err := url.Parse(c.Account.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(aws)
		proxy.ModifyResponse = func(answer *http.Response) error {
			body, err := io.ReadAll(answer.Body)
			changed := change(answer.Request.Context().Value(operationKey{}).(string), string(body))
			answer.Body = io.NopCloser(strings.NewReader(changed))
			answer.Header.Set("Content-Length", strconv.Itoa(len(changed)))
			return err
		}
		between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			_, operation, isECR := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
			if form, err := url.ParseQuery(string(body)); err == nil && !isECR {
				operation = form.Get("Action")
			}
			proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), operationKey{}, operation)))
		}))
		t.Cleanup(between.Close)
		c.Account.Endpoint = between.URL
	}
}

// forget drops the calls seen so far.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = nil
}

// called returns "service:Operation" of each call to AWS since forget.
func (w *world) called() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var operations []string
	for _, c := range w.calls {
		operations = append(operations, c.Service+":"+c.Operation)
	}
	return operations
}

// addRepository adds a repository of the org to the account. An empty org makes
// an untagged repository.
func (w *world) addRepository(account, name, org string) {
	w.t.Helper()
	tags := map[string]string{}
	if org != "" {
		group, _, _ := strings.Cut(name, "/")
		tags = map[string]string{"Name": name, "spinup:org": org, "spinup:spaceid": group}
	}
	if err := w.aws.AddRepository(account, region, name, tags); err != nil {
		w.t.Fatal(err)
	}
}

// An exchange is a request and its whole answer.
type exchange struct {
	name   string
	method string
	path   string
	header map[string]string // in addition to the token and X-Request-Id: test
	body   string
	status int
	want   string // the body as JSON; "-" if this test does not compare it
	wants  http.Header
}

// run sends the requests one after another, and compares the answers.
func (w *world) run(exchanges ...exchange) {
	w.t.Helper()
	for _, e := range exchanges {
		status, header, body := w.do(e)
		label := e.name
		if label == "" {
			label = e.method + " " + e.path
		}
		if status != e.status {
			w.t.Errorf("%s: status %d, want %d: %s", label, status, e.status, body)
			continue
		}
		for k := range e.wants {
			if got := header.Get(k); got != e.wants.Get(k) {
				w.t.Errorf("%s: %s: %q, want %q", label, k, got, e.wants.Get(k))
			}
		}
		if e.want == "-" {
			continue
		}
		if diff := cmp.Diff(parse(w.t, e.want), normalized(parse(w.t, body))); diff != "" {
			w.t.Errorf("%s: answer (-want +got):\n%s", label, diff)
		}
	}
}

func (w *world) do(e exchange) (status int, header http.Header, body string) {
	w.t.Helper()
	r, err := http.NewRequest(e.method, w.url+e.path, strings.NewReader(e.body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token())
	r.Header.Set("X-Request-Id", "test")
	for k, v := range e.header {
		if v == "" {
			r.Header.Del(k)
			continue
		}
		r.Header.Set(k, v)
	}
	response, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	w.check(response)
	content, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(content)
}

// document is the OpenAPI document. Every answer must agree with it.
var document = sync.OnceValue(func() *openapi.Document {
	d, err := openapi.Parse(openAPIDocument())
	if err != nil {
		panic(err)
	}
	return d
})

// check compares an answer with the OpenAPI document.
func (w *world) check(answer *http.Response) {
	w.t.Helper()
	if _, benchmark := w.t.(*testing.B); benchmark || w.unspecified {
		return
	}
	if err := document().Check(answer); err != nil {
		w.t.Error(err)
	}
}

func parse(t testing.TB, document string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatalf("not JSON: %v: %q", err, document)
	}
	return value
}

// normalized replaces AWS's request id by "aws", since it is random.
func normalized(answer any) any {
	if object, ok := answer.(map[string]any); ok && object["awsRequestId"] != nil {
		object["awsRequestId"] = "aws"
	}
	return answer
}

// statusByCode has the status of each code that a problem document may have.
// The code canceled has a status too, but nobody gets that answer.
var statusByCode = map[string]int{
	"bad-request":          400,
	"token-missing":        403,
	"token-refused":        403,
	"key-limited":          403,
	"role-refused":         403,
	"denied-by-aws":        403,
	"other-org":            403,
	"path-unknown":         404,
	"account-unknown":      404,
	"repository-not-found": 404,
	"image-not-found":      404,
	"lifecycle-not-found":  404,
	"preview-not-found":    404,
	"users-off":            404,
	"user-not-found":       404,
	"access-key-not-found": 404,
	"method-not-allowed":   405,
	"repository-exists":    409,
	"repository-not-empty": 409,
	"image-in-index":       409,
	"tag-moved":            409,
	"image-is-index":       409,
	"scanned-by-registry":  409,
	"preview-under-way":    409,
	"sharing-changed":      409,
	"principal-gone":       409,
	"user-exists":          409,
	"user-conflict":        409,
	"two-access-keys":      409,
	"body-too-large":       413,
	"throttled":            429,
	"quota-reached":        429,
	"canceled":             499,
	"internal":             500,
	"too-many-requests":    503,
	"too-many-tokens":      503,
	"stopping":             503,
	"cannot-log":           503,
	"timeout":              504,
}

// titles are the titles of problem documents, by status.
var titles = map[int]string{
	400: "Bad Request",
	403: "Forbidden",
	404: "Not Found",
	405: "Method Not Allowed",
	409: "Conflict",
	413: "Request Entity Too Large",
	429: "Too Many Requests",
	500: "Internal Server Error",
	503: "Service Unavailable",
	504: "Gateway Timeout",
}

// problemOf returns the problem document with that code. TestProblemDocuments
// has whole documents, written out.
func problemOf(code, detail string) string {
	status := statusByCode[code]
	return fmt.Sprintf(`{"type": "about:blank", "title": %s, "status": %d, "detail": %s, "code": %s, "requestId": "test"}`,
		jsonOf(titles[status]), status, jsonOf(detail), jsonOf(code))
}

// with adds members to a JSON object.
func with(object, members string) string {
	return strings.TrimSuffix(object, "}") + ", " + members + "}"
}

// problemByAWS returns the problem document with that code for an error that
// AWS answered.
func problemByAWS(code, detail, awsCode string) string {
	return with(problemOf(code, detail), `"awsCode": "`+awsCode+`", "awsRequestId": "aws"`)
}

const internalError = "internal error: quote the requestId to whoever runs this service"

// A lockedBuffer is a log that can be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
