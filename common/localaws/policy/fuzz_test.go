package policy

import "testing"

var seeds = []string{
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"ecr:*","Resource":"*"}}`,
	`{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["ecr:Describe*","ecr:L?st*"],
		"Resource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*",
		"Condition":{"StringNotEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team, 'x'}"},"Null":{"aws:TagKeys":false}}}]}`,
	`{"Statement":[{"Effect":"Allow","Action":"ecr:X","Resource":["arn:aws:ecr:a:b:c:d","*"],
		"Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["a*","${*}"]},"Bool":{"kms:GrantIsForAWSResource":true}}}]}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["012345678901"]},"Action":"sts:AssumeRole",
		"Condition":{"StringEquals":{"sts:ExternalId":"local"}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:X","Resource":"arn:aws:ecr:${a:b:c"}}`,
	`{"Statement":{"Sid":"a b","Effect":"Deny","NotPrincipal":{"AWS":["012345678901","*"],"Service":"x"},"Action":"ecr:X","Resource":"*"}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotAction":["ecr:X","ecr:Y*"],"NotResource":["arn:aws:ecr:a:b:c:d","arn:aws:ecr:*:*:repository/x"]}}`,
}

func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		for _, parse := range []func(string) (Policy, error){Parse, ParseTrust, ParseResource} {
			p, err := parse(document)
			if err == nil && len(p.statements) == 0 {
				t.Errorf("%q parses to no statement", document)
			}
			if err != nil && len(p.statements) != 0 {
				t.Errorf("%q is an error and a policy", document)
			}
		}
	})
}

func FuzzDecide(f *testing.F) {
	for i, seed := range seeds {
		f.Add(seed, seeds[(i+1)%len(seeds)], "ecr:DescribeImages", repositoryARN, "aws:ResourceTag/team", "x", "y")
	}
	denyAll, err := Parse(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document, other, action, resource, key, value, more string) {
		p, err := Parse(document)
		if err != nil {
			return
		}
		r := Request{Action: action, Resource: resource, Context: map[string][]string{
			key:                     {value, more},
			"aws:PrincipalTag/team": {value},
		}}
		decision, err := Decide(r, p)
		if err != nil && decision != Deny {
			t.Errorf("%v beside the error %v", decision, err)
		}
		if d, _ := Decide(r, p, denyAll); d != Deny {
			t.Errorf("with a Deny of everything: %v", d)
		}
		q, err := Parse(other)
		if err != nil {
			return
		}
		if both, _ := Decide(r, p, onlyDeny(q)); both == Allow && decision != Allow {
			t.Errorf("%v became %v with more Deny statements", decision, both)
		}
	})
}

// onlyDeny returns the policy with each statement changed to a Deny.
func onlyDeny(p Policy) Policy {
	var denying Policy
	for _, s := range p.statements {
		s.deny = true
		denying.statements = append(denying.statements, s)
	}
	return denying
}
