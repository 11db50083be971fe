package api

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
)

// A rowTest is all that the general tests need to know of one protected row:
// the tests of tokens, tenancy, policies, faults, sessions and hostile input.
// Each row has one rowTest, its entry, in the test file of its noun.
type rowTest struct {
	// bodies are good bodies. A row that takes no body has none. The first one
	// is the body of the row's usual request. {account}, {group} and {name} in
	// them are replaced as in the path.
	bodies []string

	// query is the query of the row's usual request, such as "tag=v1". A row that
	// needs none has none.
	query string

	// given adds to a repository what the row's requests are about, such as an
	// image. It is nil if they are about the repository alone. The samples of
	// the path variables name what it adds.
	given func(w *world, account, repository, org string)

	// calls are the operations that the usual request calls, without
	// AssumeRole. If the path names a repository, it exists.
	calls []string

	// variants are requests for all ways in which the row uses AWS. Together
	// they need each action that the row's policy allows. They run one after
	// another on the repositories of setUpVariants.
	variants []exchange

	// may is what the row's policy must allow, and never is what it must deny.
	// They are written out and not derived from the policy, so that the tests
	// find a mistake in the policy.
	may, never []right

	// notCalled says why an action is in the policy although no variant, or
	// only a special one, calls it.
	notCalled map[string]string

	// access are the entries of the row's Access. They have may, never, notCalled
	// and redundant only.
	access map[string]rowTest

	// further are the entries of the row's Further. They have the same. Those that
	// call IAM have notCalled only: userattacks_test.go says what they may do.
	further map[string]rowTest

	// changes has the operations that change something.
	changes map[string]change

	// redundant are the conditions of the policy that a Deny in the same policy
	// makes redundant. TestNoPartOfAPolicyCouldBeWeaker gives them these names.
	redundant []string
}

// A change is what one operation changes.
type change struct {
	part string // its name in the answer's applied and unknown
	body string // of a request that makes only this change; empty: the usual request
}

// rowTests are the entries of all protected rows, by the row's name.
var rowTests = map[string]rowTest{}

// describe adds the entry of a row. Call it as `var _ = describe(…)`.
func describe(row string, e rowTest) struct{} {
	if _, twice := rowTests[row]; twice {
		panic("two entries for the row " + row)
	}
	rowTests[row] = e
	return struct{}{}
}

// entryOf returns the row's entry. The test ends if there is none.
func entryOf(t testing.TB, rt route) rowTest {
	t.Helper()
	e, ok := rowTests[rt.Name]
	if !ok {
		t.Fatalf("%s has no entry: add `var _ = describe(%q, rowTest{…})` to the test file of its noun", rt, rt.Name)
	}
	return e
}

// protectedRows are the rows that have a policy.
func protectedRows() []route {
	return slices.DeleteFunc(slices.Clone(routes), func(rt route) bool { return rt.Public })
}

// rowsBySession are the protected rows without those that have the same policy as an
// earlier row, and the same entry about it: their sessions are the same.
func rowsBySession(t testing.TB) []route {
	t.Helper()
	seen := map[string]bool{}
	return slices.DeleteFunc(protectedRows(), func(rt route) bool {
		e := entryOf(t, rt)
		session := fmt.Sprint(rt.Policy(groupScope), e.may, e.never)
		defer func() { seen[session] = true }()
		return seen[session]
	})
}

// A sessionPolicy is the policy of a row, or of another session of its, with its
// entry.
type sessionPolicy struct {
	name   string
	entry  rowTest
	of     func(iam.Scope) iam.Policy
	access bool // its rights are for a caller
	named  bool // it is for the repository "a" of the scope's group, or for its user "builder"
	ofIAM  bool // it is one of userSessions
}

// scope returns the scope for which the policy is made.
func (p sessionPolicy) scope(s iam.Scope) iam.Scope {
	if p.named {
		s.Name, s.User = "a", "builder"
	}
	return s
}

