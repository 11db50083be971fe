package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/config"
)

// userOf is what a call of a user of the repository g/a of the org "ours" says about
// its caller, and about a repository of the same account and org.
var userOf = map[string]string{
	"aws:PrincipalAccount":          "012345678901",
	"aws:PrincipalArn":              "arn:aws:iam::012345678901:user/spinup/ours/g/a/g-a-u",
	"aws:PrincipalTag/ResourceName": "g/a",
	"aws:PrincipalTag/spinup:org":   "ours",
	"aws:ResourceAccount":           "012345678901",
	"aws:ResourceTag/spinup:org":    "ours",
	"aws:username":                  "g-a-u",
}

// with returns the context of such a call, in which some values are others. The
// value "" stands for none.
func with(changed map[string]string) map[string][]string {
	values := maps.Clone(userOf)
	maps.Copy(values, changed)
	context := map[string][]string{}
	for key, value := range values {
		if value != "" {
			context[key] = []string{value}
		}
	}
	return context
}

// What a user may do at most, whatever its own policies allow.
func TestUsersBoundary(t *testing.T) {
	t.Parallel()
	const repository = "arn:aws:ecr:us-east-1:012345678901:repository/g/a"
	const allow, deny = policy.Allow, policy.Deny
	for name, test := range map[string]struct {
		on           string // "" is the repository of the user
		changed      map[string]string
		login, layer policy.Decision
	}{
		"its repository":                 {"", nil, allow, allow},
		"in another region":              {"arn:aws:ecr:eu-west-1:012345678901:repository/g/a", nil, allow, allow},
		"in another account":             {"arn:aws:ecr:us-east-1:210987654321:repository/g/a", map[string]string{"aws:ResourceAccount": "210987654321"}, allow, deny},
		"of no known account":            {"", map[string]string{"aws:ResourceAccount": ""}, allow, deny},
		"of another org":                 {"", map[string]string{"aws:ResourceTag/spinup:org": "theirs"}, allow, deny},
		"of the org in other letters":    {"", map[string]string{"aws:ResourceTag/spinup:org": "OURS"}, allow, deny},
		"of no org":                      {"", map[string]string{"aws:ResourceTag/spinup:org": ""}, allow, deny},
		"another of the group":           {"arn:aws:ecr:us-east-1:012345678901:repository/g/b", nil, allow, deny},
		"one whose name begins so":       {repository + "b", nil, allow, deny},
		"one below it":                   {repository + "/b", nil, allow, deny},
		"another group's":                {"arn:aws:ecr:us-east-1:012345678901:repository/h/a", nil, allow, deny},
		"the group":                      {"arn:aws:ecr:us-east-1:012345678901:repository/g", nil, allow, deny},
		"all":                            {"arn:aws:ecr:us-east-1:012345678901:repository/*", nil, allow, deny},
		"in other letters":               {"arn:aws:ecr:us-east-1:012345678901:repository/G/A", nil, allow, deny},
		"another partition's":            {"arn:aws-cn:ecr:us-east-1:012345678901:repository/g/a", nil, allow, deny},
		"nothing":                        {"*", nil, allow, deny},
		"without a ResourceName":         {"", map[string]string{"aws:PrincipalTag/ResourceName": ""}, deny, deny},
		"without an org":                 {"", map[string]string{"aws:PrincipalTag/spinup:org": ""}, deny, deny},
		"without an org, of no org":      {"", map[string]string{"aws:PrincipalTag/spinup:org": "", "aws:ResourceTag/spinup:org": ""}, deny, deny},
		"with another ResourceName":      {"", map[string]string{"aws:PrincipalTag/ResourceName": "g/b"}, deny, deny},
		"whose ResourceName was changed": {"arn:aws:ecr:us-east-1:012345678901:repository/g/b", map[string]string{"aws:PrincipalTag/ResourceName": "g/b"}, deny, deny},
		"whose org was changed":          {"", map[string]string{"aws:PrincipalTag/spinup:org": "theirs", "aws:ResourceTag/spinup:org": "theirs"}, deny, deny},
		"with the group as ResourceName": {"arn:aws:ecr:us-east-1:012345678901:repository/g", map[string]string{"aws:PrincipalTag/ResourceName": "g"}, deny, deny},
		"with a star as ResourceName":    {"", map[string]string{"aws:PrincipalTag/ResourceName": "*"}, deny, deny},
		"outside the path":               {"", map[string]string{"aws:PrincipalArn": "arn:aws:iam::012345678901:user/g-a-u"}, deny, deny},
		"with another path and its name": {"", map[string]string{"aws:PrincipalArn": "arn:aws:iam::012345678901:user/spinup/ours/g/b/g-a-u"}, deny, deny},
		"under a path below it":          {"", map[string]string{"aws:PrincipalArn": "arn:aws:iam::012345678901:user/spinup/ours/g/a/b/g-a-u"}, deny, deny},
		"under a path that begins so":    {"", map[string]string{"aws:PrincipalArn": "arn:aws:iam::012345678901:user/spinup/ours/g/ab/g-ab-u"}, deny, deny},
		"under a path that ends so":      {"", map[string]string{"aws:PrincipalArn": "arn:aws:iam::012345678901:user/x:user/spinup/ours/g/a/g-a-u"}, deny, deny},
		"of an org with a colon": {"", map[string]string{
			"aws:PrincipalArn": "arn:aws:iam::012345678901:user/spinup/a:b/g/a/g-a-u", "aws:PrincipalTag/spinup:org": "a:b", "aws:ResourceTag/spinup:org": "a:b",
		}, allow, allow},
		"of an org with a colon, elsewhere": {"", map[string]string{
			"aws:PrincipalArn": "arn:aws:iam::012345678901:user/spinup/a:b:c/g/a/g-a-u", "aws:PrincipalTag/spinup:org": "a:b", "aws:ResourceTag/spinup:org": "a:b",
		}, deny, deny},
		"a role under such a path": {"", map[string]string{"aws:PrincipalArn": "arn:aws:iam::012345678901:role/spinup/ours/g/a/g-a-u"}, deny, deny},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on, context := test.on, with(test.changed)
			if on == "" {
				on = repository
			}
			boundary := []string{config.UsersBoundary}
			wantDecision(t, boundary, policy.Request{Action: "ecr:GetAuthorizationToken", Resource: "*", Context: context}, test.login)
			for _, action := range []string{
				"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
				"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
			} {
				wantDecision(t, boundary, policy.Request{Action: action, Resource: on, Context: context}, test.layer)
			}
			for _, action := range []string{
				"ecr:BatchDeleteImage", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:SetRepositoryPolicy", "ecr:TagResource",
				"iam:CreateAccessKey", "iam:GetUser", "sts:AssumeRole", "s3:GetObject",
			} {
				wantDecision(t, boundary, policy.Request{Action: action, Resource: on, Context: context}, deny)
			}
		})
	}
}

