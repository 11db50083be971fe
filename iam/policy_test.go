package iam

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

func TestScopeARNs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scope                          Scope
		all, group, repository, keyARN string
	}{
		{
			Scope{Registry: common.Registry{Partition: "aws", Region: "us-east-1", Account: "012345678901"}, Org: "spindev", Group: "spindev-00001", Name: "dasher"},
			"arn:aws:ecr:us-east-1:012345678901:repository/*",
			"arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/*",
			"arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/dasher",
			"arn:aws:kms:us-east-1:012345678901:key/*",
		},
		{
			Scope{Registry: common.Registry{Partition: "aws-cn", Region: "cn-north-1", Account: "210987654321"}, Group: "g", Name: "a/b"},
			"arn:aws-cn:ecr:cn-north-1:210987654321:repository/*",
			"arn:aws-cn:ecr:cn-north-1:210987654321:repository/g/*",
			"arn:aws-cn:ecr:cn-north-1:210987654321:repository/g/a/b",
			"arn:aws-cn:kms:cn-north-1:210987654321:key/*",
		},
	} {
		got := []string{test.scope.AllRepositories(), test.scope.GroupRepositories(), test.scope.Repository(), test.scope.Keys()}
		if diff := cmp.Diff([]string{test.all, test.group, test.repository, test.keyARN}, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test.scope, diff)
		}
	}
}

func TestPolicyString(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy Policy
		want   string
	}{
		"allow": {
			NewPolicy(Allow("arn:aws:ecr:us-east-1:012345678901:repository/g/*", "ecr:DescribeRepositories", "ecr:ListTagsForResource")),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:DescribeRepositories","ecr:ListTagsForResource"],` +
				`"Resource":["arn:aws:ecr:us-east-1:012345678901:repository/g/*"]}]}`,
		},
		"allow and deny": {
			NewPolicy(Allow("a", "ecr:A"), Deny("b", "ecr:B")),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:A"],"Resource":["a"]},` +
				`{"Effect":"Deny","Action":["ecr:B"],"Resource":["b"]}]}`,
		},
		"deny all but some": {
			NewPolicy(DenyOtherActions("ecr:A", "ecr:B"), DenyElsewhere("r", "ecr:A")),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["ecr:A","ecr:B"],"Resource":["*"]},` +
				`{"Effect":"Deny","NotAction":["ecr:A"],"NotResource":["r"]}]}`,
		},
		"conditions": {
			NewPolicy(Deny("a", "ecr:A").
				When("StringNotEquals", "aws:ResourceTag/spinup:org", "spindev").
				When("Null", "aws:ResourceTag/spinup:org", "false").
				When("StringNotEquals", "aws:RequestTag/spinup:org", "spindev")),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["ecr:A"],"Resource":["a"],"Condition":{` +
				`"Null":{"aws:ResourceTag/spinup:org":["false"]},` +
				`"StringNotEquals":{"aws:RequestTag/spinup:org":["spindev"],"aws:ResourceTag/spinup:org":["spindev"]}}}]}`,
		},
		"several values": {
			NewPolicy(Deny("a", "ecr:A").When("ForAnyValue:StringEquals", "aws:TagKeys", "Name", "spinup:org")),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["ecr:A"],"Resource":["a"],` +
				`"Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":["Name","spinup:org"]}}}]}`,
		},
		// STS counts characters: \u003c would be six.
		"not escaped for HTML": {
			NewPolicy(Allow("<&>", "ecr:A")),
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:A"],"Resource":["<&>"]}]}`,
		},
	} {
		if diff := cmp.Diff(test.want, test.policy.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// When does not change the statement on which it is called.
func TestWhenLeavesTheStatement(t *testing.T) {
	t.Parallel()
	base := Allow("a", "ecr:A").When("StringEquals", "one", "1")
	first := base.When("StringEquals", "two", "2")
	second := base.When("Null", "three", "false")
	for name, test := range map[string]struct {
		statement Statement
		want      Condition
	}{
		"base":   {base, Condition{"StringEquals": {"one": {"1"}}}},
		"first":  {first, Condition{"StringEquals": {"one": {"1"}, "two": {"2"}}}},
		"second": {second, Condition{"StringEquals": {"one": {"1"}}, "Null": {"three": {"false"}}}},
	} {
		if diff := cmp.Diff(test.want, test.statement.Condition); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A statement cannot have both conditions, so one of them would be lost
// silently.
func TestWhenTwiceOfTheSameKey(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a second condition with the same operator and key was taken")
		}
	}()
	Allow("a", "ecr:A").When("StringEquals", "one", "1").When("StringEquals", "one", "2")
}
