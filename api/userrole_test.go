package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
)

// These tests are of the role's policy for users: what a session could do to IAM
// if its own policy allowed everything.

// A session's own policy is one that userSessions knows, if it is about IAM at all,
// and userSessions has no others. So the tests of all sessions leave out these.
func TestOnlySessionsForUsersCallIAM(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, rt := range protectedRows() {
		own := map[string]func(iam.Scope) iam.Policy{"": rt.Policy}
		maps.Copy(own, rt.Access)
		for name, of := range own {
			if strings.Contains(of(usersScope).String(), `"iam:`) {
				t.Errorf("%s %s may call IAM", rt, name)
			}
		}
		for name, of := range rt.Further {
			text, known := of(usersScope).String(), userSessions[name]
			used[name] = known != nil
			if (known != nil || strings.Contains(text, `"iam:`)) && (known == nil || known(usersScope).String() != text) {
				t.Errorf("%s: the session %s is not that of userSessions", rt, name)
			}
		}
	}
	for name := range userSessions {
		if !used[name] {
			t.Errorf("no row has the session %s", name)
		}
	}
}

func TestUsersPolicyIsWhatTheSessionsNeed(t *testing.T) {
	t.Parallel()
	allowed := map[string]bool{}
	for _, s := range statementsOf(t, config.UsersPolicy) {
		if s["Effect"] == "Allow" {
			for _, action := range s["Action"].([]any) {
				allowed[action.(string)] = true
			}
		}
	}
	if diff := cmp.Diff(usersActions(), slices.Sorted(maps.Keys(allowed))); diff != "" {
		t.Errorf("actions (-sessions +role):\n%s", diff)
	}
	role, calls := parsedPolicies(t, roleForUsers()...), callsOfRole(usersActions())
	for name, rights := range sessionRights {
		for _, call := range calls {
			if call.action == "iam:TagUser" && call.on.tagged == onlyRepo || !slices.ContainsFunc(rights, func(r userRight) bool { return r.covers(call) }) {
				continue // no create needs the first: the service sets all tags at once
			}
			if got, err := policy.Decide(call.request, role...); got != policy.Allow || err != nil {
				t.Errorf("the session %s may, and the role may not: %s: %s (%v)", name, call, got, err)
			}
		}
	}
}

// roleForUsers are all policies of the management role.
func roleForUsers() []string {
	return []string{config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy, config.UsersPolicy}
}

func parsedPolicies(t *testing.T, documents ...string) (list []policy.Policy) {
	t.Helper()
	for _, text := range documents {
		p, err := policy.Parse(text)
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		list = append(list, p)
	}
	return list
}

// callsOfRole are the calls to try with these actions. A role calls in its own
// account only.
func callsOfRole(actions []string) []iamCall {
	return slices.DeleteFunc(iamCalls(usersScope, actions), func(c iamCall) bool { return c.on.where == sameElsewhere })
}

// rolesActions are the actions that the role's policy for users decides alone.
func rolesActions() []string {
	return slices.DeleteFunc(slices.Clone(allActions), func(action string) bool {
		service, _, _ := strings.Cut(action, ":")
		return slices.Contains([]string{"ecr", "inspector2", "kms"}, service)
	})
}

// usersOfOrg are the users that the role may touch.
var usersOfOrg = []string{theUser, ofTheSame, ofOurOrg}

// rightsOfRole are what the role may do to IAM.
func rightsOfRole() []userRight {
	ourOrgsTags := slices.DeleteFunc(slices.Collect(maps.Keys(userRequestTags(usersScope))), func(tags string) bool { return tags == forOtherOrg })
	return []userRight{
		{do: []string{"iam:ListUsers"}},
		{do: slices.Concat(readTheUser, removeUser, []string{"iam:UpdateAccessKey"}), on: usersOfOrg},
		{do: []string{"iam:CreateAccessKey"}, on: usersOfOrg, tagged: []string{asMade, ofAnotherRepo, allButRepo}},
		{do: []string{"iam:PutUserPermissionsBoundary", "iam:PutUserPolicy"}, on: usersOfOrg, boundary: ourBoundary},
		{do: []string{"iam:CreateUser"}, on: usersOfOrg, boundary: ourBoundary, with: ourOrgsTags},
		{do: []string{"iam:TagUser"}, on: usersOfOrg, with: harmless},
		{do: []string{"iam:TagUser"}, on: usersOfOrg, tagged: []string{tagless, beingMade}, with: ourOrgsTags},
		// The tags that are there already, and no others:
		{do: []string{"iam:TagUser"}, on: usersOfOrg, tagged: []string{asMade, allButRepo}, with: []string{asCreated, withoutOrg, withoutSpace, withoutRepo, repoAndPlain, repoUpper, onlyOrg, onlySpace}},
		{do: []string{"iam:TagUser"}, on: usersOfOrg, tagged: []string{ofAnotherRepo, allButRepo}, with: []string{withoutRepo, forOtherRepo, onlyOrg, onlySpace}},
		{do: []string{"iam:TagUser"}, on: usersOfOrg, tagged: []string{ofAnotherOrg}, with: []string{withoutOrg, repoAndPlain, repoUpper, onlySpace}},
		{do: []string{"iam:TagUser"}, on: usersOfOrg, tagged: []string{onlyRepo}, with: []string{repoAndPlain, repoUpper}},
		leaveGroup,
	}
}

