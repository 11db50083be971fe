package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A tenantRequest is a request to a row of the service of one org.
type tenantRequest struct {
	org            string
	row            route
	account, group string
	name           string // of a repository that no other request is about
}

func (q tenantRequest) repository() string { return q.group + "/" + q.name }

func (q tenantRequest) String() string {
	return fmt.Sprintf("%s of %s in %s for %s", q.row, q.repository(), q.account, q.org)
}

// policy returns the session policy of the request's row.
func (q tenantRequest) policy() string { return q.row.Policy(q.scope()).String() }

// mayHave tells whether a call of the request may have that session policy.
func (q tenantRequest) mayHave(policy string) bool {
	return policy == q.policy() || q.isFurther(policy)
}

// isFurther tells whether the policy is that of a further session.
func (q tenantRequest) isFurther(policy string) bool {
	s := q.scope()
	s.Name = q.name
	for _, further := range q.row.Further {
		if policy == further(s).String() {
			return true
		}
	}
	return false
}

func (q tenantRequest) scope() iam.Scope {
	s := iam.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: q.account}, Org: q.org}
	if slices.Contains(varsIn(q.row.Path), "group") {
		s.Group = q.group
	}
	return s
}

// accesses returns the policies of the row's Access, for the request's repository.
func (q tenantRequest) accesses() (policies []string) {
	s := q.scope()
	s.Name = q.name
	for _, access := range q.row.Access {
		policies = append(policies, access(s).String())
	}
	return policies
}

// exchange returns the request as it is sent.
func (q tenantRequest) exchange(t testing.TB) exchange {
	e := entryOf(t, q.row).request(q.row, values{"account": q.account, "group": q.group, "name": q.name})
	if q.row.isList() {
		e.body = jsonOf(probe{q.repository()})
	}
	return e
}

// isList tells whether the row's requests name no repository, in the path or in
// the body.
func (rt route) isList() bool {
	_, names := rt.Endpoint.newInput().(namer)
	return !rt.hasName() && !names
}

// A probe is the body of a list in these tests. The AWS call of a list names no
// repository, so the test could not find out which request made it. So the
// handler first reads, with the same client, the tags of a repository that only
// this request names.
type probe struct{ Repository string }

func (probe) check() error { return nil }

func probeThenList(ctx context.Context, t target, in probe) ([]string, error) {
	if _, err := t.ECR().Tags(ctx, in.Repository); err != nil && common.CodeOf(err) != common.RepositoryNotFound {
		return nil, err
	}
	return listRepositories(ctx, t, nothing{})
}

// traceable changes the lists so that they use probeThenList.
func traceable(rt *route) {
	if !rt.isList() {
		return
	}
	usual := rt.Policy
	rt.Policy = func(s iam.Scope) iam.Policy {
		return iam.NewPolicy(append(usual(s).Statement, iam.Allow(s.AllRepositories(), "ecr:ListTagsForResource"))...)
	}
	rt.Endpoint = handledBy(probeThenList)
}

// An orgServices has several services that share an AWS. Each has its own org.
type orgServices struct {
	*world // the service whose AWS all of them use
	byOrg  map[string]*world
	rows   []route

	mu       sync.Mutex
	expected map[string]tenantRequest // by repository
	lists    map[string]bool          // session policies of calls that name no repository
	counter  int
	problems []string
	checked  int
}

func newOrgServices(t *testing.T, orgs ...string) *orgServices {
	c := &orgServices{byOrg: map[string]*world{}, expected: map[string]tenantRequest{}, lists: map[string]bool{}}
	endpoint := ""
	for _, o := range orgs {
		w := newWorld(t, changeRows(traceable), func(config *common.Config, table *[]route) {
			config.Org = o
			if endpoint == "" {
				endpoint = config.Account.Endpoint
			}
			config.Account.Endpoint = endpoint
			c.rows = nil
			for _, rt := range *table {
				if rt.Policy != nil {
					c.rows = append(c.rows, rt)
				}
			}
		})
		w.unspecified = true
		if c.world == nil {
			c.world = w
		}
		c.byOrg[o] = w
	}
	return c
}

// prepare gives the request its own repository name, and adds the repository if
// the request needs it.
func (c *orgServices) prepare(q tenantRequest) tenantRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counter++
	q.name = fmt.Sprintf("n%d", c.counter)
	c.expected[q.account+"/"+q.repository()] = q
	if q.row.isList() {
		c.lists[q.policy()] = true
	} else if q.row.hasName() {
		c.addFullRepository(q.account, q.repository(), q.org)
	}
	for _, access := range q.accesses() {
		c.lists[access] = true
	}
	return q
}

// perform sends all requests at once. It returns what is wrong with their calls
// to AWS.
func (c *orgServices) perform(requests []tenantRequest) []string {
	c.forget()
	var all sync.WaitGroup
	for i, q := range requests {
		q = c.prepare(q)
		requests[i] = q
		all.Go(func() {
			if status, _, body := c.byOrg[q.org].do(q.exchange(c.t)); status != q.row.status(nil) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.problems = append(c.problems, fmt.Sprintf("%s: status %d: %s", q, status, body))
			}
		})
	}
	all.Wait()
	c.check()
	problems := c.problems
	c.problems = nil
	return problems
}

func (c *orgServices) check() {
	c.world.mu.Lock()
	calls := c.world.calls
	c.world.mu.Unlock()
	for _, made := range calls {
		if made.Service != "ecr" {
			continue
		}
		c.checked++
		if problem := c.problemWith(made); problem != "" {
			c.problems = append(c.problems, problem)
		}
	}
}