// IAM takes tag keys that differ only in case for the same one. So a user cannot
// have both, and the boundary cannot tell them apart.
func TestUsersBoundaryTakesTagKeysInAnyCase(t *testing.T) {
	t.Parallel()
	context := with(map[string]string{"aws:PrincipalTag/ResourceName": "", "aws:PrincipalTag/resourcename": "g/a"})
	for resource, want := range map[string]policy.Decision{"g/a": policy.Allow, "g/b": policy.Deny} {
		wantDecision(t, []string{config.UsersBoundary}, policy.Request{
			Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:us-east-1:012345678901:repository/" + resource, Context: context,
		}, want)
	}
}

// What the boundary allows is as narrow as what it denies is wide. So a Deny that is
// left out opens nothing.
func TestUsersBoundaryAllowsNoMoreWithoutItsDenies(t *testing.T) {
	t.Parallel()
	allows := keeping(t, config.UsersBoundary, func(s map[string]any) bool { return s["Effect"] == "Allow" })
	for resource, changed := range map[string]map[string]string{
		"012345678901:repository/g/b":     {},
		"210987654321:repository/g/a":     {"aws:ResourceAccount": "210987654321"},
		"012345678901:repository/g/a":     {"aws:ResourceTag/spinup:org": "theirs"},
		"012345678901:repository/g/a/":    {},
		"012345678901:repository/g/a/b":   {"aws:ResourceTag/spinup:org": ""},
		"012345678901:repository/g/a/b/c": {"aws:PrincipalTag/spinup:org": "", "aws:ResourceTag/spinup:org": ""},
	} {
		wantDecision(t, []string{allows}, policy.Request{
			Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:us-east-1:" + resource, Context: with(changed),
		}, policy.NotAllowed)
	}
}

// AWS may take a statement for invalid if one of its variables has no value. Then
// those without variables must deny.
func TestUsersBoundaryDeniesWithoutVariables(t *testing.T) {
	t.Parallel()
	plain := keeping(t, config.UsersBoundary, func(s map[string]any) bool { return !strings.Contains(fmt.Sprint(s), "${") })
	for _, tag := range []string{"ResourceName", "spinup:org"} {
		for _, action := range []string{"ecr:GetAuthorizationToken", "ecr:BatchGetImage"} {
			wantDecision(t, []string{plain}, policy.Request{
				Action: action, Resource: "arn:aws:ecr:us-east-1:012345678901:repository/g/a",
				Context: with(map[string]string{"aws:PrincipalTag/" + tag: ""}),
			}, policy.Deny)
		}
	}
}

// keeping returns the document with only those statements that are to be kept.
func keeping(t *testing.T, document string, keep func(map[string]any) bool) string {
	t.Helper()
	var d struct {
		Version   string
		Statement []map[string]any
	}
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	d.Statement = slices.DeleteFunc(d.Statement, func(s map[string]any) bool { return !keep(s) })
	kept, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(kept)
}
