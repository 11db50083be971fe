package api

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// A role was deleted and made anew, so AWS does not know its sessions any more.
// Each request of each row gets a new session and succeeds.
func TestRoleMadeAnew(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		t.Run(rt.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			w.addFullRepository(account, "g/warm", org)
			e := entryOf(t, rt)
			earlier := "warm"
			if !rt.hasName() {
				earlier = "earlier" // which a create makes
			}
			w.run(e.request(rt, values{"group": "g", "name": earlier}))
			w.aws.ForgetSessions(account)
			w.forget()
			w.run(e.usual(rt))
			if n := count(w.called(), "sts:AssumeRole"); n != sessionsOf(w.calls) {
				t.Errorf("STS was asked %d times: %s", n, w.called())
			}
			usual := []string{"", "UnrecognizedClientException", "InvalidClientTokenId", "ScanNotFoundException", "RepositoryPolicyNotFoundException"}
			if rt.Name == "DeleteImage" {
				usual = append(usual, "ImageNotFoundException") // the image is gone with its last tag
			}
			for _, c := range w.calls {
				if !slices.Contains(usual, c.ErrorCode) {
					t.Errorf("%s: %s", c.Operation, c.ErrorCode)
				}
			}
		})
	}
}

// sessionsOf returns how many sessions have made the calls: each has a policy of
// its own.
func sessionsOf(calls []localaws.Call) int {
	policies := map[string]bool{}
	for _, c := range calls {
		if c.Service != "sts" && c.ErrorCode == "" {
			policies[c.Policy] = true
		}
	}
	return len(policies)
}

func count(list []string, text string) (n int) {
	for _, s := range list {
		if s == text {
			n++
		}
	}
	return n
}

// A create that AWS refused because it did not know the session has done
// nothing: its repetition is an ordinary create.
func TestCreateWhenTheRoleWasMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/taken", org)
	create := func(name string, status int) exchange {
		return exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "` + name + `"}`, status: status, want: "-"}
	}
	w.run(create("first", 200))
	for name, status := range map[string]int{"second": 200, "taken": 409} {
		w.aws.ForgetSessions(account)
		w.run(create(name, status))
	}
	w.run(exchange{method: "GET", path: base + "/g", status: 200, want: `["g/first", "g/second", "g/taken"]`})
}

// A session that is unknown again is not made a third time. The log says so.
func TestSessionThatStaysUnknown(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"UnrecognizedClientException", "InvalidClientTokenId"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			list := exchange{method: "GET", path: base, status: 200, want: `[]`}
			w.run(list)
			w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: code, Message: "invalid", Times: 1})
			w.forget()
			w.run(list)
			want := []string{"ecr:DescribeRepositories", "sts:AssumeRole", "ecr:DescribeRepositories"}
			if diff := cmp.Diff(want, w.called()); diff != "" {
				t.Errorf("calls if it is unknown once (-want +got):\n%s", diff)
			}
			w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: code, Message: "invalid"})
			w.forget()
			list.status, list.want = 500, problemByAWS("internal", internalError, code)
			w.run(list)
			if diff := cmp.Diff(want, w.called()); diff != "" {
				t.Errorf("calls if it stays unknown (-want +got):\n%s", diff)
			}
			logged := w.logged(t)
			cause, _ := logged[len(logged)-1]["error"].(string)
			if !strings.HasPrefix(cause, "the call was repeated in a new session, which is lost too: "+code) {
				t.Errorf("the log has the error %q", cause)
			}
		})
	}
}

// Many requests meet a role that was made anew. None of them fails.
func TestManyRequestsWhenTheRoleWasMadeAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	groups := make([]string, 30)
	for i := range groups {
		groups[i] = base + "/g" + strings.Repeat("x", i) + "/a"
		w.addRepository(account, strings.TrimPrefix(groups[i], base+"/"), org)
		w.run(exchange{method: "GET", path: groups[i], status: 200, want: "-"})
	}
	w.aws.ForgetSessions(account)
	var all sync.WaitGroup
	for _, path := range groups {
		all.Go(func() { w.run(exchange{method: "GET", path: path, status: 200, want: "-"}) })
	}
	all.Wait()
}
