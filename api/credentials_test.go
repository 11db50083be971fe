package api

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
)

// elsewhere is all places but the repository of the scope.
var elsewhere = []string{inGroup, outsideGroup, otherRegistry, wholeList, everything, ownKey, ownKeyNoGrant, otherKey, otherResource}

// withAccess is what a session may do whose rights a caller gets.
func withAccess(actions ...string) rowTest {
	const byDocker = "called by docker"
	e := rowTest{
		may: []right{
			{do: []string{"ecr:GetAuthorizationToken"}},
			{do: actions, where: []string{theRepository}, whose: []string{ours}},
		},
		never: []right{
			{except: slices.Concat(actions, []string{"ecr:GetAuthorizationToken"})},
			{except: []string{"ecr:GetAuthorizationToken"}, where: elsewhere},
			{do: actions, whose: []string{noOrg, others}},
		},
		notCalled: map[string]string{},
		// All else is denied, so a wider Allow allows nothing more.
		redundant: []string{
			"statement 0 of ecr:*",
			"statement 1 of ecr:*",
			"statement 1 on *",
			"statement 1 on arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/*",
			"statement 1 on arn:aws:ecr:us-east-1:012345678901:repository/*/a",
			"statement 1 on arn:aws:ecr:us-east-1:*:repository/spindev-00001/a",
			"statement 1 on arn:aws:ecr:*:012345678901:repository/spindev-00001/a",
			"statement 1 without StringEquals aws:ResourceTag/spinup:org",
			"statement 2 on the group only",
			"statement 3 on the group only",
			"statement 4 but not of ecr:BatchDeleteImage",
		},
	}
	for _, action := range actions {
		e.notCalled[action] = byDocker
	}
	return e
}

var _ = describe("CreateCredentials", rowTest{
	bodies: []string{`{"Access": "pull"}`, `{"Access": "push"}`},
	calls:  []string{"ecr:DescribeRepositories", "ecr:ListTagsForResource", "ecr:GetAuthorizationToken"},
	variants: []exchange{
		{name: "pull", method: "POST", path: base + "/g/plain/credentials", body: `{"Access": "pull"}`, status: 200},
		{name: "missing", method: "POST", path: base + "/g/missing/credentials", body: `{"Access": "push"}`, status: 404},
	},
	may:   []right{{do: []string{"ecr:DescribeRepositories", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers}},
	never: []right{denyOtherOrgs},
	access: map[string]rowTest{
		"pull": withAccess("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
		"push": withAccess("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
			"ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
	},
})

// credentialsOf returns the answer for g/a. The password in it is PASSWORD.
func credentialsOf(access, expiresAt string) string {
	return `{
		"Access": "` + access + `",
		"ExpiresAt": "` + expiresAt + `",
		"Username": "AWS",
		"Password": "PASSWORD",
		"Registry": "012345678901.dkr.ecr.us-east-1.amazonaws.com",
		"RepositoryUri": "012345678901.dkr.ecr.us-east-1.amazonaws.com/g/a",
		"DockerConfig": {"auths": {"012345678901.dkr.ecr.us-east-1.amazonaws.com": {"auth": "QVdTOlBBU1NXT1JE"}}}
	}`
}

// ask is a request for credentials of g/a.
func ask(access string) exchange {
	return exchange{name: access, method: "POST", path: base + "/g/a/credentials", body: `{"Access": "` + access + `"}`, status: 200, want: "-"}
}

// newCredentialsWorld returns a world with the repository g/a. In each answer of
// AWS the password becomes the given one, and expires at that time, in seconds
// since 1970. If that is "", it stays.
func newCredentialsWorld(t *testing.T, password, expiresAt string) *world {
	t.Helper()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation != "GetAuthorizationToken" {
			return body
		}
		if expiresAt != "" {
			body = expiry.ReplaceAllString(body, `"expiresAt":`+expiresAt)
		}
		return issuedToken.ReplaceAllString(body, `"authorizationToken":"`+base64.StdEncoding.EncodeToString([]byte("AWS:"+password))+`"`)
	}))
	w.addRepository(account, "g/a", org)
	return w
}

var (
	issuedToken = regexp.MustCompile(`"authorizationToken":"([^"]+)"`)
	expiry      = regexp.MustCompile(`"expiresAt":[0-9.]+`)
)

func TestCreateCredentials(t *testing.T) {
	t.Parallel()
	w := newCredentialsWorld(t, "PASSWORD", "")
	for _, access := range []string{"pull", "push"} {
		e := ask(access)
		e.want, e.wants = credentialsOf(access, "2040-12-15T03:34:18Z"), http.Header{"Cache-Control": {"no-store"}}
		w.run(e)
		e.name, e.body = "keys in other case", strings.ToUpper(e.body[:9])+e.body[9:]
		w.run(e)
	}
}

