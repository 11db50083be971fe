package api

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// logged returns the lines of the log.
func (w *world) logged(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for s := bufio.NewScanner(strings.NewReader(w.log.String())); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, s.Text())
		}
		lines = append(lines, line)
	}
	return lines
}

var (
	awsID       = regexp.MustCompile(`^(\w+) ([0-9a-f-]{36}|-)$`)
	sessionName = regexp.MustCompile(`^spinup-spindev-ecr-api-[0-9a-f]{16}$`)
)

// comparable removes from a log line what differs in each run. It checks the
// form of these values first.
func comparable(t *testing.T, line map[string]any) map[string]any {
	t.Helper()
	for _, key := range []string{"time", "duration"} {
		if line[key] == nil {
			t.Errorf("a line without %s: %v", key, line)
		}
		delete(line, key)
	}
	if size, ok := line["bytes"].(float64); !ok || size < 0 {
		t.Errorf("bytes: %v", line["bytes"])
	}
	delete(line, "bytes") // TestLogLine has it
	if line["userAgent"] != "Go-http-client/1.1" && line["userAgent"] != nil {
		t.Errorf("user agent: %v", line["userAgent"])
	}
	delete(line, "userAgent")
	if took, ok := line["awsTime"].(float64); (ok && took > 0) != (line["awsCalls"] != nil) {
		t.Errorf("AWS calls %v, and their time %v", line["awsCalls"], line["awsTime"])
	}
	delete(line, "awsTime")
	if s, ok := line["session"].(string); ok && sessionName.MatchString(s) {
		line["session"] = "SESSION"
	}
	if line["awsRequestId"] != nil {
		line["awsRequestId"] = "ID"
	}
	if calls, ok := line["awsCalls"].([]any); ok {
		for i, c := range calls {
			m := awsID.FindStringSubmatch(c.(string))
			if m == nil {
				t.Errorf("no operation and request id: %v", c)
				continue
			}
			calls[i] = m[1]
		}
	}
	return line
}