// A session of the role whose own policy allows everything can make no
// administrator: no user without the boundary, no other boundary, no managed
// policy, no version of one, no group, no role, and no other tag that decides. The
// Allows and the Denies are a fence each.
func TestRoleForUsersMayDoNothingElse(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		documents []string
		more      []userRight
	}{
		"as given": {roleForUsers(), nil},
		"only what it allows": {
			[]string{withoutStatements(t, config.UsersPolicy, isDeny)},
			[]userRight{{do: []string{"iam:TagUser"}, on: usersOfOrg}, {do: []string{"iam:CreateUser"}, on: usersOfOrg, boundary: ourBoundary}},
		},
		"only what it denies": {
			[]string{config.UsersPolicy, policyForEverything(usersScope).String()},
			[]userRight{{do: []string{"iam:CreateAccessKey"}, on: usersOfOrg}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rights := append(rightsOfRole(), test.more...)
			for _, m := range userMistakes(t, callsOfRole(rolesActions()), rights, 10, test.documents...) {
				t.Error(m)
			}
		})
	}
}

// If a Deny of the role's policy is left out, userMistakes finds it.
func TestNoDenyOfTheRoleForUsersCouldBeLeftOut(t *testing.T) {
	t.Parallel()
	calls := callsOfRole(append(usersActions(), "iam:AttachUserPolicy"))
	rights := append(rightsOfRole(), userRight{do: []string{"iam:CreateAccessKey"}, on: usersOfOrg})
	for _, s := range statementsOf(t, config.UsersPolicy) {
		if !isDeny(s) || s["Sid"] == "SessionsWithoutAnOrg" { // that is for other sessions
			continue
		}
		fewer := withoutStatements(t, config.UsersPolicy, func(of map[string]any) bool { return of["Sid"] == s["Sid"] })
		if len(userMistakes(t, calls, rights, 1, fewer, policyForEverything(usersScope).String())) == 0 {
			t.Errorf("%s: not noticed", s["Sid"])
		}
	}
}

// A session without an org may do nothing to IAM, and one of another org nothing
// to users of ours.
func TestRoleForUsersRefusesSessionsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	calls := callsOfRole(usersActions())
	const principalOrg = "aws:principaltag/" + common.OrgTag // without case, as lowerKeys leaves it
	for _, sessionOrg := range []string{"", otherOrg, strings.ToUpper(usersScope.Org), usersScope.Org + "2", "*"} {
		for _, documents := range [][]string{roleForUsers(), {config.UsersPolicy, policyForEverything(usersScope).String()}} {
			role := parsedPolicies(t, documents...)
			for _, call := range calls {
				request := call.request
				request.Context = maps.Clone(request.Context)
				delete(request.Context, principalOrg)
				if sessionOrg != "" {
					request.Context[principalOrg] = []string{sessionOrg}
				}
				got, err := policy.Decide(request, role...)
				mayList := sessionOrg != "" && call.action == "iam:ListUsers"
				if (sessionOrg == "" || slices.Contains(usersOfOrg, call.on.where)) && (got == policy.Allow) != mayList || err != nil {
					t.Fatalf("a session of %q: %s: %s (%v)", sessionOrg, call, got, err)
				}
			}
		}
	}
}

// statementsOf returns the statements of a policy document.
func statementsOf(t testing.TB, document string) []map[string]any {
	t.Helper()
	var d struct{ Statement []map[string]any }
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	return d.Statement
}

// withoutStatements returns the document without some statements.
func withoutStatements(t testing.TB, document string, out func(map[string]any) bool) string {
	t.Helper()
	all := statementsOf(t, document)
	kept := slices.DeleteFunc(slices.Clone(all), out)
	if len(kept) == len(all) {
		t.Fatalf("no statement is left out of %s", document)
	}
	return jsonOf(map[string]any{"Version": "2012-10-17", "Statement": kept})
}