// problemWith says what is wrong with the session that a call was signed with.
func (c *orgServices) problemWith(made localaws.Call) string {
	if made.Repository == "" {
		if !c.lists[made.Policy] {
			return fmt.Sprintf("%s under a policy that no such call has: %s", made.Operation, made.Policy)
		}
		return ""
	}
	// The account of the call comes from its session, which is what is checked
	// here. So the request is found by the repository's name, in any account:
	// no two requests have the same name.
	for _, a := range []string{account, account2} {
		q, ok := c.expected[a+"/"+made.Repository]
		switch {
		case !ok:
			continue
		case made.Account != q.account:
			return fmt.Sprintf("%s: %s in the account %s", q, made.Operation, made.Account)
		case !q.mayHave(made.Policy):
			return fmt.Sprintf("%s: %s under the policy %s, want %s", q, made.Operation, made.Policy, q.policy())
		case !strings.HasPrefix(made.Principal, "arn:aws:sts::"+q.account+":assumed-role/ecr-api/"):
			return fmt.Sprintf("%s: %s by %s", q, made.Operation, made.Principal)
		case !strings.Contains(made.Principal, "-"+q.org+"-"):
			return fmt.Sprintf("%s: %s by %s, whose name does not tell the org", q, made.Operation, made.Principal)
		}
		return ""
	}
	return fmt.Sprintf("%s of %s, which no request asked for", made.Operation, made.Repository)
}

// Some of these groups begin with the name of another. Some are the same text
// as an account or an org.
var sessionGroups = []string{"g", "g1", "g-1", "g1-x", "gg", "g.1", account, org}

// No call is signed with a session of another account, group or org, or under
// the policy of another row. Many requests run at the same time, and sessions
// expire.
func TestNoCallUnderAnotherSession(t *testing.T) {
	t.Parallel()
	c := newOrgServices(t, org, otherOrg)
	one := rapid.Custom(func(t *rapid.T) tenantRequest {
		return tenantRequest{
			org:     rapid.SampledFrom([]string{org, otherOrg}).Draw(t, "org"),
			row:     rapid.SampledFrom(c.rows).Draw(t, "row"),
			account: rapid.SampledFrom([]string{account, account2}).Draw(t, "account"),
			group:   rapid.SampledFrom(sessionGroups).Draw(t, "group"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		requests := rapid.SliceOfN(one, 1, 10).Draw(t, "requests")
		if rapid.IntRange(0, 9).Draw(t, "expiry") == 0 {
			defer c.aws.Inject(localaws.Fault{
				Operation: "*", Code: "ExpiredTokenException", Message: "expired", Times: 1,
				When: func(made localaws.Call) bool { return made.Service == "ecr" },
			})()
		}
		if problems := c.perform(requests); len(problems) > 0 {
			t.Fatal(strings.Join(problems, "\n"))
		}
	})
	if c.checked < 50 {
		t.Errorf("only %d calls were looked at", c.checked)
	}
}

// There are more groups than kept sessions. A session that was dropped is made
// again.
func TestMoreGroupsThanSessionsAreKept(t *testing.T) {
	t.Parallel()
	const kept = 1024 // at most
	c := newOrgServices(t, org)
	visit := func() map[string]bool {
		var requests []tenantRequest
		for _, rt := range c.rows {
			for _, a := range []string{account, account2} {
				requests = append(requests, tenantRequest{org: org, row: rt, account: a, group: "g"}, tenantRequest{org: org, row: rt, account: a, group: "g1"})
			}
		}
		for _, problem := range c.perform(requests) {
			t.Error(problem)
		}
		return c.accessKeys()
	}
	// fill makes n sessions of other groups. They are not used, so AWS is not
	// called.
	filled := 0
	fill := func(n int) {
		for range n {
			filled++
			scope := iam.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: account}, Org: org, Group: fmt.Sprintf("other%d", filled)}
			c.service.connector.connect(rowNamed("ShowRepository"), scope, &record{settings: c.service.settings.Load()})
		}
	}
	first := visit()
	fill(kept - 4*len(first)) // sessions for one repository and for IAM are kept, too
	second := visit()
	fill(kept)
	third := visit()
	if len(first) < len(c.rows) || !maps.Equal(first, second) {
		t.Errorf("there was room for all: %d sessions, then %d", len(first), len(second))
	}
	for k := range third {
		if first[k] {
			t.Error("a session was kept although there were too many")
		}
	}
}

// accessKeys are the access keys of kept sessions with which the last requests
// called ECR, without those of sessions for one repository.
func (c *orgServices) accessKeys() map[string]bool {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	used := map[string]bool{}
	for _, made := range c.world.calls {
		ofOne := slices.ContainsFunc([]string{account, account2}, func(a string) bool {
			return c.expected[a+"/"+made.Repository].isFurther(made.Policy)
		})
		if made.Service == "ecr" && made.Operation != "GetAuthorizationToken" && !ofOne {
			used[made.AccessKey] = true
		}
	}
	return used
}

// Lists of several groups have the same policy, so they share a session. The
// audit line tells what a session was used for.
func TestListsOfAnAccountShareASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"", "/g1", "/g2", "/g3", "/g4"} {
		w.run(exchange{method: "GET", path: base + path, status: 200, want: `[]`})
	}
	w.run(exchange{name: "another account", method: "GET", path: base2, status: 200, want: `[]`})
	want := []string{
		"sts:AssumeRole", "ecr:DescribeRepositories", "ecr:DescribeRepositories", "ecr:DescribeRepositories", "ecr:DescribeRepositories", "ecr:DescribeRepositories",
		"sts:AssumeRole", "ecr:DescribeRepositories",
	}
	if diff := cmp.Diff(want, w.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}