func TestAuditTrail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.LogLevel = "panic" }) // audit lines are written at every level
	w.addRepository(account, "g/others", "another-org")
	for _, e := range []struct {
		exchange
		want map[string]any // nil if the request is not audited; "-" is any value
	}{
		{exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`}, map[string]any{
			"action": "CreateRepository", "name": "a", "status": 200.0, "outcome": "done", "route": groupPath,
			"awsCalls": []any{"AssumeRole", "CreateRepository"},
		}},
		{exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "A"}`}, map[string]any{
			"action": "CreateRepository", "name": "A", "status": 400.0, "outcome": "failed", "code": "bad-request", "route": groupPath, "awsCalls": []any{"CreateRepository"},
			"awsCode": "InvalidParameterException", "awsRequestId": "ID", "error": "-",
		}},
		{exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`}, map[string]any{
			"action": "CreateRepository", "name": "a", "status": 409.0, "outcome": "failed", "code": "repository-exists", "route": groupPath,
			"awsCalls": []any{"CreateRepository"}, "awsCode": "RepositoryAlreadyExistsException", "awsRequestId": "ID",
			"error": "RepositoryAlreadyExistsException: The repository with name 'g/a' already exists in the registry with id '012345678901'",
		}},
		{exchange{method: "DELETE", path: base + "/g/others"}, map[string]any{
			"action": "DeleteRepository", "name": "others", "status": 403.0, "code": "other-org", "outcome": "refused", "route": repositoryPath,
			"awsCalls": "-", "awsCode": "AccessDeniedException", "awsRequestId": "ID", "error": "-",
		}},
		{exchange{method: "GET", path: base + "/g/others"}, map[string]any{
			"action": "ShowRepository", "name": "others", "status": 403.0, "code": "other-org", "outcome": "refused", "route": repositoryPath,
			"awsCalls": "-", "awsCode": "AccessDeniedException", "awsRequestId": "ID", "error": "-",
		}},
		{exchange{method: "GET", path: base + "/g/a"}, nil},
		{exchange{method: "GET", path: base + "/g/missing"}, nil},
		{exchange{method: "PATCH", path: base + "/g"}, nil},
	} {
		before := len(w.logged(t))
		w.do(e.exchange)
		lines := w.logged(t)[before:]
		if e.want == nil {
			if len(lines) != 0 {
				t.Errorf("%s %s was audited: %v", e.method, e.path, lines)
			}
			continue
		}
		for k, v := range map[string]any{
			"msg": "audit", "level": "info", "requestId": "test", "method": e.method, "client": "127.0.0.1", "key": "default",
			"account": account, "group": "g", "session": "SESSION",
		} {
			e.want[k] = v
		}
		if len(lines) != 1 {
			t.Errorf("%s %s: %d lines: %v", e.method, e.path, len(lines), lines)
			continue
		}
		got := comparable(t, lines[0])
		for k, v := range e.want {
			if v == "-" && got[k] != nil {
				got[k] = "-"
			}
		}
		if diff := cmp.Diff(e.want, got); diff != "" {
			t.Errorf("%s %s: line (-want +got):\n%s", e.method, e.path, diff)
		}
	}
}

func TestAuditOfCallerWithoutToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(exchange{method: "DELETE", path: base + "/g/a?x=y", header: map[string]string{"X-Auth-Token": "", "X-Request-Id": "bad id!"}})
	lines := w.logged(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	if id, _ := lines[0]["requestId"].(string); len(id) < 20 {
		t.Errorf("request id %q", id)
	}
	delete(lines[0], "requestId")
	want := map[string]any{
		"msg": "audit", "level": "info", "method": "DELETE", "route": repositoryPath, "status": 403.0, "outcome": "refused", "client": "127.0.0.1",
		"code": "token-missing", "error": "The X-Auth-Token header must be a bcrypt hash of the pre-shared key, of cost 12 at most.",
	}
	if diff := cmp.Diff(want, comparable(t, lines[0])); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestMadeUpMethodIsNotLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.do(exchange{method: strings.Repeat("BREW", 100), path: base, header: map[string]string{"X-Auth-Token": ""}})
	if lines := w.logged(t); len(lines) != 1 || lines[0]["method"] != "other" {
		t.Errorf("the log: %v", lines)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:80", nil, "192.0.2.1"},
		{"192.0.2.1:80", []string{"203.0.113.9"}, "192.0.2.1"}, // anybody can write that header
		{"10.0.0.1:80", nil, "10.0.0.1"},
		{"10.0.0.1:80", []string{"203.0.113.9"}, "203.0.113.9"},
		{"10.0.0.1:80", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"}, // the proxy has written only the last one
		{"10.0.0.1:80", []string{"1.1.1.1", "203.0.113.9 , 10.0.0.2"}, "203.0.113.9"},
		{"10.0.0.1:80", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"10.0.0.1:80", []string{"evil\nline"}, "10.0.0.1"},
		{"10.0.0.1:80", []string{"203.0.113.9, what, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:80", []string{"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
		{"[fd00::1]:80", []string{"2001:db8::1"}, "2001:db8::1"},
		{"[::ffff:10.0.0.1]:80", []string{"203.0.113.9"}, "203.0.113.9"},
		{"[fe80::1%eth0]:80", nil, "fe80::1"},
		{"10.0.0.1:80", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"10.0.0.1:80", []string{"203.0.113.9, [fd00::2]:80"}, "203.0.113.9"},
		{"10.0.0.1:80", []string{"[2001:db8::1]:80,[fd00::2]"}, "2001:db8::1"},
		{"10.0.0.1:80", []string{"fe80::1%any text"}, "fe80::1"},
		{"10.0.0.1:80", []string{"203.0.113.9, fd00::2%any text"}, "203.0.113.9"},
		{"10.0.0.1:80", []string{"203.0.113.9, ::ffff:10.0.0.2%any"}, "203.0.113.9"},
		{"10.0.0.1:80", []string{""}, "10.0.0.1"},
		{"10.0.0.1:80", []string{"203.0.113.9:port"}, "10.0.0.1"},
		{"@", []string{"203.0.113.9"}, "unknown"}, // a Unix socket
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := clientAddress(r, proxies); got != c.want {
			t.Errorf("%s, forwarded for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, e := range []exchange{
		{method: "GET", path: base}, {method: "GET", path: "/v1/ecr/ping"}, {method: "GET", path: "/metrics"}, {method: "GET", path: "/nothing"},
		{method: "POST", path: base}, {method: "GET", path: base + "/*"}, {method: "GET", path: base, header: map[string]string{"X-Auth-Token": ""}},
	} {
		_, header, _ := w.do(e)
		got := http.Header{}
		for _, k := range []string{"X-Content-Type-Options", "Cache-Control", "X-Request-Id"} {
			got[k] = header.Values(k)
		}
		want := http.Header{"X-Content-Type-Options": {"nosniff"}, "Cache-Control": {"no-store"}, "X-Request-Id": {"test"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", e.method, e.path, diff)
		}
	}
}

// Any attempt that AWS has answered may have done the work, so the log names
// each of them.
func TestAuditNamesEveryAnsweredAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.loseAnswer("ecr:CreateRepository", localaws.Fault{Code: "ServerException", Status: 500}, true)
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 200, want: "-"})
	log := w.log.String()
	created := 0
	for _, c := range w.calls {
		if c.Operation != "CreateRepository" {
			continue
		}
		created++
		if !strings.Contains(log, `"CreateRepository `+c.RequestID+`"`) {
			t.Errorf("the log does not name %s:\n%s", c.RequestID, log)
		}
	}
	if created != 2 {
		t.Errorf("%d attempts, want 2", created)
	}
}

// The lines about users say what was done to whom.
func TestAuditOfUsers(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, earlierUser("g/a", org, "builder"))
	key := w.addKey(account, "g-a-builder")
	for _, test := range []struct {
		exchange
		want map[string]any
	}{
		{updateOf(`{"Access": "pull"}`, 0, ""), map[string]any{"action": "UpdateUser", "user": "builder", "route": userPath, "access": "pull", "takenOver": true}},
		{updateOf(`{"Access": "push"}`, 0, ""), map[string]any{"action": "UpdateUser", "user": "builder", "route": userPath, "access": "push"}},
		{exchange{method: "DELETE", path: builderPath}, map[string]any{"action": "DeleteUser", "user": "builder", "route": userPath, "deletedAccessKeys": []any{key}}},
		{usersOf("POST", "", `{"UserName": "u"}`, 0, ""), map[string]any{"action": "CreateUser", "user": "u", "route": usersPath, "access": "push"}},
		{exchange{method: "DELETE", path: base + "/g/a"}, map[string]any{"action": "DeleteRepository", "route": repositoryPath, "deletedUsers": []any{"u"}}},
	} {
		w.do(test.exchange)
		maps.Copy(test.want, map[string]any{
			"msg": "audit", "level": "info", "requestId": "test", "method": test.method, "client": "127.0.0.1", "key": "default",
			"account": account, "group": "g", "name": "a", "session": "SESSION", "status": 200.0, "outcome": "done",
		})
		got := comparable(t, w.lastLine(t))
		delete(got, "awsCalls")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %s: line (-want +got):\n%s", test.method, test.path, diff)
		}
	}
}

// The lines name every access key that a request has deleted, also if it fails.
func TestAuditOfDeletedKeys(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	check := func(name, outcome string, keys ...any) {
		t.Helper()
		want := map[string]any{"action": name, "outcome": outcome, "deletedAccessKeys": keys}
		if diff := cmp.Diff(want, some(w.lastLine(t), "action", "outcome", "deletedAccessKeys")); diff != "" {
			t.Errorf("line (-want +got):\n%s", diff)
		}
	}
	old := w.addKey(account, "g-a-builder")
	w.run(updateOf(`{"resetkey": true}`, 200, "-"))
	check("UpdateUser", "done", old)

	made := w.keyIDs()[0]
	mend := w.aws.Inject(localaws.Fault{Operation: "iam:DeleteUser", Code: "InvalidInput", Message: "no"})
	w.run(usersOf("DELETE", "builder", "", 400, "-"))
	mend()
	check("DeleteUser", "partial", made)

	other := w.addKey(account, "g-a-builder")
	w.run(deleteA)
	check("DeleteRepository", "done", other)
}

// All answers to the deletion of an access key are lost, and it is found deleted.
func TestAuditOfAKeyThatIsFoundDeleted(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	key := w.addKey(account, "g-a-builder")
	w.loseAnswer("iam:DeleteAccessKey", localaws.Fault{Drop: true}, true)
	w.aws.Inject(localaws.Fault{Operation: "iam:DeleteAccessKey", Drop: true})
	w.run(usersOf("DELETE", "builder", "", 200, "-"))
	if diff := cmp.Diff([]any{key}, w.lastLine(t)["deletedAccessKeys"]); diff != "" {
		t.Errorf("deleted keys (-want +got):\n%s", diff)
	}
}

// The line names an access key whose answer was lost, and that the service has
// found and deleted.
func TestAuditOfALostKey(t *testing.T) {
	t.Parallel()
	w := newUserWorld(t, builder("pull"))
	w.letTimePass()
	var lost string
	w.after = func(c localaws.Call) {
		if c.Operation == "CreateAccessKey" && lost == "" {
			lost = w.keyIDs()[0]
		}
	}
	w.loseAnswer("iam:CreateAccessKey", localaws.Fault{Drop: true}, true)
	w.run(exchange{method: "POST", path: builderKeys, status: 200, want: "-"})
	if diff := cmp.Diff([]any{lost}, w.lastLine(t)["deletedAccessKeys"]); diff != "" {
		t.Errorf("deleted keys (-want +got):\n%s", diff)
	}
}
