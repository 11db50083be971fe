package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden file and the README's generated parts anew")

var exampleScope = iam.Scope{
	Registry: common.Registry{Partition: "aws", Region: "us-east-1", Account: "012345678901"},
	Org:      "spindev",
	Group:    "spindev-00001",
}

// The golden file shows every change of privilege as a diff.
func TestPoliciesAreAsInTheGoldenFile(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for _, rt := range routes {
		if rt.Policy == nil {
			continue
		}
		document := rt.Policy(exampleScope).String()
		if _, err := policy.Parse(document); err != nil {
			t.Errorf("%s: %v", rt, err)
		}
		fmt.Fprintf(&got, "# %s\n%s", rt, reasons(t, rt))
		if err := json.Indent(&got, []byte(document), "", "  "); err != nil {
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
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("privileges changed; go test ./api -update if that is meant (-golden +now):\n%s", diff)
	}
}

// Why an action is in a policy although the row does not call it each time.
var notCalled = map[string]string{
	"POST ecr:DescribeRepositories": "to tell a name that is taken from a refusal, and what became of a lost answer",
	"POST ecr:ListTagsForResource":  "to find out what became of a lost answer",
	"POST ecr:TagResource":          "demanded by AWS beside CreateRepository with tags",
	"POST kms:CreateGrant":          "demanded by AWS where a KMS key is given",
	"POST kms:DescribeKey":          "demanded by AWS where a KMS key is given",
	"POST kms:RetireGrant":          "demanded by AWS where a KMS key is given",
	"DELETE kms:RetireGrant":        "demanded by AWS where the repository has KMS encryption",
}

// reasons says of each action that the row's policy allows why it is there.
func reasons(t *testing.T, rt route) string {
	t.Helper()
	var lines strings.Builder
	for _, s := range rt.Policy(exampleScope).Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, action := range s.Action {
			reason, ok := notCalled[rt.Method+" "+action]
			if !ok {
				reason = "called"
			}
			fmt.Fprintf(&lines, "# %s: %s\n", action, reason)
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
	}
	for _, rt := range routes {
		if rt.Policy == nil {
			continue
		}
		if n := len(rt.Policy(longest).String()); n > 2048 {
			t.Errorf("%s: the policy has %d characters", rt, n)
		}
	}
}

func TestTableThatContradictsItselfStopsTheStart(t *testing.T) {
	t.Parallel()
	public := route{Method: "GET", Path: "/a", Name: "A", Public: true, Handler: ping}
	protected := route{Method: "GET", Path: "/b", Name: "B", Policy: listPolicy, Handler: ping}
	for _, c := range []struct {
		name  string
		table []route
		want  string
	}{
		{"good", []route{public, protected}, ""},
		{"forgotten policy", []route{{Method: "GET", Path: "/c", Name: "C", Handler: ping}}, "route GET /c is neither public nor has a session policy"},
		{"both", []route{{Method: "GET", Path: "/c", Name: "C", Public: true, Policy: listPolicy, Handler: ping}}, "route GET /c is public, but has a session policy"},
		{"no name", []route{{Method: "GET", Path: "/c", Public: true, Handler: ping}}, "route GET /c has no name"},
		{"name of another", []route{protected, {Method: "GET", Path: "/c", Name: "B", Policy: listPolicy, Handler: ping}}, "route GET /c has the name of another, B: they would share sessions"},
		{"no handler", []route{{Method: "GET", Path: "/c", Name: "C", Public: true}}, "route GET /c has no handler"},
		{"twice", []route{public, public}, "route GET /a is there twice"},
		{"public for one method", []route{public, {Method: "PUT", Path: "/a", Name: "C", Policy: listPolicy, Handler: ping}}, "path /a is public for one method and not for another"},
	} {
		got := ""
		if err := checkRoutes(c.table); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The role's permission policy of the README allows what the sessions need, and
// nothing else.
func TestRolePolicyIsWhatTheRowsNeed(t *testing.T) {
	t.Parallel()
	allowed := func(statements []iam.Statement) map[string]bool {
		actions := map[string]bool{}
		for _, s := range statements {
			for _, a := range s.Action {
				if s.Effect == "Allow" {
					actions[a] = true
				}
			}
		}
		return actions
	}
	rows := map[string]bool{}
	for _, rt := range routes {
		if rt.Policy != nil {
			for a := range allowed(rt.Policy(exampleScope).Statement) {
				rows[a] = true
			}
		}
	}
	var role struct {
		Statement []struct {
			Effect, Resource string
			Action           []string
		}
	}
	if err := json.Unmarshal([]byte(config.RolePolicy), &role); err != nil {
		t.Fatal(err)
	}
	var statements []iam.Statement
	for _, s := range role.Statement {
		statements = append(statements, iam.Statement{Effect: s.Effect, Action: s.Action})
	}
	if diff := cmp.Diff(rows, allowed(statements)); diff != "" {
		t.Errorf("actions (-rows +role):\n%s", diff)
	}
}

// The README shows what is generated here and the documents of config/aws.
func TestReadme(t *testing.T) {
	t.Parallel()
	const file = "../README.md"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(content)
	for marker, part := range map[string]string{
		"endpoints":           endpointTable(),
		"service-policy.json": fenced(t, "../config/aws/service-policy.json"),
		"trust-policy.json":   fenced(t, "../config/aws/trust-policy.json"),
		"role-policy.json":    fenced(t, "../config/aws/role-policy.json"),
		"config.example.json": fenced(t, "../config/config.example.json"),
	} {
		begin, end := "<!-- "+marker+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ended := strings.Cut(rest, end)
		if !ok || !ended {
			t.Fatalf("the README has no %s", begin)
		}
		want = before + begin + part + end + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(content)); diff != "" {
		t.Errorf("the README lags behind; go test ./api -update (-want +README):\n%s", diff)
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