// Callers get the password that AWS has issued, which no other request gets.
func TestPasswordsAreAWSs(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	issued := map[string]bool{}
	w := newWorld(t, changeAnswers(t, func(_, body string) string {
		mu.Lock()
		defer mu.Unlock()
		if token := issuedToken.FindStringSubmatch(body); token != nil {
			issued[token[1]] = true
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	given := map[string]bool{}
	for range 3 {
		_, _, body := w.do(ask("push"))
		got := parse(t, body).(map[string]any)
		given[base64.StdEncoding.EncodeToString([]byte("AWS:"+got["Password"].(string)))] = true
	}
	if diff := cmp.Diff(issued, given); diff != "" || len(given) != 3 {
		t.Errorf("passwords (-AWS +answers):\n%s", diff)
	}
}

// Callers are told the earlier of two times: the end of the password, as AWS
// tells it, and the end of the session.
func TestExpiryOfCredentials(t *testing.T) {
	t.Parallel()
	for expires, want := range map[string]string{
		"2239113600":     "2040-12-14T16:00:00Z", // earlier than the session
		"2239113600.999": "2040-12-14T16:00:00Z", // never rounded up
		"2339113600":     "2040-12-15T03:34:18Z",
	} {
		w := newCredentialsWorld(t, "PASSWORD", expires)
		e := ask("pull")
		e.want = credentialsOf("pull", want)
		w.run(e)
		if line := w.lastLine(t); line["expiresAt"] != want {
			t.Errorf("the caller is told %s, the log %v", want, line["expiresAt"])
		}
	}
	roles := rolesOf(config.RolePolicy, account)
	roles[0].MaxSessionDuration = 3600
	w := newWorldWith(t, roles)
	w.addRepository(account, "g/a", org)
	_, _, body := w.do(ask("pull"))
	if got := parse(t, body).(map[string]any)["ExpiresAt"]; got != "2040-12-14T16:34:18Z" {
		t.Errorf("with a role whose sessions last an hour: %v", got)
	}
	if line := w.lastLine(t); line["expiresAt"] != "2040-12-14T16:34:18Z" {
		t.Errorf("the log has %v", line)
	}
}

func TestCredentialsInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, said := range map[string]string{
		`{}`:                                "Access is needed: pull or push.",
		`{"Access": null}`:                  "Access is needed: pull or push.",
		`{"Access": ""}`:                    "Access must be pull or push.",
		`{"Access": "Pull"}`:                "Access must be pull or push.",
		`{"Access": "pull, push"}`:          "Access must be pull or push.",
		`{"Access": ["pull"]}`:              "Access must be a string, not an array.",
		`{"Access": "pull", "Tag": "v1"}`:   `"Tag" is not a key of this request.`,
		`{"Access": "pull", "access": "x"}`: `"access" is given twice.`,
	} {
		e := ask("")
		e.name, e.body, e.status, e.want = body, body, 400, problemOf("bad-request", said)
		w.run(e)
		if line := w.lastLine(t); line["access"] != nil || line["msg"] != "audit" {
			t.Errorf("%s: the log line is %v", body, line)
		}
	}
	w.run(exchange{method: "GET", path: base + "/g/a/credentials", status: 405, wants: http.Header{"Allow": {"POST"}},
		want: problemOf("method-not-allowed", "This path answers POST.")})
	for _, method := range []string{"HEAD", "PUT", "DELETE"} {
		w.run(exchange{method: method, path: base + "/g/a/credentials", status: 405, want: "-", wants: http.Header{"Allow": {"POST"}}})
	}
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %s", called)
	}
}

// The service takes the bodies that fit the OpenAPI document, and no others.
func TestCredentialsOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for body, fit := range map[string]bool{
		`{"Access": "pull"}`: true, `{"Access": "push"}`: true, `{}`: false, `[]`: false, `{"Access": null}`: false,
		`{"Access": "PULL"}`: false, `{"Access": 1}`: false, `{"Access": "pull", "More": 1}`: false,
	} {
		w.wantFit("CreateCredentials", exchange{method: "POST", path: base + "/g/a/credentials"}, body, fit)
	}
}

// The service answers the example request of the document with its example
// answer.
func TestExampleOfCredentials(t *testing.T) {
	t.Parallel()
	w := newCredentialsWorld(t, "a-password-of-aws", "")
	w.addRepository(account, "spindev-00001/my-awesome-repository", org)
	w.runExample("POST", credentialsPath)
}

// Credentials are for our org's repositories only. For any other no session is
// made, and AWS is asked for no password.
func TestCredentialsOfOthers(t *testing.T) {
	t.Parallel()
	w := newUnfencedWorld(t, changeRows(allowEverything))
	w.addRepository(account, "g/others", otherOrg)
	w.addRepository(account, "g/untagged", "")
	const notOurs = "That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used."
	for name, want := range map[string]string{
		"others":   problemOf("other-org", notOurs),
		"untagged": problemOf("other-org", notOurs),
		"missing": problemByAWS("repository-not-found", "The repository with name 'g/missing' does not exist in the registry with id '012345678901'",
			"RepositoryNotFoundException"),
	} {
		e := ask("push")
		e.path, e.want = base+"/g/"+name+"/credentials", want
		e.status = int(parse(t, want).(map[string]any)["status"].(float64))
		w.run(e)
		line := some(w.lastLine(t), "msg", "access", "accessSession", "expiresAt", "name", "status")
		if diff := cmp.Diff(map[string]any{"msg": "audit", "access": "push", "name": name, "status": float64(e.status)}, line); diff != "" {
			t.Errorf("%s: line (-want +got):\n%s", name, diff)
		}
	}
	if n := count(w.called(), "sts:AssumeRole"); n != 1 || count(w.called(), "ecr:GetAuthorizationToken") != 0 {
		t.Errorf("calls: %s", w.called())
	}
}

// A part of the role's set-up may be left out. Then all else works.
func TestRoleWithoutTheCredentialsPolicy(t *testing.T) {
	t.Parallel()
	roles := rolesOf(config.RolePolicy, account)
	roles[0].Permissions = roles[0].Permissions[:1]
	w := newWorldWith(t, roles)
	w.addRepository(account, "g/a", org)
	e := ask("pull")
	e.status, e.want = 403, problemByAWS("denied-by-aws", "AWS denied ecr:GetAuthorizationToken to the role of that account. "+
		"Give the role the permissions for docker credentials (config/aws/credentials-policy.json), and look for a policy that denies them.", "AccessDeniedException")
	w.run(e)
	w.wantWarning(e.name, "because no identity-based policy allows the ecr:GetAuthorizationToken action")
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")})
}

// Each request has a session of its own, and a session of the row that is kept.
func TestSessionsOfCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(ask("push"))
	var all sync.WaitGroup
	for range 9 {
		all.Go(func() { w.run(ask("push")) })
	}
	all.Wait()
	w.run(ask("pull"))
	scope := iam.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: account}, Org: org, Group: "g", Name: "a"}
	kept, own := map[string]int{}, map[string]int{}
	policies := map[string]int{}
	for _, c := range w.calls {
		switch c.Operation {
		case "DescribeRepositories", "ListTagsForResource":
			kept[c.AccessKey]++
		case "GetAuthorizationToken":
			own[c.AccessKey]++
			policies[c.Policy]++
		}
	}
	if len(kept) != 1 || len(own) != 11 || count(w.called(), "sts:AssumeRole") != 12 {
		t.Errorf("%d kept sessions, %d others, calls: %s", len(kept), len(own), w.called())
	}
	want := map[string]int{accessPolicies["push"](scope).String(): 10, accessPolicies["pull"](scope).String(): 1}
	if diff := cmp.Diff(want, policies); diff != "" {
		t.Errorf("policies of the sessions (-want +got):\n%s", diff)
	}
}

