package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam"
	"pgregory.net/rapid"
)

// A request is what one call to the service is about.
type request struct {
	org            string
	row            route
	account, group string
	name           string // of a repository that no other request is about
}

func (q request) repository() string { return q.group + "/" + q.name }

func (q request) String() string {
	return fmt.Sprintf("%s of %s in %s for %s", q.row, q.repository(), q.account, q.org)
}

// policy is the session policy that every call of the request must be made under.
func (q request) policy() string {
	s := iam.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: q.account}, Org: q.org}
	if strings.Contains(q.row.Path, "{group}") {
		s.Group = q.group
	}
	return q.row.Policy(s).String()
}

func (q request) exchange() exchange {
	path := strings.NewReplacer("{account}", q.account, "{group}", q.group, "{name}", q.name).Replace(q.row.Path)
	e := exchange{method: q.row.Method, path: path}
	switch q.row.String() {
	case listRow, listGroupRow:
		e.body = jsonOf(probe{q.repository()})
	case createRow:
		e.body = jsonOf(map[string]any{"RepositoryName": q.name})
	case updateRow:
		e.body = `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE", "Tags": [{"Key": "k", "Value": "v"}]}`
	}
	return e
}

// A probe is the body of a list in these tests. A list's own call names no
// repository, so nobody could tell whose request it belongs to: first the handler
// looks with the same client for one that only this request names.
type probe struct{ Repository string }

func (probe) check() error { return nil }

func probeThenList(ctx context.Context, c call, in probe) ([]string, error) {
	if in.Repository == "" {
		return nil, nil
	}
	if _, err := c.ECR.Tags(ctx, in.Repository); err != nil && common.CodeOf(err) != common.NotFound {
		return nil, err
	}
	return listRepositories(ctx, c, nothing{})
}

// traceable changes the lists so that they may look at a repository, and that each of their sessions has a policy of its
// own, where they all have the same, and that their calls can be told apart.
func traceable(rt *route) {
	name := rt.String()
	if name != listRow && name != listGroupRow {
		return
	}
	usual := rt.Policy
	rt.Policy = func(s iam.Scope) iam.Policy {
		mark := iam.Deny(s.ARN(s.Org+"/"+rt.Method+rt.Path[len(accountPath):]+"/"+s.Group), "ecr:SetRepositoryPolicy")
		look := iam.Allow(s.AllRepositories(), "ecr:ListTagsForResource")
		return iam.NewPolicy(append(usual(s).Statement, mark, look)...)
	}
	rt.Handler = endpoint(probeThenList)
}

// A chorus is several services, one an org, that share an AWS.
type chorus struct {
	*world // whose AWS it is
	byOrg  map[string]*world
	rows   []route

	mu       sync.Mutex
	expected map[string]request // by repository
	lists    map[string]bool    // policies that lists may be made under
	counter  int
	faults   []string
	checked  int
}

