package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/iam"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

var update = flag.Bool("update", false, "write the golden file and the generated parts of the pages again")

var exampleScope = iam.Scope{
	Registry: common.Registry{Partition: "aws", Region: "us-east-1", Account: "012345678901"},
	Org:      "spindev",
	Group:    "spindev-00001",

	Boundary:    "arn:aws:iam::012345678901:policy/ecr-api-users",
	FormerGroup: "arn:aws:iam::012345678901:group/former",
}

// The golden file shows every change of privilege as a diff.
func TestPoliciesAreAsInTheGoldenFile(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for _, p := range sessionPolicies(t) {
		document := p.of(p.scope(exampleScope))
		if _, err := policy.Parse(document.String()); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		fmt.Fprintf(&got, "# %s\n%s", p.name, p.reasons(document))
		if err := json.Indent(&got, []byte(document.String()), "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteString("\n\n")
	}
	const golden = "testdata/policies.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("privileges changed; if that is intended, run go test ./api -update (-golden +now):\n%s", diff)
	}
}

// reasons says why each action is in the policy.
func (p sessionPolicy) reasons(document iam.Policy) string {
	var lines strings.Builder
	for _, s := range document.Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, action := range s.Action {
			fmt.Fprintf(&lines, "# %s: %s\n", action, cmp.Or(p.entry.notCalled[action], "called"))
		}
	}
	return lines.String()
}

// STS takes 2,048 characters.
func TestPoliciesWithTheLongestNamesAreShortEnough(t *testing.T) {
	t.Parallel()
	longest := iam.Scope{
		Registry: common.Registry{Partition: "aws-us-gov", Region: "ap-southeast-2-long", Account: "012345678901"},
		Org:      strings.Repeat("o", 64),
		Group:    strings.Repeat("g", maxFullName-2),

		Boundary:    "arn:aws-us-gov:iam::012345678901:policy/" + strings.Repeat("b", 216), // which the configuration allows
		FormerGroup: "arn:aws-us-gov:iam::012345678901:group/" + strings.Repeat("f", 216),
	}
	for _, p := range sessionPolicies(t) {
		s := p.scope(longest)
		if p.isOfUser() {
			s.Group, s.User = strings.Repeat("g", maxUserName-len("-a-u")), "u"
		}
		if n := len(p.of(s).String()); n > 2048 {
			t.Errorf("%s: the policy has %d characters", p.name, n)
		}
	}
}