// AWS does not know the session, and then a second one, and then any.
func TestSessionOfCredentialsThatIsUnknown(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"UnrecognizedClientException", "ExpiredTokenException", "InvalidClientTokenId"} {
		w := newWorld(t)
		w.addRepository(account, "g/a", org)
		w.run(ask("pull"))
		w.aws.Inject(localaws.Fault{Operation: "ecr:GetAuthorizationToken", Code: code, Message: "invalid", Times: 1})
		w.forget()
		w.run(ask("pull"))
		tries := []string{"sts:AssumeRole", "ecr:GetAuthorizationToken", "sts:AssumeRole", "ecr:GetAuthorizationToken"}
		if diff := cmp.Diff(tries, w.called()[2:]); diff != "" {
			t.Errorf("%s once: calls (-want +got):\n%s", code, diff)
		}
		if principal := w.calls[len(w.calls)-1].Principal; !strings.HasSuffix(principal, "/"+w.lastLine(t)["accessSession"].(string)) {
			t.Errorf("%s once: the password is for %s, the line is %v", code, principal, w.lastLine(t))
		}
		w.aws.Inject(localaws.Fault{Operation: "ecr:GetAuthorizationToken", Code: code, Message: "invalid"})
		w.forget()
		e := ask("pull")
		e.status, e.want = 500, problemByAWS("internal", internalError, code)
		w.run(e)
		if diff := cmp.Diff(tries, w.called()[2:]); diff != "" {
			t.Errorf("%s always: calls (-want +got):\n%s", code, diff)
		}
	}
}