func newChorus(t *testing.T, orgs ...string) *chorus {
	c := &chorus{byOrg: map[string]*world{}, expected: map[string]request{}, lists: map[string]bool{}}
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

// prepare gives the request a name of its own, and the repository that it needs.
func (c *chorus) prepare(q request) request {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counter++
	q.name = fmt.Sprintf("n%d", c.counter)
	c.expected[q.account+"/"+q.repository()] = q
	if name := q.row.String(); name == listRow || name == listGroupRow {
		c.lists[q.policy()] = true
	} else if name != createRow {
		if err := c.aws.AddRepository(q.account, region, q.repository(), map[string]string{iam.OrgTag: q.org}); err != nil {
			c.faults = append(c.faults, err.Error())
		}
	}
	return q
}

// perform sends all requests at once and returns what is wrong with the calls to
// AWS that they led to.
func (c *chorus) perform(requests []request) []string {
	c.forget()
	var all sync.WaitGroup
	for i, q := range requests {
		q = c.prepare(q)
		requests[i] = q
		all.Go(func() {
			if status, _, body := c.byOrg[q.org].do(q.exchange()); status != http.StatusOK {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.faults = append(c.faults, fmt.Sprintf("%s: status %d: %s", q, status, body))
			}
		})
	}
	all.Wait()
	c.check()
	faults := c.faults
	c.faults = nil
	return faults
}

func (c *chorus) check() {
	c.world.mu.Lock()
	calls := c.world.calls
	c.world.mu.Unlock()
	for _, made := range calls {
		if made.Service != "ecr" {
			continue
		}
		c.checked++
		if fault := c.fault(made); fault != "" {
			c.faults = append(c.faults, fault)
		}
	}
}

// fault says what is wrong with the session that a call was signed with.
func (c *chorus) fault(made localaws.Call) string {
	if made.Repository == "" {
		if !c.lists[made.Policy] {
			return fmt.Sprintf("a list under a policy that no list has: %s", made.Policy)
		}
		return ""
	}
	// The account is what the session says it is. So the request is looked for by
	// the name, which no two have in common in whatever account.
	for _, a := range []string{account, account2} {
		q, ok := c.expected[a+"/"+made.Repository]
		switch {
		case !ok:
			continue
		case made.Account != q.account:
			return fmt.Sprintf("%s: %s in the account %s", q, made.Operation, made.Account)
		case made.Policy != q.policy():
			return fmt.Sprintf("%s: %s under the policy %s, want %s", q, made.Operation, made.Policy, q.policy())
		case !strings.HasPrefix(made.Principal, "arn:aws:sts::"+q.account+":assumed-role/ecr-api/"):
			return fmt.Sprintf("%s: %s by %s", q, made.Operation, made.Principal)
		case !strings.Contains(made.Principal, "-"+q.org+"-"):
			return fmt.Sprintf("%s: %s by %s, whose name does not tell the org", q, made.Operation, made.Principal)
		}
		return ""
	}
	return fmt.Sprintf("%s of %s, which nobody asked for", made.Operation, made.Repository)
}

// Groups of which some begin with the name of another, and some differ from an
// account or an org by nothing.
var sessionGroups = []string{"g", "g1", "g-1", "g1-x", "gg", "g.1", account, org}

// Whatever requests run at the same time, no call is signed with a session of
// another account, group, row or org, also while sessions expire.
func TestNoCallUnderAnotherSession(t *testing.T) {
	t.Parallel()
	c := newChorus(t, org, otherOrg)
	one := rapid.Custom(func(t *rapid.T) request {
		return request{
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
		if faults := c.perform(requests); len(faults) > 0 {
			t.Fatal(strings.Join(faults, "\n"))
		}
	})
	if c.checked < 50 {
		t.Errorf("only %d calls were looked at", c.checked)
	}
}

// More groups than sessions are kept: those that went come back as their own.
func TestMoreGroupsThanSessionsAreKept(t *testing.T) {
	t.Parallel()
	const kept = 1024 // at most
	c := newChorus(t, org)
	visit := func() map[string]bool {
		var requests []request
		for _, rt := range c.rows {
			for _, a := range []string{account, account2} {
				requests = append(requests, request{org: org, row: rt, account: a, group: "g"}, request{org: org, row: rt, account: a, group: "g1"})
			}
		}
		for _, fault := range c.perform(requests) {
			t.Error(fault)
		}
		return c.accessKeys()
	}
	// fill makes room be needed for sessions of other groups, which nobody uses:
	// so AWS is not asked for them.
	filled := 0
	fill := func(n int) {
		for range n {
			filled++
			path := fmt.Sprintf("%s/other%d", base, filled)
			if status, _, body := c.do(exchange{method: "GET", path: path, body: `{}`}); status != http.StatusOK {
				t.Fatalf("%s: status %d: %s", path, status, body)
			}
		}
	}
	first := visit()
	fill(kept - 2*len(first))
	second := visit()
	fill(kept)
	third := visit()
	if len(first) < len(c.rows) || !maps.Equal(first, second) {
		t.Errorf("there was room for all: %d sessions, then %d", len(first), len(second))
	}
	for k := range third {
		if first[k] {
			t.Error("a session was kept beyond the most")
		}
	}
}

// accessKeys are those with which the last requests called ECR.
func (c *chorus) accessKeys() map[string]bool {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	used := map[string]bool{}
	for _, made := range c.world.calls {
		if made.Service == "ecr" {
			used[made.AccessKey] = true
		}
	}
	return used
}
