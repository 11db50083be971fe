//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func put(c *iam.IAM, user, name, text string) error {
	return awstest.ErrorOf(c.PutUserPolicy(&iam.PutUserPolicyInput{UserName: &user, PolicyName: &name, PolicyDocument: &text}))
}

func inline(t *testing.T, c *iam.IAM, user string) []string {
	t.Helper()
	out, err := c.ListUserPolicies(&iam.ListUserPoliciesInput{UserName: &user})
	awstest.Must(t, err)
	return aws.StringValueSlice(out.PolicyNames)
}

func TestInlinePolicies(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "Me"}))
	text := strings.Replace(awstest.AllowAll, `"Statement"`, ` "Id" : "a+b/c é~",`+"\n"+`"Statement"`, 1)
	get := func(name string) (*iam.GetUserPolicyOutput, error) {
		return c.GetUserPolicy(&iam.GetUserPolicyInput{UserName: aws.String("me"), PolicyName: &name})
	}
	remove := func(name string) error {
		return awstest.ErrorOf(c.DeleteUserPolicy(&iam.DeleteUserPolicyInput{UserName: aws.String("me"), PolicyName: &name}))
	}
	const missing = "The user policy with name b cannot be found."
	awstest.WantError(t, "get before", awstest.ErrorOf(get("b")), "NoSuchEntity", missing)
	awstest.WantError(t, "delete before", remove("b"), "NoSuchEntity", missing)
	for _, name := range []string{"b", "a", "B"} {
		awstest.Must(t, put(c, "me", name, awstest.AllowAll))
	}
	awstest.Must(t, put(c, "me", "b", text))
	is(t, "names", []string{"B", "a", "b"}, inline(t, c, "me"))
	out, err := get("b")
	awstest.Must(t, err)
	if got, err := url.PathUnescape(*out.PolicyDocument); err != nil || got != text {
		t.Errorf("document %s, want %s", got, text)
	}
	is(t, "encoded", &iam.GetUserPolicyOutput{UserName: aws.String("Me"), PolicyName: aws.String("b"), PolicyDocument: aws.String(
		"%7B%22Version%22%3A%222012-10-17%22%2C%20%22Id%22%20%3A%20%22a%2Bb%2Fc%20%C3%A9~%22%2C%0A%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C" +
			"%22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D")}, out)
	awstest.Must(t, remove("b"))
	is(t, "names after", []string{"B", "a"}, inline(t, c, "me"))
	awstest.WantError(t, "get after", awstest.ErrorOf(get("b")), "NoSuchEntity", missing)
	awstest.WantError(t, "of nobody", put(c, "none", "b", awstest.AllowAll), "NoSuchEntity", "The user with name none cannot be found.")
}

// TestSizeOfInlinePolicies shows that blanks do not count, that all policies of
// a user count together, and that a policy counts once when it is put again.
func TestSizeOfInlinePolicies(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	sized := func(n int) string {
		return strings.Replace(awstest.AllowAll, `"Statement"`, strings.Repeat(" ", 3000)+`"Id":"`+strings.Repeat("i", n-len(awstest.AllowAll)-8)+`","Statement"`, 1)
	}
	const exceeded = "Maximum policy size of 2048 bytes exceeded for user me"
	for _, test := range []struct {
		policy string
		size   int
		code   string
	}{
		{"a", 2049, "LimitExceeded"},
		{"a", 2048, ""},
		{"b", 200, "LimitExceeded"},
		{"a", 1848, ""},
		{"b", 201, "LimitExceeded"},
		{"b", 200, ""},
		{"b", 190, ""},
	} {
		err := put(c, "me", test.policy, sized(test.size))
		awstest.WantError(t, test.policy, err, test.code, exceeded)
	}
}