const stsThrottled = "AWS STS limits how fast this service's own account may ask for sessions, in all accounts together. The limit is reached. Try again later."

// AWS fails after it has said to whom the repository belongs.
func TestCredentialsWhenAWSFails(t *testing.T) {
	t.Parallel()
	const assume, token = "sts:AssumeRole", "ecr:GetAuthorizationToken"
	noTime := problemOf("timeout", "AWS did not answer in time.")
	for name, test := range map[string]struct {
		fault  localaws.Fault
		calls  [2]int // of AssumeRole and of GetAuthorizationToken
		status int
		want   string
	}{
		"no second session": {localaws.Fault{Operation: assume, Code: "AccessDenied", Status: 403}, [2]int{2, 0}, 403,
			problemByAWS("role-refused", "AWS refused sts:AssumeRole for the role ecr-api of that account. Look at the role's trust policy, "+
				"at the external id and sts:TagSession in it, and at the permission of the service's own identity to assume the role.", "AccessDenied")},
		"sessions are throttled":  {localaws.Fault{Operation: assume, Code: "Throttling"}, [2]int{4, 0}, 429, problemByAWS("throttled", stsThrottled, "Throttling")},
		"throttled once":          {localaws.Fault{Operation: assume, Code: "Throttling", Times: 1}, [2]int{2, 1}, 200, "-"},
		"STS breaks connections":  {localaws.Fault{Operation: assume, Drop: true}, [2]int{4, 0}, 500, problemOf("internal", internalError)},
		"STS stalls":              {localaws.Fault{Operation: assume, Delay: time.Minute}, [2]int{1, 0}, 504, noTime},
		"passwords fail":          {localaws.Fault{Operation: token, Code: "ServerException", Status: 500}, [2]int{1, 4}, 500, problemByAWS("internal", internalError, "ServerException")},
		"passwords fail once":     {localaws.Fault{Operation: token, Code: "ServerException", Status: 500, Times: 1}, [2]int{1, 2}, 200, "-"},
		"passwords are throttled": {localaws.Fault{Operation: token, Code: "ThrottlingException"}, [2]int{1, 4}, 429, problemByAWS("throttled", throttledDetail, "ThrottlingException")},
		"answer lost":             {localaws.Fault{Operation: token, Drop: true, AfterWork: true, Times: 1}, [2]int{1, 2}, 200, "-"},
		"answers lost":            {localaws.Fault{Operation: token, Drop: true, AfterWork: true}, [2]int{1, 4}, 500, problemOf("internal", internalError)},
		"passwords stall":         {localaws.Fault{Operation: token, Delay: time.Minute}, [2]int{1, 1}, 504, noTime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			w.run(ask("push"))
			w.aws.Inject(test.fault)
			w.forget()
			if test.fault.Delay > 0 {
				w.service.Stop(time.Now().Add(8 * time.Second)) // an earlier deadline
			}
			e := ask("push")
			e.status, e.want = test.status, test.want
			w.run(e)
			waitFor(t, "the call that stalls", func() bool { return count(w.called(), test.fault.Operation) > 0 })
			if calls := [2]int{count(w.called(), assume), count(w.called(), token)}; calls != test.calls {
				t.Errorf("AssumeRole and GetAuthorizationToken were called %d times, want %d", calls, test.calls)
			}
			line := w.lastLine(t)
			if line["msg"] != "audit" || line["access"] != "push" || (line["outcome"] == "done") != (test.status == 200) {
				t.Errorf("the log line is %v", line)
			}
			if line["expiresAt"] != nil && test.status != 200 {
				t.Errorf("nobody was told an end: %v", line)
			}
			if made := line["accessSession"] != nil; made != (test.fault.Operation == token || test.status == 200) {
				t.Errorf("the log line has a session: %v", line)
			}
		})
	}
}

