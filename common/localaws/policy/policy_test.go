package policy

import (
	"fmt"
	"testing"
)

const repositoryARN = "arn:aws:ecr:us-east-1:012345678901:repository/group/one"

// allow returns a document with one statement, which allows everything under a
// condition.
func allow(condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}}`
}

func TestConditions(t *testing.T) {
	t.Parallel()
	const key = "aws:ResourceTag/spinup:org"
	type values = []string
	for _, test := range []struct {
		condition string
		have      values // of the key; nil if absent
		holds     bool
	}{
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"a"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"A"}, false},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"ab"}, false},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, nil, false},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{}, false},
		{`{"StringEquals":{"AWS:resourcetag/SPINUP:org":"a"}}`, values{"a"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":["b","a"]}}`, values{"a"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a*"}}`, values{"ab"}, false},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a*"}}`, values{"a*"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":true}}`, values{"true"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":1.50}}`, values{"1.50"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a","aws:RequestedRegion":"us-east-1"}}`, values{"a"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a","aws:RequestedRegion":"us-west-1"}}`, values{"a"}, false},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"a"},"StringLike":{"aws:RequestedRegion":"us-w*"}}`, values{"a"}, false},

		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"a"}, false},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"b"}, true},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, nil, true},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":["a","b"]}}`, values{"b"}, false},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":["a","b"]}}`, values{"c"}, true},

		{`{"StringEqualsIgnoreCase":{"aws:ResourceTag/spinup:org":"Ab"}}`, values{"aB"}, true},
		{`{"StringEqualsIgnoreCase":{"aws:ResourceTag/spinup:org":"a"}}`, nil, false},
		{`{"StringNotEqualsIgnoreCase":{"aws:ResourceTag/spinup:org":"Ab"}}`, values{"aB"}, false},
		{`{"StringNotEqualsIgnoreCase":{"aws:ResourceTag/spinup:org":"Ab"}}`, nil, true},

		{`{"StringLike":{"aws:ResourceTag/spinup:org":"a*c?"}}`, values{"abbcd"}, true},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"a*c?"}}`, values{"abbc"}, false},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"A*"}}`, values{"ab"}, false},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"*"}}`, nil, false},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"${*}${?}${$}"}}`, values{"*?$"}, true},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"${*}"}}`, values{"a"}, false},
		{`{"StringNotLike":{"aws:ResourceTag/spinup:org":"a*"}}`, values{"ab"}, false},
		{`{"StringNotLike":{"aws:ResourceTag/spinup:org":"a*"}}`, nil, true},

		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/spinup:org}"}}`, values{"ours"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"${AWS:principaltag/Spinup:Org}"}}`, values{"ours"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"x${aws:PrincipalTag/spinup:org}y"}}`, values{"xoursy"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/none}"}}`, values{""}, false},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/none}"}}`, values{"a"}, true},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/spinup:org}"}}`, values{"ours"}, false},
		{`{"StringNotEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/spinup:org}"}}`, values{"theirs"}, true},
		{`{"StringEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/none, 'a'}"}}`, values{"a"}, true},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/wild}"}}`, values{"anything"}, false},
		{`{"StringLike":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/wild}"}}`, values{"*"}, true},
		{`{"StringEqualsIgnoreCase":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/spinup:org}"}}`, values{"OURS"}, true},

		{`{"StringEqualsIfExists":{"aws:ResourceTag/spinup:org":"a"}}`, nil, true},
		{`{"StringEqualsIfExists":{"aws:ResourceTag/spinup:org":"a"}}`, values{"b"}, false},
		{`{"StringNotEqualsIfExists":{"aws:ResourceTag/spinup:org":"a"}}`, nil, true},
		{`{"ForAllValues:StringEqualsIfExists":{"aws:ResourceTag/spinup:org":"a"}}`, nil, true},

		{`{"Null":{"aws:ResourceTag/spinup:org":"true"}}`, nil, true},
		{`{"Null":{"aws:ResourceTag/spinup:org":"true"}}`, values{"a"}, false},
		{`{"Null":{"aws:ResourceTag/spinup:org":false}}`, values{""}, true},
		{`{"Null":{"aws:ResourceTag/spinup:org":"false"}}`, nil, false},
		{`{"Null":{"aws:ResourceTag/spinup:org":["true","false"]}}`, nil, true},

		{`{"Bool":{"aws:ResourceTag/spinup:org":"true"}}`, values{"TRUE"}, true},
		{`{"Bool":{"aws:ResourceTag/spinup:org":"true"}}`, values{"false"}, false},
		{`{"Bool":{"aws:ResourceTag/spinup:org":"false"}}`, values{"no"}, false},
		{`{"Bool":{"aws:ResourceTag/spinup:org":"false"}}`, nil, false},
		{`{"BoolIfExists":{"aws:ResourceTag/spinup:org":"false"}}`, nil, true},

		{`{"DateLessThan":{"aws:ResourceTag/spinup:org":"2026-03-01T12:00:00Z"}}`, values{"2026-03-01T11:59:59Z"}, true},
		{`{"DateLessThan":{"aws:ResourceTag/spinup:org":"2026-03-01T12:00:00Z"}}`, values{"2026-03-01T12:00:00Z"}, false},
		{`{"DateLessThan":{"aws:ResourceTag/spinup:org":"2026-03-01T12:00:00+01:00"}}`, values{"2026-03-01T11:59:59Z"}, false},
		{`{"DateLessThan":{"aws:ResourceTag/spinup:org":"2026-03-01T12:00:00Z"}}`, values{"long ago"}, false},
		{`{"DateLessThan":{"aws:ResourceTag/spinup:org":"2026-03-01T12:00:00Z"}}`, nil, false},

		{`{"ArnLike":{"aws:ResourceTag/spinup:org":"arn:aws:iam::*:role/a*"}}`, values{"arn:aws:iam::012345678901:role/ab:c"}, true},
		{`{"ArnEquals":{"aws:ResourceTag/spinup:org":"arn:aws:iam::*:role/a*"}}`, values{"arn:aws:iam::012345678901:role/b"}, false},
		{`{"ArnLike":{"aws:ResourceTag/spinup:org":"arn:aws:iam::*:a"}}`, values{"arn:aws:iam::x:y:a"}, false},
		{`{"ArnNotLike":{"aws:ResourceTag/spinup:org":"arn:aws:iam::*:a"}}`, values{"not an ARN"}, true},
		{`{"ArnNotEquals":{"aws:ResourceTag/spinup:org":"arn:aws:iam::*:a"}}`, nil, true},

		{`{"ForAllValues:StringEquals":{"aws:ResourceTag/spinup:org":["a","b"]}}`, values{"a", "b"}, true},
		{`{"ForAllValues:StringEquals":{"aws:ResourceTag/spinup:org":["a","b"]}}`, values{"a", "c"}, false},
		{`{"ForAllValues:StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, nil, true},
		{`{"ForAllValues:StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"b", "c"}, true},
		{`{"ForAllValues:StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"b", "a"}, false},
		{`{"ForAnyValue:StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"b", "a"}, true},
		{`{"ForAnyValue:StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"b", "c"}, false},
		{`{"ForAnyValue:StringEquals":{"aws:ResourceTag/spinup:org":"a"}}`, nil, false},
		{`{"ForAnyValue:StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"a", "b"}, true},
		{`{"ForAnyValue:StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, values{"a"}, false},
		{`{"ForAnyValue:StringNotEquals":{"aws:ResourceTag/spinup:org":"a"}}`, nil, false},
		{`{"ForAnyValue:StringLike":{"aws:ResourceTag/spinup:org":"a*"}}`, values{"b", "ab"}, true},
	} {
		p, err := Parse(allow(test.condition))
		if err != nil {
			t.Errorf("%s: %v", test.condition, err)
			continue
		}
		context := map[string][]string{
			"aws:RequestedRegion":         {"us-east-1"},
			"aws:PrincipalTag/spinup:org": {"ours"},
			"aws:PrincipalTag/wild":       {"*"},
		}
		if test.have != nil {
			context[key] = test.have
		}
		want := NotAllowed
		if test.holds {
			want = Allow
		}
		got, err := Decide(Request{Action: "ecr:X", Resource: repositoryARN, Context: context}, p)
		if got != want || err != nil {
			t.Errorf("%s with %q: %v, %v, want %v", test.condition, test.have, got, err, want)
		}
	}
}

func TestActionsAndResources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		action, resource         string // of the policy
		wantAction, wantResource string // of the request
		want                     Decision
	}{
		{"ecr:CreateRepository", "*", "ecr:CreateRepository", repositoryARN, Allow},
		{"ECR:createrepository", "*", "ecr:CreateRepository", repositoryARN, Allow},
		{"ecr:Create*", "*", "ecr:CreateRepository", repositoryARN, Allow},
		{"ecr:Creat?Repository", "*", "ecr:CreateRepository", repositoryARN, Allow},
		{"*", "*", "ecr:CreateRepository", repositoryARN, Allow},
		{"ecr:*", "*", "sts:AssumeRole", "*", NotAllowed},
		{"ecr:Create", "*", "ecr:CreateRepository", repositoryARN, NotAllowed},
		{"ecr:CreateRepositoryX", "*", "ecr:CreateRepository", repositoryARN, NotAllowed},

		{"ecr:*", repositoryARN, "ecr:X", repositoryARN, Allow},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/group/*", "ecr:X", repositoryARN, Allow},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/grou?/one", "ecr:X", repositoryARN, Allow},
		{"ecr:*", "arn:*:ecr:*:*:repository/*", "ecr:X", repositoryARN, Allow},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/Group/one", "ecr:X", repositoryARN, NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/grou/*", "ecr:X", repositoryARN, NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-west-1:012345678901:repository/*", "ecr:X", repositoryARN, NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-east-1:210987654321:repository/*", "ecr:X", repositoryARN, NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/group/*", "ecr:X", "arn:aws:ecr:us-east-1:012345678901:repository/*", NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/*", "ecr:X", "arn:aws:ecr:us-east-1:012345678901:repository/*", Allow},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/${*}", "ecr:X", repositoryARN, NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/${*}", "ecr:X", "arn:aws:ecr:us-east-1:012345678901:repository/*", Allow},
		{"ecr:*", "arn:aws:ecr:*:repository/group/one:x", "ecr:X", repositoryARN, NotAllowed},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/*", "ecr:X", "*", NotAllowed},
		{"ecr:*", "*", "ecr:X", "*", Allow},
		{"ecr:*", "arn:aws:ecr:us-east-1:${aws:PrincipalAccount}:repository/${aws:PrincipalTag/team}/*", "ecr:X", repositoryARN, Allow},
		{"ecr:*", "arn:aws:ecr:us-east-1:012345678901:repository/${aws:PrincipalTag/none}*", "ecr:X", repositoryARN, NotAllowed},
	} {
		document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[%q],"Resource":[%q]}]}`,
			test.action, test.resource)
		p, err := Parse(document)
		if err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		got, err := Decide(Request{Action: test.wantAction, Resource: test.wantResource, Context: map[string][]string{
			"aws:PrincipalAccount":  {"012345678901"},
			"aws:principaltag/TEAM": {"group"},
		}}, p)
		if got != test.want || err != nil {
			t.Errorf("%s: %s on %s: %v, %v, want %v", document, test.wantAction, test.wantResource, got, err, test.want)
		}
	}
}

func TestNotActionAndNotResource(t *testing.T) {
	t.Parallel()
	const (
		allowAll = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		another  = "arn:aws:ecr:us-east-1:012345678901:repository/group/two"
		theirs   = "arn:aws:ecr:us-east-1:210987654321:repository/group/one"
		// This is how the credentials for docker are limited to a repository.
		onlyThese     = allowAll + `,{"Effect":"Deny","NotAction":["ecr:GetAuthorizationToken","ecr:BatchGet*"],"Resource":"*"}`
		onlyThere     = allowAll + `,{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","NotResource":"` + repositoryARN + `"}`
		noneOfTwo     = allowAll + `,{"Effect":"Deny","Action":"ecr:*","NotResource":["` + repositoryARN + `","` + another + `"]}`
		tagsElsewhere = allowAll + `,{"Effect":"Deny","NotAction":"ecr:X","Resource":"*","Condition":{"Null":{"aws:TagKeys":"true"}}}`
		variable      = allowAll + `,{"Effect":"Deny","Action":"*","NotResource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*"}`
		noValue       = allowAll + `,{"Effect":"Deny","Action":"*","NotResource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/none}*"}`
	)
	for _, test := range []struct {
		statements, action, resource string
		want                         Decision
	}{
		{onlyThese, "ecr:GetAuthorizationToken", "*", Allow},
		{onlyThese, "ECR:getauthorizationtoken", "*", Allow},
		{onlyThese, "ecr:BatchGetImage", repositoryARN, Allow},
		{onlyThese, "ecr:PutImage", repositoryARN, Deny},
		{onlyThese, "ecr:GetAuthorizationTokens", "*", Deny},
		{onlyThese, "sts:AssumeRole", "*", Deny},

		{onlyThere, "ecr:GetAuthorizationToken", "*", Allow},
		{onlyThere, "ecr:PutImage", repositoryARN, Allow},
		{onlyThere, "ecr:PutImage", another, Deny},
		{onlyThere, "ecr:PutImage", theirs, Deny},
		{onlyThere, "ecr:PutImage", repositoryARN + "/more", Deny},
		{onlyThere, "ecr:DescribeRegistry", "*", Deny},

		{noneOfTwo, "ecr:PutImage", repositoryARN, Allow},
		{noneOfTwo, "ecr:PutImage", another, Allow},
		{noneOfTwo, "ecr:PutImage", theirs, Deny},
		{noneOfTwo, "sts:AssumeRole", theirs, Allow},

		{tagsElsewhere, "ecr:X", repositoryARN, Allow},
		{tagsElsewhere, "ecr:Y", repositoryARN, Deny},

		{variable, "ecr:X", repositoryARN, Allow},
		{variable, "ecr:X", "arn:aws:ecr:us-east-1:012345678901:repository/other/one", Deny},
		// A variable without a value matches nothing, so the Deny is about
		// everything.
		{noValue, "ecr:X", repositoryARN, Deny},

		{`{"Effect":"Allow","NotAction":"ecr:Delete*","Resource":"*"}`, "ecr:PutImage", repositoryARN, Allow},
		{`{"Effect":"Allow","NotAction":"ecr:Delete*","Resource":"*"}`, "ecr:DeleteRepository", repositoryARN, NotAllowed},
		{`{"Effect":"Allow","NotAction":"*","Resource":"*"}`, "ecr:PutImage", repositoryARN, NotAllowed},
		{`{"Effect":"Allow","NotAction":"ecr:X","Resource":"` + another + `"}`, "ecr:PutImage", repositoryARN, NotAllowed},
		{`{"Effect":"Allow","Action":"*","NotResource":"` + another + `"}`, "ecr:PutImage", repositoryARN, Allow},
		{`{"Effect":"Allow","Action":"*","NotResource":"` + another + `"}`, "ecr:PutImage", another, NotAllowed},
		{`{"Effect":"Allow","Action":"*","NotResource":"*"}`, "ecr:PutImage", repositoryARN, NotAllowed},
	} {
		p, err := Parse(`{"Version":"2012-10-17","Statement":[` + test.statements + `]}`)
		if err != nil {
			t.Errorf("%s: %v", test.statements, err)
			continue
		}
		got, err := Decide(Request{Action: test.action, Resource: test.resource, Context: map[string][]string{
			"aws:PrincipalTag/team": {"group"},
		}}, p)
		if got != test.want || err != nil {
			t.Errorf("%s: %s on %s: %v, %v, want %v", test.statements, test.action, test.resource, got, err, test.want)
		}
	}
}

func TestDenyWins(t *testing.T) {
	t.Parallel()
	const (
		allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
		denyTag  = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:TagResource","Resource":"*"}}`
		mixed    = `{"Version":"2012-10-17","Statement":[
			{"Sid":"No","Effect":"Deny","Action":"ecr:Delete*","Resource":"*"},
			{"Sid":"Yes","Effect":"Allow","Action":"ecr:*","Resource":"*"}]}`
	)
	for _, test := range []struct {
		action    string
		documents []string
		want      Decision
	}{
		{"ecr:TagResource", []string{allowAll}, Allow},
		{"ecr:TagResource", []string{allowAll, denyTag}, Deny},
		{"ecr:TagResource", []string{denyTag, allowAll}, Deny},
		{"ecr:TagResource", []string{denyTag}, Deny},
		{"ecr:UntagResource", []string{denyTag}, NotAllowed},
		{"ecr:DeleteRepository", []string{mixed}, Deny},
		{"ecr:CreateRepository", []string{mixed}, Allow},
		{"ecr:CreateRepository", nil, NotAllowed},
	} {
		var policies []Policy
		for _, document := range test.documents {
			p, err := Parse(document)
			if err != nil {
				t.Fatal(err)
			}
			policies = append(policies, p)
		}
		got, err := Decide(Request{Action: test.action, Resource: repositoryARN}, policies...)
		if got != test.want || err != nil {
			t.Errorf("%s: %v, %v, want %v", test.action, got, err, test.want)
		}
	}
	if got, err := Decide(Request{Action: "ecr:X", Resource: "*"}, Policy{}); got != NotAllowed || err != nil {
		t.Errorf("the zero policy says %v, %v", got, err)
	}
}

func TestUndecidable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		effect  string
		context map[string][]string
	}{
		{"Allow", map[string][]string{"aws:ResourceTag/a": {"x", "y"}}},
		{"Deny", map[string][]string{"aws:ResourceTag/a": {"x", "y"}}},
		// For a condition, two tags whose keys differ only in case are one key.
		{"Allow", map[string][]string{"aws:ResourceTag/a": {"x"}, "aws:ResourceTag/A": {"x"}}},
	} {
		p, err := Parse(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Action":"*","Resource":"*"},
			{"Effect":"` + test.effect + `","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/a":"x"}}}]}`)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decide(Request{Action: "ecr:X", Resource: "*", Context: test.context}, p)
		if got != Deny || err == nil {
			t.Errorf("%s with %v: %v, %v, want a refusal with an error", test.effect, test.context, got, err)
		}
	}
}

func TestOldVersionHasNoVariables(t *testing.T) {
	t.Parallel()
	p, err := Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*",
		"Condition":{"StringEquals":{"aws:ResourceTag/a":"${aws:PrincipalTag/a}"}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]Decision{"x": NotAllowed, "${aws:PrincipalTag/a}": Allow} {
		got, err := Decide(Request{Action: "ecr:X", Resource: "*", Context: map[string][]string{
			"aws:ResourceTag/a":  {value},
			"aws:PrincipalTag/a": {"x"},
		}}, p)
		if got != want || err != nil {
			t.Errorf("%q: %v, %v, want %v", value, got, err, want)
		}
	}
}

func TestNotActionInATrustPolicy(t *testing.T) {
	t.Parallel()
	p, err := ParseTrust(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"012345678901"},"NotAction":"sts:TagSession"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]Decision{"sts:AssumeRole": Allow, "sts:TagSession": NotAllowed} {
		got, err := Decide(Request{Action: action, Principal: "arn:aws:iam::012345678901:user/u"}, p)
		if got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", action, got, err, want)
		}
	}
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	const session = "arn:aws:sts::012345678901:assumed-role/ecr-api/name"
	for _, test := range []struct {
		element, caller string
		want            Decision
	}{
		{`"*"`, session, Allow},
		{`{"AWS":"*"}`, session, Allow},
		{`{"AWS":"012345678901"}`, session, Allow},
		{`{"AWS":"210987654321"}`, session, NotAllowed},
		{`{"AWS":"arn:aws:iam::012345678901:root"}`, session, Allow},
		{`{"AWS":"arn:aws:iam::210987654321:root"}`, session, NotAllowed},
		{`{"AWS":"arn:aws-cn:iam::012345678901:root"}`, session, NotAllowed},
		{`{"AWS":["210987654321","arn:aws:iam::012345678901:role/ecr-api"]}`, session, Allow},
		{`{"AWS":"arn:aws:iam::012345678901:role/ecr"}`, session, NotAllowed},
		{`{"AWS":"arn:aws:sts::012345678901:assumed-role/ecr-api/name"}`, session, Allow},
		{`{"AWS":"arn:aws:sts::012345678901:assumed-role/ecr-api/other"}`, session, NotAllowed},
		{`{"AWS":"arn:aws:iam::012345678901:user/u"}`, "arn:aws:iam::012345678901:user/u", Allow},
		{`{"AWS":"arn:aws:iam::012345678901:user/u"}`, "arn:aws:iam::012345678901:user/v", NotAllowed},
		{`{"Service":"ec2.amazonaws.com"}`, session, NotAllowed},
		{`{"AWS":"012345678901"}`, "", NotAllowed},
	} {
		p, err := ParseTrust(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + test.element + `,"Action":"sts:AssumeRole"}}`)
		if err != nil {
			t.Errorf("%s: %v", test.element, err)
			continue
		}
		got, err := Decide(Request{Action: "sts:AssumeRole", Principal: test.caller}, p)
		if got != test.want || err != nil {
			t.Errorf("%s, called by %s: %v, %v, want %v", test.element, test.caller, got, err, test.want)
		}
	}
}

// IAM ignores the case of tag keys, and does not say by which of Unicode's
// rules. So two keys are taken for the same one by any of them, and a request
// with both cannot be decided.
func TestTagKeysThatDifferInCase(t *testing.T) {
	t.Parallel()
	p, err := Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"],
		"Condition":{"StringEquals":{"aws:ResourceTag/spinup:org":"a"}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"Spinup:Org", "sp\u0130nup:org", "sp\u0131nup:org", "\u017fpinup:org"} {
		request := Request{Action: "ecr:X", Resource: repositoryARN, Context: map[string][]string{"aws:ResourceTag/" + key: {"a"}}}
		if got, err := Decide(request, p); got != Allow || err != nil {
			t.Errorf("%q alone: %v, %v, want allow", key, got, err)
		}
		request.Context["aws:ResourceTag/spinup:org"] = []string{"a"}
		const want = "StringEquals on aws:resourcetag/spinup:org: the key holds several values, so it needs ForAnyValue or ForAllValues"
		if got, err := Decide(request, p); got != Deny || err == nil || err.Error() != want {
			t.Errorf("%q beside spinup:org: %v, %v, want deny, %s", key, got, err, want)
		}
	}
	request := Request{Action: "ecr:X", Resource: repositoryARN, Context: map[string][]string{"aws:ResourceTag/sp\u00efnup:org": {"a"}}}
	if got, err := Decide(request, p); got != NotAllowed || err != nil {
		t.Errorf("an accent: %v, %v, want not allowed", got, err)
	}
}