func TestTableThatContradictsItselfStopsTheStart(t *testing.T) {
	t.Parallel()
	public := route{Method: "GET", Path: "/a", Name: "A", Public: true, Endpoint: raw(ping)}
	protected := route{Method: "GET", Path: "/b/{group}", Name: "B", Policy: listPolicy, Endpoint: handledBy(echo)}
	changed := func(rt route, change func(*route)) []route {
		change(&rt)
		return []route{public, protected, rt}
	}
	for _, c := range []struct {
		name  string
		table []route
		want  string
	}{
		{"good", []route{public, protected}, ""},
		{"forgotten policy", changed(protected, func(rt *route) { rt.Policy = nil }), "route GET /b/{group} is neither public nor has a session policy"},
		{"both", changed(public, func(rt *route) { rt.Policy = listPolicy }), "route GET /a is public, but has a session policy"},
		{"public access", changed(public, func(rt *route) { rt.Access = accessPolicies }), "route GET /a is public, but gives access"},
		{"further sessions of a public row", changed(public, func(rt *route) { rt.Further = imageSessions }), "route GET /a is public, but has further sessions"},
		{"access that nobody asks for", changed(protected, func(rt *route) { rt.Access = accessPolicies }),
			`route GET /b/{group} has policies for the access ["pull" "push"], and an input that asks for []`},
		{"access without a policy", changed(protected, func(rt *route) { rt.Endpoint = handledBy(createCredentials) }),
			`route GET /b/{group} has policies for the access [], and an input that asks for ["pull" "push"]`},
		{"access under another name", changed(protected, func(rt *route) {
			rt.Endpoint, rt.Access = handledBy(createCredentials), map[string]func(iam.Scope) iam.Policy{pull: accessPolicies[pull], "write": accessPolicies[push]}
		}), `route GET /b/{group} has policies for the access ["pull" "write"], and an input that asks for ["pull" "push"]`},
		{"no name", changed(public, func(rt *route) { rt.Name = "" }), "route GET /a has no name"},
		{"name of another", changed(protected, func(rt *route) { rt.Path = "/c" }), "route GET /c has the same name as another route, B"},
		{"name of a public row", changed(protected, func(rt *route) { rt.Path, rt.Name = "/c", "A" }), "route GET /c has the same name as another route, A"},
		{"no endpoint", changed(public, func(rt *route) { rt.Endpoint = endpoint{} }), "route GET /a has no endpoint"},
		{"raw endpoint", changed(protected, func(rt *route) { rt.Endpoint = raw(ping) }), "route GET /b/{group} is not public, so it needs an endpoint by handledBy, which checks path, query and body"},
		{"lossy query", changed(protected, func(rt *route) {
			rt.Endpoint = handledBy(func(context.Context, target, lossyFilter) (any, error) { return nil, nil })
		}), "route GET /b/{group} has an input whose queryParams has no pointer receiver, so that their values would be lost"},
		{"status of an error", changed(protected, func(rt *route) { rt.Status = 404 }), "route GET /b/{group} has the status 404, which is not a success"},
		{"undeclared variable", changed(protected, func(rt *route) { rt.Path = "/b/{group}/{other}" }), "route GET /b/{group}/{other} has the path variable {other}, which pathVars does not declare"},
		{"twice", []route{public, public}, "route GET /a is in the table twice"},
		{"public for one method", changed(public, func(rt *route) {
			rt.Method, rt.Name, rt.Public, rt.Policy, rt.Endpoint = "PUT", "C", false, listPolicy, handledBy(echo)
		}),
			"path /a is public for one method and not for another"},
		{"variable beside a literal", changed(protected, func(rt *route) { rt.Path, rt.Name = "/{group}/x", "C" }), "path /{group}/x overlaps /b/{group}: a request may fit both"},
		{"two variables", changed(protected, func(rt *route) { rt.Path, rt.Name = "/b/{name}", "C" }), "path /b/{name} overlaps /b/{group}: a request may fit both"},
		{"longer path", changed(protected, func(rt *route) { rt.Path, rt.Name = "/b/{group}/{name}", "C" }), ""},
		{"other literal", changed(protected, func(rt *route) { rt.Path, rt.Name = "/{group}", "C" }), "path /{group} overlaps /a: a request may fit both"},
		{"literal on each side", changed(protected, func(rt *route) { rt.Path, rt.Name = "/c/{name}", "C" }), ""},
	} {
		got := ""
		if err := checkRoutes(c.table, pathVars); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRouterHasTheOrderOfTheTable(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, rt := range routes {
		if !slices.Contains(want, rt.Path) {
			want = append(want, rt.Path)
		}
	}
	err := newWorld(t).service.router.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := r.GetPathTemplate()
		got = append(got, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-table +router):\n%s", diff)
	}
}

func TestPathVariableThatLacksSomethingStopsTheStart(t *testing.T) {
	t.Parallel()
	for want, remove := range map[string]func(*pathVar){
		"path variable {group} has no Read, which checks it":      func(v *pathVar) { v.Read = nil },
		"path variable {group} has no In, the place of its value": func(v *pathVar) { v.In = nil },
		"path variable {group} has no LogField":                   func(v *pathVar) { v.LogField = "" },
		"path variable {group} has no Sample":                     func(v *pathVar) { v.Sample = "" },
	} {
		group, _ := findVar(pathVars, "group")
		remove(&group)
		if err := checkRoutes(routes, []pathVar{group}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A path variable takes no place in the log line from another field. With the
// field "key", the line would no longer tell whose token the request had.
func TestPathVariableThatTakesAnothersPlaceStopsTheStart(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*pathVar){
		"path variable {group} is declared twice":                                        func(*pathVar) {},
		"path variable {caller} has the LogField key, which the log line has already":    func(v *pathVar) { v.Name, v.LogField = "caller", "key" },
		"path variable {other} has the LogField group, which the log line has already":   func(v *pathVar) { v.Name = "other" },
		"path variable {status} has the LogField status, which the log line has already": func(v *pathVar) { v.Name, v.LogField = "status", "status" },
	} {
		second, _ := findVar(pathVars, "group")
		change(&second)
		if err := checkRoutes(routes, append(slices.Clone(pathVars), second)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The log lines of the tests have no field that logFields leaves out.
func TestLogFieldsAreAllThatTheLogLineHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for _, rt := range protectedRows() {
		w.do(entryOf(t, rt).usual(rt))
	}
	w.shareLists(t, exchange{method: "GET", path: base, status: 200, want: "-"}, 2)
	w.aws.Inject(localaws.Fault{Operation: "ecr:PutImageScanningConfiguration", Code: "ServerException", Status: 500})
	w.addRepository(account, "g/b", org)
	w.addImage(account, "g/b", localaws.Image{Tags: []string{"latest"}})
	w.addUser(account, ourUser(account, "g/b", org, "builder", "push"))
	w.addKey(account, "g-b-builder")
	w.addUser(account, earlierUser("g/b", org, "earlier"))
	for _, e := range []exchange{
		{method: "DELETE", path: base + "/g/b/images?tag=latest&dryRun=true"},
		{method: "DELETE", path: base + "/g/b/images/latest"},
		{method: "POST", path: base + "/g/b/credentials", body: `{"Access": "pull"}`},
		{method: "PUT", path: base + "/g/b", body: `{"ScanOnPush": true, "Tags": [{"Key": "k", "Value": "v"}]}`},
		{method: "PUT", path: base + "/g/b/users/builder", body: `{"resetkey": true}`},
		{method: "PUT", path: base + "/g/b/users/earlier", body: `{"Access": "pull"}`},
		{method: "DELETE", path: base + "/g/b"},
		{method: "GET", path: "/none", header: map[string]string{"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		{method: "GET", path: "/v1/ecr/docs/files/swagger-ui.css"},
	} {
		w.do(e)
	}
	w.addRepository(account, "g/a", org) // one of the rows has deleted it
	w.losePolicy(policyOf(ofLambda))
	w.do(sharingOf("DELETE", "", 409, ""))
	w.limitKey(common.Limits{Access: common.ReadOnly})
	w.do(exchange{method: "DELETE", path: base + "/g/a"})
	known := slices.Clone(logFields)
	for _, v := range pathVars {
		if slices.ContainsFunc(routes, func(rt route) bool { return slices.Contains(varsIn(rt.Path), v.Name) }) {
			known = append(known, v.LogField)
		}
	}
	seen := map[string]bool{}
	for _, line := range w.logged(t) {
		for field := range line {
			seen[field] = true
		}
	}
	if diff := gocmp.Diff(slices.Sorted(slices.Values(known)), slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("fields (-declared +logged):\n%s", diff)
	}
}

// The role's permissions in docs/aws.md allow what the sessions need, and
// nothing else. Those for docker credentials, for Inspector and for users are in
// policies of their own.
func TestRolePoliciesAreWhatTheRowsNeed(t *testing.T) {
	t.Parallel()
	rows, access := map[string]bool{}, map[string]bool{}
	inspector := map[string]bool{"ecr:GetRegistryScanningConfiguration": true} // for -check
	for _, p := range sessionPolicies(t) {
		for action := range allowedActions(p.of(p.scope(exampleScope)).Statement) {
			switch {
			case p.access:
				access[action] = true
			case strings.HasPrefix(action, "inspector2:"):
				inspector[action] = true
			case strings.HasPrefix(action, "iam:"):
				// TestUsersPolicyIsWhatTheSessionsNeed looks at these.
			default:
				rows[action] = true
			}
		}
	}
	for document, needed := range map[string]map[string]bool{config.RolePolicy: rows, config.CredentialsPolicy: access, config.InspectorPolicy: inspector} {
		var role struct {
			Statement []struct {
				Effect, Resource string
				Action           []string
			}
		}
		if err := json.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		var statements []iam.Statement
		for _, s := range role.Statement {
			statements = append(statements, iam.Statement{Effect: s.Effect, Action: s.Action})
		}
		if diff := gocmp.Diff(needed, allowedActions(statements)); diff != "" {
			t.Errorf("actions (-rows +role):\n%s", diff)
		}
	}
}

// Generated parts of the README and the pages in docs: the endpoints, and the
// documents of config.
func TestPagesShowWhatIsGenerated(t *testing.T) {
	t.Parallel()
	pages := map[string]string{}
	for _, pattern := range []string{"../README.md", "../docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pages[file] = string(content)
		}
	}
	for marker, part := range map[string]string{
		"endpoints":                endpointTable(),
		"service-policy.json":      fenced(t, "../config/aws/service-policy.json"),
		"trust-policy.json":        fenced(t, "../config/aws/trust-policy.json"),
		"role-policy.json":         fenced(t, "../config/aws/role-policy.json"),
		"credentials-policy.json":  fenced(t, "../config/aws/credentials-policy.json"),
		"inspector-policy.json":    fenced(t, "../config/aws/inspector-policy.json"),
		"users-boundary.json":      fenced(t, "../config/aws/users-boundary.json"),
		"users-policy.json":        fenced(t, "../config/aws/users-policy.json"),
		"organization-policy.json": fenced(t, "../config/aws/organization-policy.json"),
		"config.example.json":      fenced(t, "../config/config.example.json"),
	} {
		replacePart(t, pages, marker, part)
	}
}

// replacePart checks the part after the marker, which must be on exactly one
// page. If update is set, it writes the part again.
func replacePart(t *testing.T, pages map[string]string, marker, part string) {
	t.Helper()
	begin, end := "<!-- "+marker+" -->\n", "<!-- end -->"
	found := 0
	for file, content := range pages {
		before, rest, ok := strings.Cut(content, begin)
		present, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			continue
		}
		found++
		pages[file] = before + begin + part + end + after
		if *update {
			if err := os.WriteFile(file, []byte(pages[file]), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if diff := gocmp.Diff(part, present); diff != "" {
			t.Errorf("%s is out of date; run go test ./api -update (-want +%s):\n%s", file, file, diff)
		}
	}
	if found != 1 {
		t.Errorf("the marker %s is on %d pages, want 1", marker, found)
	}
}

func endpointTable() string {
	var table strings.Builder
	table.WriteString("| Method | Path | What it does | Token |\n| --- | --- | --- | --- |\n")
	for _, rt := range routes {
		needed := "yes"
		if rt.Public {
			needed = "no"
		}
		fmt.Fprintf(&table, "| %s | `%s` | %s | %s |\n", rt.Method, rt.Path, rt.Summary, needed)
	}
	return table.String()
}

func fenced(t *testing.T, file string) string {
	t.Helper()
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return "```json\n" + string(document) + "```\n"
}

func TestEveryKindOfErrorHasAStatus(t *testing.T) {
	t.Parallel()
	for code, status := range statuses {
		if status < 400 || title(status) == "" {
			t.Errorf("%s: status %d %q", code, status, http.StatusText(status))
		}
	}
}