// Nobody gets the password if the caller has gone, and nothing was changed. So
// the request ends.
func TestCredentialsEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(ask("push"))
	w.hangUp(t, ask("pull"), time.Minute)
	waitFor(t, "the request to be logged", func() bool { return len(w.logged(t)) == 2 })
	got := some(w.lastLine(t), "msg", "status", "outcome", "code", "access")
	want := map[string]any{"msg": "audit", "status": 499.0, "outcome": "failed", "code": "canceled", "access": "pull"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// The log says that the caller may not have the password. The password is so long
// here that it does not fit into the buffers on the way.
func TestCallerVanishesInTheMiddleOfCredentials(t *testing.T) {
	t.Parallel()
	w := newCredentialsWorld(t, strings.Repeat("p", 4<<20), "")
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	e := ask("pull")
	fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: here\r\nX-Auth-Token: %s\r\nContent-Length: %d\r\n\r\n%s", e.path, token(), len(e.body), e.body)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	c.Close()
	waitFor(t, "the request to be logged", func() bool { return w.log.String() != "" })
	got := some(w.lastLine(t), "msg", "status", "outcome", "access", "expiresAt")
	want := map[string]any{"msg": "audit", "status": 200.0, "outcome": "dropped", "access": "pull", "expiresAt": "2040-12-15T03:34:18Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// A request under way ends as it began, whatever happens to the service.
func TestCredentialsDuringReloadAndStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.after = func(c localaws.Call) {
		if c.Operation != "ListTagsForResource" {
			return
		}
		next := *w.service.settings.Load().config
		next.Token, next.Accounts = common.Keys{{Name: "next", Secret: "another key"}}, map[string]string{"other": account2}
		if _, err := w.service.Reload(&next); err != nil {
			t.Error(err)
		}
		w.service.Stop(time.Now().Add(time.Minute))
	}
	w.run(ask("pull"))
	if line := w.lastLine(t); line["key"] != "default" {
		t.Errorf("the log line is %v", line)
	}
}

func TestAuditOfCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.LogLevel = "panic" })
	w.addRepository(account, "g/a", org)
	w.run(ask("push"))
	principal := w.calls[len(w.calls)-1].Principal
	line := w.lastLine(t)
	if session, _ := line["accessSession"].(string); !sessionName.MatchString(session) || !strings.HasSuffix(principal, "/"+session) {
		t.Errorf("the session of the password is %s, the line has %s", principal, session)
	}
	line["accessSession"] = "-"
	want := map[string]any{
		"msg": "audit", "level": "info", "requestId": "test", "method": "POST", "route": credentialsPath, "status": 200.0, "outcome": "done",
		"client": "127.0.0.1", "key": "default", "action": "CreateCredentials", "account": account, "group": "g", "name": "a", "session": "SESSION",
		"access": "push", "accessSession": "-", "expiresAt": "2040-12-15T03:34:18Z",
		"awsCalls": []any{"AssumeRole", "DescribeRepositories", "ListTagsForResource", "AssumeRole", "GetAuthorizationToken"},
	}
	got := comparable(t, line)
	slices.SortFunc(got["awsCalls"].([]any)[1:3], func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) // made at the same time
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// ECR's word for the registry is no host.
func TestRepositoryWithoutARegistry(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"", "/g/a", "g"} {
		w := newWorld(t, changeAnswers(t, func(_, body string) string { return repositoryURI.ReplaceAllString(body, `"repositoryUri":"`+uri+`"`) }))
		w.addRepository(account, "g/a", org)
		e := ask("pull")
		e.status, e.want = 500, problemOf("internal", internalError)
		w.run(e)
		line := some(w.lastLine(t), "msg", "access", "accessSession", "expiresAt", "error")
		want := map[string]any{"msg": "audit", "access": "pull", "error": fmt.Sprintf("ECR says that the repository's URI is %q", uri)}
		if diff := cmp.Diff(want, line); diff != "" {
			t.Errorf("%q: line (-want +got):\n%s", uri, diff)
		}
		if n := count(w.called(), "ecr:GetAuthorizationToken"); n != 0 {
			t.Errorf("%q: AWS was asked for %d passwords", uri, n)
		}
	}
}

var repositoryURI = regexp.MustCompile(`"repositoryUri":"[^"]*"`)

// A mistake in the code that prints them shows no password.
func TestCredentialsAreNotPrinted(t *testing.T) {
	t.Parallel()
	const secret = "marked"
	auth := dockerAuth{Auth: secret}
	docker := dockerConfig{Auths: map[string]dockerAuth{"here": auth}}
	for _, value := range []any{
		dockerCredentials{Password: secret, DockerConfig: docker}, &dockerCredentials{Password: secret},
		auth, &auth, docker, &docker, docker.Auths, []any{auth},
		ecr.Login{Password: secret}, &ecr.Login{Password: secret}, []any{&ecr.Login{Password: secret}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if printed := fmt.Sprintf(verb, value); strings.Contains(printed, secret) || strings.Contains(printed, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of a %T: %s", verb, value, printed)
			}
		}
	}
}
