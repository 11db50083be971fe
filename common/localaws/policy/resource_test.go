package policy

import (
	"slices"
	"strings"
	"testing"
)

const (
	userARN    = "arn:aws:iam::012345678901:user/u"
	roleARN    = "arn:aws:iam::012345678901:role/ecr-api"
	sessionARN = "arn:aws:sts::012345678901:assumed-role/ecr-api/name"
	accountARN = "arn:aws:iam::012345678901:root"
)

// resource returns a policy of a resource.
func resource(statements ...string) string {
	return `{"Version":"2008-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

func TestResourcePolicies(t *testing.T) {
	t.Parallel()
	const (
		read     = `"Action":"ecr:BatchGetImage"`
		everyone = `{"Effect":"Allow","Principal":"*",` + read + `}`
	)
	for _, test := range []struct {
		name, document, caller string
		want                   Decision
		match                  Match
	}{
		{"everybody", resource(everyone), sessionARN, Allow, MatchCaller},
		{"everybody as an AWS principal", resource(`{"Effect":"Allow","Principal":{"AWS":["*"]},` + read + `}`), sessionARN, Allow, MatchCaller},
		{"the new version", strings.Replace(resource(everyone), "2008-10-17", "2012-10-17", 1), sessionARN, Allow, MatchCaller},
		{"no version", `{"Statement":` + everyone + `}`, sessionARN, Allow, MatchCaller},
		{"a resource", resource(`{"Effect":"Allow","Principal":"*","Resource":["*"],` + read + `}`), sessionARN, Allow, MatchCaller},
		{"names with other characters, twice", resource(`{"Sid":"the new, policy!",`+everyone[1:], `{"Sid":"the new, policy!",`+everyone[1:]), sessionARN, Allow, MatchCaller},
		{"another action", resource(`{"Effect":"Allow","Principal":"*","Action":"ecr:PutImage"}`), sessionARN, NotAllowed, NoMatch},
		{"a condition that holds", resource(`{"Effect":"Allow","Principal":"*",` + read + `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + roleARN + `"}}}`), sessionARN, Allow, MatchCaller},
		{"a condition that does not", resource(`{"Effect":"Allow","Principal":"*",` + read + `,"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + userARN + `"}}}`), sessionARN, NotAllowed, NoMatch},
		{"the statement of Lambda", resource(`{"Sid":"LambdaECRImageRetrievalPolicy","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],` +
			`"Condition":{"StringLike":{"aws:sourceArn":"arn:aws:lambda:us-east-1:012345678901:function:*"}}}`), sessionARN, NotAllowed, NoMatch},

		{"the account", resource(`{"Effect":"Allow","Principal":{"AWS":"012345678901"},` + read + `}`), sessionARN, Allow, MatchAccount},
		{"the root of the account", resource(`{"Effect":"Allow","Principal":{"AWS":"` + accountARN + `"},` + read + `}`), userARN, Allow, MatchAccount},
		{"the role", resource(`{"Effect":"Allow","Principal":{"AWS":["210987654321","` + roleARN + `"]},` + read + `}`), sessionARN, Allow, MatchRole},
		{"the session", resource(`{"Effect":"Allow","Principal":{"AWS":"` + sessionARN + `"},` + read + `}`), sessionARN, Allow, MatchCaller},
		{"another session", resource(`{"Effect":"Allow","Principal":{"AWS":"` + sessionARN + `2"},` + read + `}`), sessionARN, NotAllowed, NoMatch},
		{"the user", resource(`{"Effect":"Allow","Principal":{"AWS":"` + userARN + `"},` + read + `}`), userARN, Allow, MatchCaller},
		{"another user", resource(`{"Effect":"Allow","Principal":{"AWS":"` + userARN + `"},` + read + `}`), userARN + "2", NotAllowed, NoMatch},
		{"the strongest of several", resource(`{"Effect":"Allow","Principal":{"AWS":"`+roleARN+`"},`+read+`}`,
			`{"Effect":"Allow","Principal":{"AWS":"`+accountARN+`"},`+read+`}`), sessionARN, Allow, MatchRole},
		{"a stronger one for another action", resource(`{"Effect":"Allow","Principal":{"AWS":"`+accountARN+`"},`+read+`}`,
			`{"Effect":"Allow","Principal":"*","Action":"ecr:PutImage"}`), sessionARN, Allow, MatchAccount},
		{"denied", resource(everyone, `{"Effect":"Deny","Principal":{"AWS":"`+accountARN+`"},"Action":"ecr:*"}`), sessionARN, Deny, MatchCaller},
	} {
		p, err := ParseResource(test.document)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got, match, err := DecideResource(Request{Action: "ecr:BatchGetImage", Resource: repositoryARN, Principal: test.caller,
			Context: map[string][]string{"aws:PrincipalArn": {roleARN}}}, p)
		if got != test.want || match != test.match || err != nil {
			t.Errorf("%s: %v, match %d, %v, want %v, match %d", test.name, got, match, err, test.want, test.match)
		}
	}
}

// NotPrincipal excludes a session only together with its role and its account,
// and a user together with its account.
func TestNotPrincipal(t *testing.T) {
	t.Parallel()
	const (
		user, session, role = `"` + userARN + `"`, `"` + sessionARN + `"`, `"` + roleARN + `"`
		root, id            = `"` + accountARN + `"`, `"012345678901"`
	)
	for _, test := range []struct {
		notPrincipal, caller string
		want                 Decision
	}{
		{`{"AWS":[` + user + `,` + root + `]}`, userARN, Allow},
		{`{"AWS":[` + user + `,` + id + `]}`, userARN, Allow},
		{`{"AWS":` + user + `}`, userARN, Deny},
		{`{"AWS":` + root + `}`, userARN, Deny},
		{`{"AWS":[` + user + `,` + root + `]}`, userARN + "2", Deny},
		{`{"AWS":[` + user + `,` + root + `]}`, sessionARN, Deny},

		{`{"AWS":[` + session + `,` + role + `,` + root + `]}`, sessionARN, Allow},
		{`{"AWS":[` + session + `,` + role + `,` + id + `]}`, sessionARN, Allow},
		{`{"AWS":[` + session + `,` + role + `]}`, sessionARN, Deny},
		{`{"AWS":[` + session + `,` + root + `]}`, sessionARN, Deny},
		{`{"AWS":[` + role + `,` + root + `]}`, sessionARN, Deny},
		{`{"AWS":` + root + `}`, sessionARN, Deny},
		{`{"AWS":[` + session + `,` + role + `,` + root + `]}`, sessionARN + "2", Deny},
		{`{"AWS":[` + session + `,` + role + `,` + root + `]}`, "arn:aws:sts::210987654321:assumed-role/ecr-api/name", Deny},
		{`{"AWS":[` + session + `,` + role + `,` + root + `]}`, "", Deny},

		{`"*"`, sessionARN, Allow},
		{`{"Service":"lambda.amazonaws.com"}`, sessionARN, Deny},
		{`{"Service":"lambda.amazonaws.com","AWS":[` + user + `,` + root + `]}`, userARN, Allow},
	} {
		p, err := ParseResource(resource(`{"Effect":"Allow","Principal":"*","Action":"ecr:*"}`,
			`{"Effect":"Deny","NotPrincipal":`+test.notPrincipal+`,"NotAction":"ecr:DescribeImages","Resource":"*"}`))
		if err != nil {
			t.Errorf("%s: %v", test.notPrincipal, err)
			continue
		}
		got, _, err := DecideResource(Request{Action: "ecr:PutImage", Resource: repositoryARN, Principal: test.caller}, p)
		if got != test.want || err != nil {
			t.Errorf("all but %s, called by %s: %v, %v, want %v", test.notPrincipal, test.caller, got, err, test.want)
		}
		if got, _, err := DecideResource(Request{Action: "ecr:DescribeImages", Resource: repositoryARN, Principal: test.caller}, p); got != Allow || err != nil {
			t.Errorf("all but %s, called by %s, an action that is not denied: %v, %v", test.notPrincipal, test.caller, got, err)
		}
	}
}

func TestResourcePolicyErrors(t *testing.T) {
	t.Parallel()
	const good = `"Effect":"Allow","Action":"ecr:X"`
	for _, test := range []struct{ statement, message string }{
		{good, "missing required field Principal"},
		{good + `,"Principal":{}`, "Principal cannot be empty"},
		{good + `,"Principal":"012345678901"`, "neither"},
		{good + `,"Principal":{"AWS":"arn:aws:iam::012345678901:group/g"}`, "invalid principal"},
		{good + `,"Principal":{"AWS":"arn:aws:iam::012345678901:role/*"}`, "invalid principal"},
		{good + `,"Principal":{"AWS":"AIDAJQABLZS4A3QDU576"}`, "invalid principal"},
		{good + `,"NotPrincipal":{"AWS":"012345678901"}`, "NotPrincipal must be used with the effect Deny"},
		{good + `,"NotPrincipal":[]`, "element NotPrincipal: not a JSON object"},
		{`"Effect":"Deny","Action":"ecr:X","Principal":"*","NotPrincipal":"*"`, "Principal and NotPrincipal in one statement"},
		{`"Effect":"Deny","Action":"ecr:X","NotPrincipal":{"AWS":[]}`, "Principal cannot be empty"},
		{good + `,"Principal":"*","NotResource":"*"`, "prohibited field NotResource"},
		{good + `,"Principal":"*","Resource":"` + repositoryARN + `"`, `the only resource is "*"`},
		{good + `,"Principal":"*","Resource":["*","` + repositoryARN + `"]`, `the only resource is "*"`},
		{good + `,"Principal":"*","Resource":[]`, "must contain resources"},
		{`"Effect":"Deny","NotAction":["ecr:X","sts:X"],"Principal":"*"`, `action "sts:x" is not one of ecr`},
		{`"Effect":"Allow","Principal":"*"`, "must contain actions"},
		{good + `,"Principal":"*","Extra":1`, "unknown element"},
		{good + `,"Principal":"*","Sid":{}`, "not a string"},
		{good + `,"Principal":"*","Condition":{"StringLike":{"aws:SourceArns":"x"}}`, "is not known"},
	} {
		_, err := ParseResource(resource(`{` + test.statement + `}`))
		if err == nil || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: error %v, want one with %q", test.statement, err, test.message)
		}
	}
}

func TestNamesOfPrincipals(t *testing.T) {
	t.Parallel()
	p, err := ParseResource(resource(`{"Effect":"Allow","Principal":{"AWS":["210987654321","`+roleARN+`","AROAJQABLZS4A3QDU576Q"]},"Action":"ecr:*"}`,
		`{"Effect":"Allow","Principal":"*","Action":"ecr:*"}`,
		`{"Effect":"Deny","NotPrincipal":{"AWS":"`+userARN+`","Service":"lambda.amazonaws.com"},"Action":"ecr:*"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Principals(), []string{"210987654321", roleARN, "AROAJQABLZS4A3QDU576Q", userARN}; !slices.Equal(got, want) {
		t.Errorf("the policy names %q, want %q", got, want)
	}
}
