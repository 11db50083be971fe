package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	here  = "012345678901"
	there = "210987654321"

	lambdas = `{"Sid":"LambdaECRImageRetrievalPolicy","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},` +
		`"Action":["ecr:BatchGetImage"],"Condition":{"StringLike":{"aws:sourceArn":"arn:aws:lambda:us-east-1:012345678901:function:*"}}}`
	byGroups = `{"Sid":"EcrApiPullByGroups","Effect":"Allow","Principal":{"AWS":"*"},"Action":["ecr:GetDownloadUrlForLayer","ecr:BatchGetImage"],` +
		`"Condition":{"StringEquals":{"aws:PrincipalAccount":["210987654321","012345678901"],"aws:PrincipalTag/spinup:org":"spindev","aws:PrincipalTag/spinup:spaceid":["b","a"]}}}`
	byAccounts = `{"Sid":"EcrApiPullByAccounts","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::210987654321:root"]},` +
		`"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringEquals":{"aws:PrincipalAccount":"210987654321"}}}`
	anyAccount = `{"Sid":"EcrApiPullByGroups","Effect":"Allow","Principal":{"AWS":"*"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Condition":{"StringEquals":{"aws:PrincipalTag/spinup:org":"spindev","aws:PrincipalTag/spinup:spaceid":["a"]}}}`
	byEarlier = `{"Sid":"AllowPullImagesFromSpaceAndOrg","Effect":"Allow","Principal":{"AWS":"*"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
		`"Condition":{"StringEquals":{"aws:PrincipalTag/spinup:org":"spindev","aws:PrincipalTag/spinup:spaceid":"a"}}}`
)

func policyOf(statements string) string {
	return `{"Version":"2008-10-17","Statement":[` + statements + `]}`
}

func TestReadPolicy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want sharing
	}{
		"none":                  {"", sharing{}},
		"of others":             {policyOf(lambdas), sharing{Frame: policyOf(lambdas)}},
		"ours":                  {policyOf(byGroups + "," + byAccounts), sharing{"a b", there, false, policyOf("")}},
		"ours and others":       {policyOf(byAccounts + "," + lambdas), sharing{"", there, false, policyOf(lambdas)}},
		"of the earlier one":    {policyOf(byEarlier), sharing{"a", "", true, policyOf("")}},
		"without other account": {policyOf(byGroups), sharing{"not as written by the service: " + meaning([]byte(byGroups)), "", false, policyOf("")}},
		"for any account":       {policyOf(anyAccount), sharing{"not as written by the service: " + meaning([]byte(anyAccount)), "", false, policyOf("")}},
		"ours twice": {policyOf(byAccounts + "," + byAccounts),
			sharing{"not as written by the service: " + meaning([]byte(byAccounts)), there, false, policyOf("")}},
	} {
		if got := readPolicy(test.text, here); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestSharingWith(t *testing.T) {
	t.Parallel()
	none, a, b := "", "a", "b"
	shared := sharing{"a", there, false, newPolicy}
	for name, test := range map[string]struct {
		before sharing
		change share
		want   sharing
	}{
		"a new policy":                {sharing{}, share{&a, &none}, sharing{"a", "", false, newPolicy}},
		"groups only":                 {shared, share{&b, nil}, sharing{"b", there, false, newPolicy}},
		"nothing is left":             {shared, share{&none, &none}, sharing{}},
		"others are left":             {sharing{"a", "", false, policyOf(lambdas)}, share{&none, &none}, sharing{Frame: policyOf(lambdas)}},
		"the earlier one's statement": {sharing{"a", "", true, policyOf("")}, share{&a, &none}, sharing{"a", "", false, policyOf("")}},
	} {
		got := test.before.with(test.change)
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
		if again := readPolicy(got.text(here), here); again != got {
			t.Errorf("%s: %+v is read as %+v", name, got, again)
		}
	}
}

func wantError(t *testing.T, name string, err error, word string) {
	t.Helper()
	if (err == nil) != (word == "") || err != nil && !strings.Contains(err.Error(), word) {
		t.Errorf("%s: error %v, want one with %q", name, err, word)
	}
}

func TestStatesAfterRules(t *testing.T) {
	t.Parallel()
	a, b, none := "a", "b", ""
	old := state{Exists: true, Sharing: sharing{"a", there, false, newPolicy}, Lifecycle: "{}"}
	alone, other, unruled := old, old, old
	alone.Sharing = sharing{}
	other.Sharing.Groups = "b"
	unruled.Lifecycle = ""
	made := state{Exists: true, Tags: "t"}
	shared := made
	shared.Sharing = sharing{"b", "", false, newPolicy}
	creating := operation{kind: create, created: made, settings: settings{groups: &b}}
	deleting, refused := operation{kind: deleteSharing, share: share{&none, &none}}, operation{kind: putSharing, share: share{&a, &b}, refused: true}
	repository, groups, part, lifecycle := []string{"Repository"}, []string{"Groups"}, []string{"Sharing"}, []string{"Lifecycle"}
	text, empty := "{}", ""

	for name, test := range map[string]struct {
		before    []state
		operation operation
		out       outcome
		want      []state
	}{
		"create with groups":                      {[]state{{}}, creating, outcome{status: 200, seen: &state{Exists: true, Tags: "t", Sharing: sharing{Groups: "b"}}}, []state{shared}},
		"create that does not tell the groups":    {[]state{{}}, creating, outcome{status: 200, seen: &made}, nil},
		"create without the groups":               {[]state{{}}, creating, outcome{status: 500, applied: repository}, []state{made}},
		"create, groups unknown":                  {[]state{{}}, creating, outcome{status: 500, applied: repository, unknown: groups}, []state{made, shared}},
		"create, all unknown":                     {[]state{{}}, creating, outcome{status: 500, unknown: []string{"Repository", "Groups"}}, []state{{}, made, shared}},
		"delete of sharing":                       {[]state{old}, deleting, outcome{status: 200, sharing: new(sharingAnswer)}, []state{alone}},
		"delete of sharing shows some":            {[]state{old}, deleting, outcome{status: 200, sharing: &sharingAnswer{"a", there, 0}}, nil},
		"delete of sharing, unknown":              {[]state{old}, deleting, outcome{status: 500, unknown: part}, []state{old, alone}},
		"put that AWS refuses":                    {[]state{old}, refused, outcome{status: 400}, []state{old}},
		"put that AWS refuses succeeds":           {[]state{old}, refused, outcome{status: 200}, nil},
		"put is refused for no reason":            {[]state{old}, deleting, outcome{status: 400}, nil},
		"a conflict with nobody":                  {[]state{old}, deleting, outcome{status: 409, code: sharingChanged}, nil},
		"show of sharing":                         {[]state{old, alone}, operation{kind: showSharing}, outcome{status: 200, sharing: &sharingAnswer{"a", there, 0}}, []state{old}},
		"update of the groups":                    {[]state{old}, operation{kind: update, settings: settings{groups: &b}}, outcome{status: 200}, []state{other}},
		"put of a lifecycle policy":               {[]state{unruled}, operation{kind: putLifecycle, document: "{}"}, outcome{status: 200, lifecycle: &text}, []state{old}},
		"delete of a lifecycle policy":            {[]state{old}, operation{kind: deleteLifecycle}, outcome{status: 200, lifecycle: &text}, []state{unruled}},
		"delete of a lifecycle policy shows none": {[]state{old}, operation{kind: deleteLifecycle}, outcome{status: 200, lifecycle: &empty}, nil},
		"delete of a lifecycle policy, unknown":   {[]state{old}, operation{kind: deleteLifecycle}, outcome{status: 500, unknown: lifecycle}, []state{old, unruled}},
		"no lifecycle policy":                     {[]state{old, unruled, {}}, operation{kind: deleteLifecycle}, outcome{status: 404, code: lifecycleNotFound}, []state{unruled}},
		"preview":                                 {[]state{old, unruled, {}}, operation{kind: preview}, outcome{status: 202}, []state{old}},
		"preview of another meanwhile":            {[]state{old}, operation{kind: preview, underWay: true}, outcome{status: 409, code: previewUnderWay}, []state{old}},
		"preview of another of nobody":            {[]state{old}, operation{kind: preview}, outcome{status: 409, code: previewUnderWay}, nil},
	} {
		if diff := cmp.Diff(test.want, statesAfter(test.before, test.operation, test.out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStatesAfterBoth(t *testing.T) {
	t.Parallel()
	a, b := "a", "b"
	before := []state{{Exists: true}}
	pair := [2]operation{{kind: update, settings: settings{groups: &a}}, {kind: putSharing, share: share{&b, &b}}}
	after := func(groups string) state { return state{Exists: true, Sharing: sharing{groups, "b", false, newPolicy}} }
	ok := outcome{status: 200}
	if diff := cmp.Diff([]state{after("b"), after("a")}, statesAfterBoth(before, pair, [2]outcome{ok, ok})); diff != "" {
		t.Errorf("in any order (-want +got):\n%s", diff)
	}
	failed := [2]outcome{ok, {status: 409, code: sharingChanged}}
	if got := statesAfterBoth(before, pair, failed); got != nil {
		t.Errorf("one of two in one process finds that others changed the policy: %v", got)
	}
}
