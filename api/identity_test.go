package api

import (
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
)

// twoKeys gives a world a second key, and returns a token of it.
func twoKeys(t *testing.T) (change func(*common.Config, *[]route), token string) {
	second := common.Key{Name: "portal", Secret: "the key of the portal"}
	return func(c *common.Config, _ *[]route) { c.Token = append(c.Token, second) }, hash(t, string(second.Secret), 4)
}

// CloudTrail shows with each call the name of the key that the request came
// with.
func TestCallsHaveTheNameOfTheKey(t *testing.T) {
	t.Parallel()
	change, portal := twoKeys(t)
	w := newWorld(t, change)
	list := exchange{method: "GET", path: base, status: 200, want: `[]`}
	byPortal := list
	byPortal.header = map[string]string{"X-Auth-Token": portal}
	w.run(list, byPortal, list, byPortal)
	var got []string
	for _, c := range w.calls {
		got = append(got, c.Operation+" "+c.SourceIdentity)
	}
	want := []string{
		"AssumeRole ", "DescribeRepositories default", "AssumeRole ", "DescribeRepositories portal",
		"DescribeRepositories default", "DescribeRepositories portal",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls with their source identities (-want +got):\n%s", diff)
	}
}

// A set-up from before the service sent a source identity goes on working. The
// log says once what to add.
func TestSetUpWithoutSourceIdentity(t *testing.T) {
	t.Parallel()
	roles := rolesOf(config.RolePolicy, account, account2)
	for i := range roles {
		roles[i].Trust = strings.Replace(roles[i].Trust, `["sts:TagSession", "sts:SetSourceIdentity"]`, `"sts:TagSession"`, 1)
	}
	w := newWorldWith(t, roles)
	for range 2 {
		w.run(
			exchange{method: "GET", path: base, status: 200, want: `[]`},
			exchange{method: "GET", path: base + "/g/a", status: 404, want: "-"},
		)
	}
	if n := count(w.called(), "sts:AssumeRole"); n != 3 { // one of the two sessions needs two
		t.Errorf("AssumeRole was called %d times", n)
	}
	var warnings []map[string]any
	for _, line := range w.logged(t) {
		if line["level"] == "warning" {
			delete(line, "time")
			warnings = append(warnings, line)
		}
	}
	want := []map[string]any{{"level": "warning", "account": account,
		"msg": "CloudTrail will not show which key the calls in this account are for: the trust policy of the role, or the policy of the service's identity, does not allow sts:SetSourceIdentity (docs/aws.md)"}}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