func TestMalformedPolicies(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	for text, want := range map[string]string{
		`{}`:               "there is no statement",
		`[]`:               "",
		awstest.TrustLocal: "policy document should not specify a principal",
		strings.Replace(awstest.AllowAll, `"Resource":"*"`, `"Resource":"*","Condition":{"StringEquals":{"iam:Boundary":"a"}}`, 1): `condition key "iam:Boundary" is not known here`,
	} {
		awstest.WantError(t, text, put(c, "me", "p", text), "MalformedPolicyDocument", want)
	}
	awstest.WantError(t, "characters", put(c, "me", "p", "{€}"), "ValidationError", "The specified value for policyDocument is invalid.")
	awstest.WantError(t, "name", put(c, "me", "p p", awstest.AllowAll), "ValidationError", "The specified value for policyName is invalid.")
	is(t, "policies", nil, inline(t, c, "me"))
}

func TestAttachedPoliciesAndGroups(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	me := aws.String("ME")
	awstest.Must(t, b.AddManagedPolicy(account, "all", awstest.AllowAll))
	awstest.Must(t, b.AddIAMGroup(account, "/former/Group", awstest.AllowAll))
	awstest.Must(t, b.AddIAMGroup(account, "another"))
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me", Attached: []string{"all", "/limits/ecr-api-users"}, Groups: []string{"group", "another"}}))

	policies := func(prefix *string) *iam.ListAttachedUserPoliciesOutput {
		out, err := c.ListAttachedUserPolicies(&iam.ListAttachedUserPoliciesInput{UserName: me, PathPrefix: prefix})
		awstest.Must(t, err)
		return out
	}
	inLimits := &iam.AttachedPolicy{PolicyName: aws.String("ecr-api-users"), PolicyArn: aws.String(boundary)}
	all := &iam.AttachedPolicy{PolicyName: aws.String("all"), PolicyArn: aws.String("arn:aws:iam::012345678901:policy/all")}
	is(t, "attached", &iam.ListAttachedUserPoliciesOutput{IsTruncated: aws.Bool(false), AttachedPolicies: []*iam.AttachedPolicy{all, inLimits}}, policies(nil))
	is(t, "attached of a path", []*iam.AttachedPolicy{inLimits}, policies(aws.String("/limits/")).AttachedPolicies)
	detach := func(arn *string) error {
		return awstest.ErrorOf(c.DetachUserPolicy(&iam.DetachUserPolicyInput{UserName: me, PolicyArn: arn}))
	}
	awstest.Must(t, detach(all.PolicyArn))
	is(t, "attached still", []*iam.AttachedPolicy{inLimits}, policies(nil).AttachedPolicies)
	awstest.WantError(t, "detach again", detach(all.PolicyArn), "NoSuchEntity", "Policy arn:aws:iam::012345678901:policy/all was not found.")
	awstest.WantError(t, "detach none", detach(aws.String(boundary+"-2")), "NoSuchEntity", "was not found.")

	groups := func() *iam.ListGroupsForUserOutput {
		out, err := c.ListGroupsForUser(&iam.ListGroupsForUserInput{UserName: me})
		awstest.Must(t, err)
		return out
	}
	got := groups()
	another := &iam.Group{
		Path: aws.String("/"), GroupName: aws.String("another"), GroupId: got.Groups[0].GroupId, CreateDate: &created,
		Arn: aws.String("arn:aws:iam::012345678901:group/another"),
	}
	former := &iam.Group{
		Path: aws.String("/former/"), GroupName: aws.String("Group"), GroupId: got.Groups[1].GroupId, CreateDate: &created,
		Arn: aws.String("arn:aws:iam::012345678901:group/former/Group"),
	}
	is(t, "groups", &iam.ListGroupsForUserOutput{IsTruncated: aws.Bool(false), Groups: []*iam.Group{another, former}}, got)
	leave := func(group, user string) error {
		return awstest.ErrorOf(c.RemoveUserFromGroup(&iam.RemoveUserFromGroupInput{GroupName: &group, UserName: &user}))
	}
	awstest.Must(t, leave("GROUP", "me"))
	awstest.Must(t, leave("group", "me")) // it is not in it any more
	is(t, "groups still", []*iam.Group{another}, groups().Groups)
	awstest.WantError(t, "leave none", leave("none", "me"), "NoSuchEntity", "The group with name none cannot be found.")
	awstest.WantError(t, "none leaves", leave("group", "none"), "NoSuchEntity", "The user with name none cannot be found.")
}