// isOfUser tells whether the policy is about one user.
func (p sessionPolicy) isOfUser() bool {
	one := p.scope(exampleScope)
	other := one
	other.User += "2"
	return p.of(one).String() != p.of(other).String()
}

// policiesOf returns all policies of a row.
func policiesOf(rt route, e rowTest) []sessionPolicy {
	list := []sessionPolicy{{name: rt.String(), entry: e, of: rt.Policy}}
	for _, name := range slices.Sorted(maps.Keys(rt.Access)) {
		list = append(list, sessionPolicy{rt.String() + ", " + name, e.access[name], rt.Access[name], true, true, false})
	}
	for _, name := range slices.Sorted(maps.Keys(rt.Further)) {
		list = append(list, sessionPolicy{rt.String() + ", " + name, e.further[name], rt.Further[name], false, true, userSessions[name] != nil})
	}
	return list
}

// sessionPolicies returns all policies of all rows.
func sessionPolicies(t testing.TB) (list []sessionPolicy) {
	t.Helper()
	for _, rt := range protectedRows() {
		list = append(list, policiesOf(rt, entryOf(t, rt))...)
	}
	return list
}

// rowNamed returns the row of that name.
func rowNamed(name string) route {
	i := slices.IndexFunc(routes, func(rt route) bool { return rt.Name == name })
	return routes[i]
}

// rowsOf returns the rows of a path.
func rowsOf(path string) []route {
	return slices.DeleteFunc(slices.Clone(routes), func(rt route) bool { return rt.Path != path })
}

// values are the values of path variables, by name. A variable without a value
// has its sample.
type values map[string]string

// fill replaces the path variables in a path or a body.
func (v values) fill(text string) string {
	for _, declared := range pathVars {
		value, ok := v[declared.Name]
		switch {
		case ok:
		case declared.Name == "key":
			value = sampleKey(v.orSample("account"), v.orSample("group")+"/"+v.orSample("name"))
		default:
			value = declared.Sample
		}
		text = strings.ReplaceAll(text, "{"+declared.Name+"}", value)
	}
	return text
}

// orSample returns the value of a variable.
func (v values) orSample(name string) string {
	if value, ok := v[name]; ok {
		return value
	}
	declared, _ := findVar(pathVars, name)
	return declared.Sample
}

// inG are the values that most tests use: the repository g/a.
var inG = values{"group": "g", "name": "a"}

// addFullRepository adds a repository of the org, with all that the rows'
// requests are about.
func (w *world) addFullRepository(account, name, org string) {
	w.t.Helper()
	w.addRepository(account, name, org)
	for _, e := range rowTests {
		if e.given != nil {
			e.given(w, account, name, org)
		}
	}
}

// usual returns the row's usual request. It is for the repository g/a. If the
// path has no name, a create makes g/new.
func (e rowTest) usual(rt route) exchange {
	if rt.hasName() {
		return e.request(rt, inG)
	}
	return e.request(rt, values{"group": "g", "name": "new"})
}

// request returns the row's usual request with these path values.
func (e rowTest) request(rt route, v values) exchange {
	return e.requests(rt, v)[0]
}

// requestsByOperation returns for each AWS operation a request for which the
// service calls that operation. If the operation changes something, the request
// makes only this change.
func requestsByOperation(t testing.TB) map[string]exchange {
	t.Helper()
	list := map[string]exchange{}
	for _, rt := range protectedRows() {
		e := entryOf(t, rt)
		for _, operation := range append([]string{"sts:AssumeRole"}, e.calls...) {
			if _, ok := list[operation]; ok || !rt.standsFor(operation) {
				continue
			}
			request := e.usual(rt)
			if c := e.changes[operation]; c.body != "" {
				request.body = c.body
			}
			list[operation] = request
		}
	}
	return list
}

// standsFor tells whether the row may have the request for an operation. For
// those of IAM it is a row that is about users alone.
func (rt route) standsFor(operation string) bool {
	return rt.Users || !strings.HasPrefix(operation, "iam:")
}

