//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// policyForLambda is the policy that AWS writes for a function with an image. No
// caller of a test is such a function.
const policyForLambda = `{"Version":"2008-10-17","Statement":[{"Sid":"LambdaECRImageRetrievalPolicy","Effect":"Allow",
	"Principal":{"Service":"lambda.amazonaws.com"},"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],
	"Condition":{"StringLike":{"aws:sourceArn":"arn:aws:lambda:us-east-1:210987654321:function:*"}}}]}`

// setPolicy sets the policy of a repository.
func setPolicy(t *testing.T, c *ecr.ECR, repository, policy string) {
	t.Helper()
	awstest.Must(t, awstest.ErrorOf(c.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: &repository, PolicyText: &policy})))
}

func TestRepositoryPolicy(t *testing.T) {
	t.Parallel()
	const (
		sent = `{
  "Version" : "2008-10-17",
  "Statement" : [ {
    "Sid" : "pull, for \"012345678901\"",
    "Effect" : "Allow",
    "Principal" : { "AWS" : [ "210987654321", "arn:aws:iam::012345678901:role/ecr-api" ] },
    "Action" : "ecr:BatchGetImage"
  }, { "Effect" : "Deny", "NotPrincipal" : { "AWS":"210987654321" }, "Action" : "ecr:PutImage", "Resource" : "*" } ]
}`
		stored = `{
  "Version" : "2008-10-17",
  "Statement" : [ {
    "Sid" : "pull, for \"012345678901\"",
    "Effect" : "Allow",
    "Principal" : { "AWS" :["arn:aws:iam::012345678901:role/ecr-api","arn:aws:iam::210987654321:root"] },
    "Action" : "ecr:BatchGetImage"
  }, { "Effect" : "Deny", "NotPrincipal" : { "AWS":"arn:aws:iam::210987654321:root" }, "Action" : "ecr:PutImage", "Resource" : "*" } ]
}`
	)
	b := awstest.New(t)
	b.Add(t, "group/one")
	client, name, account := b.ECR(awstest.Here), aws.String("group/one"), aws.String(localaws.AdministratorAccount)
	get := func() (*ecr.GetRepositoryPolicyOutput, error) {
		return client.GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: name})
	}
	set := func(text string) (*ecr.SetRepositoryPolicyOutput, error) {
		return client.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: &text, Force: aws.Bool(true)})
	}
	remove := func() (*ecr.DeleteRepositoryPolicyOutput, error) {
		return client.DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{RepositoryName: name})
	}
	const none = "Repository policy does not exist for the repository with name 'group/one' in the registry with id '012345678901'"
	awstest.WantError(t, "get without a policy", awstest.ErrorOf(get()), "RepositoryPolicyNotFoundException", none)
	awstest.WantError(t, "delete without a policy", awstest.ErrorOf(remove()), "RepositoryPolicyNotFoundException", none)

	for _, text := range []string{policyForLambda, sent} {
		out, err := set(text)
		awstest.Must(t, err)
		want := &ecr.SetRepositoryPolicyOutput{RegistryId: account, RepositoryName: name, PolicyText: aws.String(text)}
		if text == sent {
			*want.PolicyText = stored
		}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("set (-want +got):\n%s", diff)
		}
	}
	awstest.WantError(t, "set a bad policy", awstest.ErrorOf(set(`{}`)), "InvalidParameterException", "")
	got, err := get()
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.GetRepositoryPolicyOutput{RegistryId: account, RepositoryName: name, PolicyText: aws.String(stored)}, got); diff != "" {
		t.Errorf("get (-want +got):\n%s", diff)
	}
	removed, err := remove()
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.DeleteRepositoryPolicyOutput{RegistryId: account, RepositoryName: name, PolicyText: aws.String(stored)}, removed); diff != "" {
		t.Errorf("delete (-want +got):\n%s", diff)
	}
	awstest.WantError(t, "get a deleted policy", awstest.ErrorOf(get()), "RepositoryPolicyNotFoundException", none)
}

func TestRepositoryPolicyErrors(t *testing.T) {
	t.Parallel()
	const (
		gone      = "The repository with name 'group/none' does not exist in the registry with id '012345678901'"
		malformed = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
		noSuch    = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Principal not found'"
	)
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	missing := aws.String("group/none")
	awstest.WantError(t, "get", awstest.ErrorOf(client.GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: missing})), "RepositoryNotFoundException", gone)
	awstest.WantError(t, "delete", awstest.ErrorOf(client.DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{RepositoryName: missing})), "RepositoryNotFoundException", gone)
	awstest.WantError(t, "set", awstest.ErrorOf(client.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: missing, PolicyText: aws.String("{}")})),
		"RepositoryNotFoundException", gone)

	naming := func(principal string) string {
		return `{"Statement":{"Effect":"Allow","Principal":{"AWS":` + principal + `},"Action":"ecr:BatchGetImage"}}`
	}
	statement := func(sid, action string) string {
		return `{"Sid":"` + sid + `","Effect":"Allow","Principal":"*","Action":"` + action + `"}`
	}
	for _, test := range []struct{ name, text, code, message string }{
		{"no JSON", `x`, "InvalidParameterException", malformed},
		{"empty", ``, "InvalidParameterException", malformed},
		{"no principal", `{"Statement":{"Effect":"Allow","Action":"ecr:BatchGetImage"}}`, "InvalidParameterException", malformed},
		{"all but one may", `{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"210987654321"},"Action":"ecr:BatchGetImage"}}`, "InvalidParameterException", malformed},
		{"too long", strings.Repeat(" ", 10_241), "InvalidParameterException",
			"Invalid parameter at 'policyText' failed to satisfy constraint: 'Member must have length less than or equal to 10240'"},
		{"as long as can be", naming(`"*"`) + strings.Repeat(" ", 10_240-len(naming(`"*"`))), "", ""},

		{"two statements of one name", `{"Statement":[` + statement("a b", "ecr:*") + `,` + statement("a b", "ecr:*") + `]}`, "", ""},
		{"an action of any case", `{"Statement":` + statement("x", "ECR:batchGetImage") + `}`, "", ""},
		{"an action of another service", `{"Statement":[` + statement("x", "ecr:*") + `,` + statement("y", "s3:GetObject") + `]}`, "InvalidParameterException", malformed},
		{"actions of all services", `{"Statement":` + statement("x", "*") + `}`, "InvalidParameterException", malformed},
		{"any resource", `{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":["*"]}}`, "", ""},
		{"one resource", `{"Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"` + awstest.RepositoryARN(here, "group/one") + `"}}`,
			"InvalidParameterException", malformed},

		{"an account", naming(`"210987654321"`), "", ""},
		{"the ARN of an account", naming(`"arn:aws:iam::210987654321:root"`), "", ""},
		{"an unknown account", naming(`["210987654321","111111111111"]`), "InvalidParameterException", noSuch},
		{"the ARN of an unknown account", naming(`"arn:aws:iam::111111111111:root"`), "InvalidParameterException", noSuch},
		{"a role", naming(`"arn:aws:iam::210987654321:role/ecr-api"`), "", ""},
		{"an unknown role", naming(`"arn:aws:iam::210987654321:role/ecr"`), "InvalidParameterException", noSuch},
		{"a session", naming(`"arn:aws:sts::210987654321:assumed-role/ecr-api/any"`), "", ""},
		{"a session of an unknown role", naming(`"arn:aws:sts::210987654321:assumed-role/ecr/any"`), "InvalidParameterException", noSuch},
		{"a user", naming(`"arn:aws:iam::012345678901:user/administrator"`), "", ""},
		{"an unknown user", naming(`"arn:aws:iam::210987654321:user/administrator"`), "InvalidParameterException", noSuch},
		{"a role that was deleted", naming(`"AROAJQABLZS4A3QDU576Q"`), "InvalidParameterException", noSuch},
		{"a user that was deleted", naming(`["210987654321","AIDAJQABLZS4A3QDU576Q"]`), "InvalidParameterException", noSuch},
		{"an id that is none", naming(`"AIDA"`), "InvalidParameterException", malformed},
		{"a group", naming(`"arn:aws:iam::210987654321:group/g"`), "InvalidParameterException", malformed},
		{"a name of any kind", naming(`"ecr-api"`), "InvalidParameterException", malformed},
		{"an exception for an unknown role", `{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::210987654321:role/ecr"},"Action":"ecr:*"}}`,
			"InvalidParameterException", noSuch},
	} {
		err := awstest.ErrorOf(client.SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("group/one"), PolicyText: aws.String(test.text)}))
		awstest.WantError(t, test.name, err, test.code, test.message)
	}
}

// TestOrderOfPrincipals shows that a list never comes back as it was sent, so
// that no caller compares it as it stands.
func TestOrderOfPrincipals(t *testing.T) {
	t.Parallel()
	const role, session = `"arn:aws:iam::210987654321:role/ecr-api"`, `"arn:aws:sts::210987654321:assumed-role/ecr-api/a+b@c"`
	b := awstest.New(t)
	b.Add(t, "group/one")
	for sent, want := range map[string]string{
		`[` + role + `]`: `[` + role + `]`,
		`["*", ` + role + `, "210987654321",` + session + `]`: `[` + role + `,"arn:aws:iam::210987654321:root",` + session + `,"*"]`,
		`[` + session + `,` + role + `]`:                      `[` + role + `,` + session + `]`,
	} {
		setPolicy(t, b.ECR(awstest.Here), "group/one", granting("Allow", `{"Service":["b","a"],"AWS":`+sent+`}`, "ecr:*"))
		if got, want := storedPolicy(t, b, "group/one"), granting("Allow", `{"Service":["b","a"],"AWS":`+want+`}`, "ecr:*"); got != want {
			t.Errorf("the policy is %s, want %s", got, want)
		}
	}
}

// storedPolicy returns the policy of a repository.
func storedPolicy(t *testing.T, b *awstest.AWS, repository string) string {
	t.Helper()
	out, err := b.ECR(awstest.Here).GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: &repository})
	awstest.Must(t, err)
	return *out.PolicyText
}