// partOf returns the name of the part that an operation changes, empty if it
// changes nothing.
func partOf(operation string) string {
	for _, rt := range protectedRows() { // in the order of requestsByOperation
		if c, ok := rowTests[rt.Name].changes[operation]; ok && rt.standsFor(operation) {
			return c.part
		}
	}
	return ""
}

// requests returns a request for each of the row's bodies.
func (e rowTest) requests(rt route, v values) []exchange {
	bodies := e.bodies
	if len(bodies) == 0 {
		bodies = []string{""}
	}
	var list []exchange
	for _, b := range bodies {
		list = append(list, exchange{
			name: fmt.Sprintf("%s %s", rt, b), method: rt.Method, path: withQuery(v.fill(rt.Path), e.query), body: v.fill(b), status: rt.status(nil), want: "-",
		})
	}
	return list
}

// withQuery returns the path with one more query parameter, if there is one.
func withQuery(path, query string) string {
	switch {
	case query == "":
		return path
	case strings.Contains(path, "?"):
		return path + "&" + query
	}
	return path + "?" + query
}

// hasName tells whether the path of the row names a repository.
func (rt route) hasName() bool { return slices.Contains(varsIn(rt.Path), "name") }

func TestEveryRowHasAnEntry(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		t.Run(rt.Name, func(t *testing.T) {
			t.Parallel()
			e := entryOf(t, rt)
			_, bodyless := rt.Endpoint.newInput().(interface{ hasNoBody() })
			for missing, is := range map[string]bool{
				"bodies: the row takes a body":         !bodyless && len(e.bodies) == 0,
				"no bodies: the row takes no body":     bodyless && len(e.bodies) > 0,
				"calls: what the usual request calls":  len(e.calls) == 0,
				"variants: all ways to use AWS":        len(e.variants) == 0,
				"may: what the session may do":         len(e.may) == 0,
				"never: what the session never may do": len(e.never) == 0,
				"access: one for each of the row's":    !maps.EqualFunc(rt.Access, e.access, func(func(iam.Scope) iam.Policy, rowTest) bool { return true }),
				"further: one for each of the row's":   !maps.EqualFunc(rt.Further, e.further, func(func(iam.Scope) iam.Policy, rowTest) bool { return true }),
			} {
				if is {
					t.Errorf("the entry of %s needs %s", rt, missing)
				}
			}
		})
	}
	for name, e := range rowTests {
		if !slices.ContainsFunc(protectedRows(), func(rt route) bool { return rt.Name == name }) {
			t.Errorf("there is an entry for %s, but no such row", name)
			continue
		}
		for _, mistake := range append(e.missing(), e.stale(name)...) {
			t.Errorf("the entry of %s %s", name, mistake)
		}
	}
}

// reads matches the operations that change nothing, or a preview only.
var reads = regexp.MustCompile(`^[a-z]+:(Describe|List|Get|BatchGet|StartLifecyclePolicyPreview)`)

// missing returns what the entry does not say. The tests of tenancy and of lost
// answers take an operation that is not in changes for a read.
func (e rowTest) missing() (mistakes []string) {
	for _, operation := range e.calls {
		if _, ok := e.changes[operation]; !ok && !reads.MatchString(operation) {
			mistakes = append(mistakes, "needs "+operation+" in changes: which part does it change?")
		}
	}
	return mistakes
}

// stale returns what the entry says about things that no longer exist.
func (e rowTest) stale(row string) (mistakes []string) {
	for _, p := range policiesOf(rowNamed(row), e) {
		document := p.of(p.scope(exampleScope))
		for action := range p.entry.notCalled {
			if !allowedActions(document.Statement)[action] {
				mistakes = append(mistakes, "has "+action+" in notCalled, but the policy does not allow it")
			}
		}
		for _, name := range p.entry.redundant {
			if _, ok := weakened(document)[name]; !ok {
				mistakes = append(mistakes, "has in redundant what the policy does not have: "+name)
			}
		}
	}
	for operation := range e.changes {
		if !slices.Contains(e.calls, operation) {
			mistakes = append(mistakes, "has "+operation+" in changes, but not in calls")
		}
	}
	return mistakes
}

// The usual request of each row succeeds, and calls what its entry says.
func TestUsualRequests(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		t.Run(rt.Name, func(t *testing.T) {
			t.Parallel()
			e := entryOf(t, rt)
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			w.run(e.usual(rt))
			called := map[string]bool{}
			for _, operation := range w.called() {
				if operation != "sts:AssumeRole" {
					called[operation] = true
				}
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(e.calls)), slices.Sorted(maps.Keys(called))); diff != "" {
				t.Errorf("operations (-entry +called):\n%s", diff)
			}
		})
	}
}

// hostileSegments must be refused as the value of any path variable.
var hostileSegments = []string{
	"a%2Fb", "%2e%2e", ".", "%2E", "*", "a%2A", "%3F", "a%00", "a%0A", "%0D%0Ax", "a%20b", "%C3%BC", "%24%7Baws:username%7D", "%25", "a%5Cb", "a%22b", "a%7Cb",
}

// A handler sees no path variable that was not decoded and checked.
func TestEveryPathVariableIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, rt := range routes {
		for _, name := range varsIn(rt.Path) {
			for _, hostile := range hostileSegments {
				e := exchange{method: rt.Method, path: values{name: hostile}.fill(rt.Path), body: "{}"}
				status, _, body := w.do(e)
				if called := w.called(); called != nil || status != http.StatusBadRequest && status != http.StatusNotFound {
					t.Errorf("%s takes %s for {%s}: status %d, AWS was called: %v: %s", rt, hostile, name, status, called, body)
				}
				w.forget()
			}
		}
	}
}

// percentEncoded returns a text with each of its bytes escaped.
func percentEncoded(text string) string {
	var escaped strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&escaped, "%%%02X", b)
	}
	return escaped.String()
}

// The variables of each row's path are decoded, and all of them are in its log
// line.
func TestEveryPathVariableIsDecodedAndLogged(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		t.Run(rt.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			encoded := values{}
			for _, v := range pathVars {
				encoded[v.Name] = percentEncoded(v.Sample)
			}
			request := entryOf(t, rt).request(rt, nil)
			request.path = encoded.fill(rt.Path)
			w.do(request)
			lines := w.logged(t)
			for _, name := range varsIn(rt.Path) {
				v, _ := findVar(pathVars, name)
				if got := lines[len(lines)-1][v.LogField]; got != v.Sample {
					t.Errorf("the log line has %s: %v, want %s", v.LogField, got, v.Sample)
				}
			}
		})
	}
}

// No row takes a query parameter that its input does not declare.
func TestUnknownQueryParametersAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, rt := range protectedRows() {
		for _, request := range entryOf(t, rt).requests(rt, inG) {
			request.path = withQuery(request.path, "dryRnu=true")
			request.status, request.want = 400, problemOf("bad-request", `"dryRnu" is not a query parameter of this request.`)
			w.run(request)
		}
	}
	if called := w.called(); len(called) > 0 {
		t.Errorf("AWS was called: %s", called)
	}
}

// changeRows returns an option for newWorld that changes every protected row.
func changeRows(change func(*route)) func(*common.Config, *[]route) {
	return func(_ *common.Config, table *[]route) {
		for i := range *table {
			if !(*table)[i].Public {
				change(&(*table)[i])
			}
		}
	}
}

// changeFurther returns an option for newWorld that changes the policy of the
// further sessions of that name.
func changeFurther(name string, policy func(iam.Scope) iam.Policy) func(*common.Config, *[]route) {
	return changeRows(func(rt *route) {
		if rt.Further[name] != nil {
			rt.Further = map[string]func(iam.Scope) iam.Policy{name: policy}
		}
	})
}

// lowerKeys returns the context with its names in lower case. Else each decision
// would have to make them so.
func lowerKeys(context map[string][]string) map[string][]string {
	lower := make(map[string][]string, len(context))
	for k, values := range context {
		k = strings.ToLower(k)
		lower[k] = append(lower[k], values...)
	}
	return lower
}