// TestRemovedRole shows what AWS does to policies that name a role that is
// deleted.
func TestRemovedRole(t *testing.T) {
	t.Parallel()
	const (
		role  = `"arn:aws:iam::210987654321:role/app"`
		other = `"arn:aws:iam::210987654321:role/app2"`
		id    = `"AROAAOX4M4VY6ADDLCPV2"`
		root  = `"arn:aws:iam::210987654321:root"`
	)
	app := localaws.Role{Account: there, Name: "app", Trust: awstest.TrustLocal, Permissions: []string{awstest.AllowAll}}
	app2 := app
	app2.Name = "app2"
	b := awstest.New(t, app, app2)
	session := ecr.New(b.Session(awstest.Here, b.AssumeRole(t, there, "app", "", nil)))
	awstest.Must(t, b.AddRepository(here, awstest.Here, "group/none", nil))
	for name, principals := range map[string]string{"group/one": role, "group/several": `[` + root + `,` + role + `,` + other + `]`, "group/other": other} {
		b.Add(t, name)
		setPolicy(t, b.ECR(awstest.Here), name, granting("Allow", `{"AWS":`+principals+`}`, "ecr:*"))
	}
	describe := func() error {
		return awstest.ErrorOf(session.DescribeImages(&ecr.DescribeImagesInput{RegistryId: aws.String(here), RepositoryName: aws.String("group/one")}))
	}
	awstest.WantError(t, "describe before", describe(), "", "")

	awstest.Must(t, b.RemoveRole(there, "app"))
	if err := b.RemoveRole(there, "app"); err == nil || err.Error() != "localaws: there is no role 210987654321/app" {
		t.Errorf("removed again: %v", err)
	}
	awstest.WantError(t, "describe after", describe(), "UnrecognizedClientException", "")
	for name, want := range map[string]string{"group/one": id, "group/several": `[` + id + `,` + other + `,` + root + `]`, "group/other": other} {
		if got, want := storedPolicy(t, b, name), granting("Allow", `{"AWS":`+want+`}`, "ecr:*"); got != want {
			t.Errorf("the policy of %s is %s, want %s", name, got, want)
		}
	}
	for _, principal := range []string{id, role} {
		err := awstest.ErrorOf(b.ECR(awstest.Here).SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{
			RepositoryName: aws.String("group/one"), PolicyText: aws.String(granting("Allow", `{"AWS":`+principal+`}`, "ecr:*")),
		}))
		awstest.WantError(t, "set with "+principal, err, "InvalidParameterException", "'Principal not found'")
	}
}

// TestLockedRepository shows that a policy binds the administrator too, who can
// still remove it.
func TestLockedRepository(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	name := aws.String("group/one")
	administrator := b.ECR(awstest.Here)
	role := ecr.New(b.Session(awstest.Here, b.Assume(t, localaws.AdministratorAccount, "", nil)))
	setPolicy(t, administrator, *name, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*"}}`)

	const denied = "with an explicit deny in a resource-based policy"
	for who, c := range map[string]*ecr.ECR{"administrator": administrator, "role": role} {
		awstest.WantError(t, who+" describes", describeNamed("group/one")(c), "AccessDeniedException", denied)
		awstest.WantError(t, who+" gets the policy", awstest.ErrorOf(c.GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: name})),
			"AccessDeniedException", denied)
	}
	remove := func(c *ecr.ECR) error {
		return awstest.ErrorOf(c.DeleteRepositoryPolicy(&ecr.DeleteRepositoryPolicyInput{RepositoryName: name}))
	}
	awstest.WantError(t, "role removes the policy", remove(role), "AccessDeniedException", denied)
	awstest.WantError(t, "administrator removes the policy", remove(administrator), "", "")
	awstest.WantError(t, "role describes again", describeNamed("group/one")(role), "", "")
}

// A policy can be set directly, also one that AWS would not take.
func TestSetPolicyDirectly(t *testing.T) {
	t.Parallel()
	const gone = `{"Statement":{"Effect":"Deny","Principal":{"AWS":"AIDACKCEVSQ6C2EXAMPLE"},"Action":"ecr:*"}}`
	b := awstest.New(t)
	b.Add(t, "group/one")
	set := func(repository, text string) error {
		return b.SetPolicy(localaws.AdministratorAccount, awstest.Here, repository, text)
	}
	awstest.Must(t, set("group/one", gone))
	out, err := b.ECR(awstest.Here).GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("group/one")})
	if err != nil || *out.PolicyText != gone {
		t.Errorf("the policy is %v, %v", out, err)
	}
	for repository, text := range map[string]string{"group/two": gone, "group/one": `{}`} {
		if set(repository, text) == nil {
			t.Errorf("%s got the policy %s", repository, text)
		}
	}
	awstest.Must(t, set("group/one", ""))
	if out, err := b.ECR(awstest.Here).GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("group/one")}); err == nil {
		t.Errorf("the policy is %v", out)
	}
}
