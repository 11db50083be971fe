//lint:file-ignore SA1019 The service uses the SDK's first version.

package service_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const here, there = localaws.AdministratorAccount, awstest.Other

// aliceHas are the policies of the user alice, "" for none.
type aliceHas struct{ permissions, boundary string }

// newAlice returns an AWS with the repository group/one, which has a policy, ""
// for none, and with a user of an account, with the credentials of its key.
func newAlice(t *testing.T, account string, has aliceHas, repositoryPolicy string, roles ...localaws.Role) (*awstest.AWS, *credentials.Credentials) {
	t.Helper()
	b := awstest.New(t, roles...)
	awstest.Must(t, b.AddRepository(here, awstest.Here, "group/one", nil))
	if repositoryPolicy != "" {
		awstest.Must(t, b.SetPolicy(here, awstest.Here, "group/one", repositoryPolicy))
	}
	alice := localaws.User{Path: "/spinup/ours/", Name: "alice", Tags: map[string]string{"spinup:org": "ours", "ResourceName": "group/one"}}
	if has.permissions != "" {
		alice.Policies = map[string]string{"its-policy": has.permissions}
	}
	if has.boundary != "" {
		alice.Boundary = "bounds"
		awstest.Must(t, b.AddManagedPolicy(account, "bounds", has.boundary))
	}
	awstest.Must(t, b.AddUser(account, alice))
	key, secret, err := b.AddUserKey(account, "alice")
	awstest.Must(t, err)
	return b, credentials.NewStaticCredentials(key, secret, "")
}

// describeImages describes the images of group/one.
func describeImages(b *awstest.AWS, by *credentials.Credentials) error {
	return awstest.ErrorOf(ecr.New(b.Session(awstest.Here, by)).DescribeImages(
		&ecr.DescribeImagesInput{RegistryId: aws.String(here), RepositoryName: aws.String("group/one")}))
}

func TestUserCredentials(t *testing.T) {
	t.Parallel()
	b, by := newAlice(t, there, aliceHas{permissions: awstest.AllowAll}, "")
	inactive, inactiveSecret, err := b.AddUserKey(there, "alice")
	awstest.Must(t, err)
	admin := iam.New(b.Session(awstest.Here, b.Assume(t, there, "", nil)))
	awstest.Must(t, awstest.ErrorOf(admin.UpdateAccessKey(
		&iam.UpdateAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &inactive, Status: aws.String("Inactive")})))
	good, err := by.Get()
	awstest.Must(t, err)
	const user, administrator = "arn:aws:iam::210987654321:user/spinup/ours/alice", "arn:aws:iam::012345678901:user/administrator"
	for _, test := range []struct {
		name, key, secret, token string
		ecrCode, stsCode, arn    string
	}{
		{"good", good.AccessKeyID, good.SecretAccessKey, "", "", "", user},
		{"another secret", good.AccessKeyID, "x", "", "InvalidSignatureException", "SignatureDoesNotMatch", ""},
		{"with a token", good.AccessKeyID, good.SecretAccessKey, "token", "UnrecognizedClientException", "InvalidClientTokenId", ""},
		{"inactive key", inactive, inactiveSecret, "", "UnrecognizedClientException", "InvalidClientTokenId", ""},
		{"key that belongs to nobody", "AKIA0000000000000000", "x", "", "", "", administrator},
	} {
		as := b.Session(awstest.Here, credentials.NewStaticCredentials(test.key, test.secret, test.token))
		err := awstest.ErrorOf(ecr.New(as).DescribeRepositories(&ecr.DescribeRepositoriesInput{}))
		awstest.WantError(t, test.name, err, test.ecrCode, "")
		identity, err := sts.New(as).GetCallerIdentity(&sts.GetCallerIdentityInput{})
		awstest.WantError(t, test.name, err, test.stsCode, "")
		if got := aws.StringValue(identity.Arn); got != test.arn {
			t.Errorf("%s: the caller is %q, want %q", test.name, got, test.arn)
		}
	}
}

// TestUseOfKey shows that only a call with a good signature is a use of a key.
func TestUseOfKey(t *testing.T) {
	t.Parallel()
	b, by := newAlice(t, here, aliceHas{}, "")
	good, err := by.Get()
	awstest.Must(t, err)
	awstest.WantError(t, "forged", describeImages(b, credentials.NewStaticCredentials(good.AccessKeyID, "x", "")), "InvalidSignatureException", "")
	wantUse(t, b, good.AccessKeyID, &iam.AccessKeyLastUsed{ServiceName: aws.String("N/A"), Region: aws.String("N/A")})
	b.Advance(time.Hour)
	awstest.WantError(t, "not allowed", describeImages(b, by), "AccessDeniedException", "")
	wantUse(t, b, good.AccessKeyID, &iam.AccessKeyLastUsed{
		LastUsedDate: aws.Time(awstest.Noon.Add(time.Hour).Truncate(time.Second)), ServiceName: aws.String("ecr"), Region: aws.String(awstest.Here),
	})
}

func wantUse(t *testing.T, b *awstest.AWS, key string, want *iam.AccessKeyLastUsed) {
	t.Helper()
	got, err := b.IAM().GetAccessKeyLastUsed(&iam.GetAccessKeyLastUsedInput{AccessKeyId: &key})
	awstest.Must(t, err)
	if diff := cmp.Diff(want, got.AccessKeyLastUsed); diff != "" {
		t.Errorf("the use of the key (-want +got):\n%s", diff)
	}
}

func TestCallerIdentityOfUser(t *testing.T) {
	t.Parallel()
	b, by := newAlice(t, here, aliceHas{}, "")
	got, err := sts.New(b.Session(awstest.Here, by)).GetCallerIdentity(&sts.GetCallerIdentityInput{})
	awstest.Must(t, err)
	user, err := b.IAM().GetUser(&iam.GetUserInput{UserName: aws.String("alice")})
	awstest.Must(t, err)
	want := &sts.GetCallerIdentityOutput{
		Account: aws.String("012345678901"),
		Arn:     aws.String("arn:aws:iam::012345678901:user/spinup/ours/alice"),
		UserId:  user.User.UserId,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// statement returns a policy of one statement. It is one of a repository if it
// has a principal.
func statement(effect, principal, action string) string {
	target := `"Resource":"*"`
	if principal != "" {
		target = `"Principal":` + principal
	}
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `",` + target + `,"Action":"` + action + `"}}`
}

// TestPoliciesDecideOfUser shows what a user needs: its permissions and its
// boundary, and the policy of the repository.
func TestPoliciesDecideOfUser(t *testing.T) {
	t.Parallel()
	const (
		resource = "because no resource-based policy allows the ecr:DescribeImages action"
		identity = "because no identity-based policy allows the ecr:DescribeImages action"
		boundary = "because no permissions boundary allows the ecr:DescribeImages action"

		everybody    = `"*"`
		theAccount   = `{"AWS":"012345678901"}`
		theUser      = `{"AWS":"arn:aws:iam::012345678901:user/spinup/ours/alice"}`
		withoutPath  = `{"AWS":"arn:aws:iam::012345678901:user/alice"}`
		otherAccount = `{"AWS":"210987654321"}`
		otherUser    = `{"AWS":"arn:aws:iam::210987654321:user/spinup/ours/alice"}`
	)
	all, list := statement("Allow", "", "ecr:*"), statement("Allow", "", "ecr:ListImages")
	no := statement("Deny", "", "ecr:DescribeImages")
	on := func(principal string) string { return statement("Allow", principal, "ecr:*") }
	deny := func(principal string) string { return statement("Deny", principal, "ecr:*") }
	for _, test := range []struct {
		name                  string
		account               string // of the user
		permissions, boundary string // of the user, "" for none
		policy                string // of the repository, "" for none
		text                  string // of the refusal, "" if the call is allowed
	}{
		{"nothing", here, "", "", "", identity},
		{"permission", here, all, "", "", ""},
		{"permission and boundary", here, all, all, "", ""},
		{"permission outside of the boundary", here, all, list, "", boundary},
		{"boundary alone", here, "", all, "", identity},
		{"neither", here, list, list, "", identity},

		{"account", here, "", "", on(theAccount), identity},
		{"account, with a permission", here, all, all, on(theAccount), ""},
		{"account, outside of the boundary", here, all, list, on(theAccount), boundary},
		{"account, with a boundary alone", here, "", all, on(theAccount), identity},
		{"user", here, "", "", on(theUser), ""},
		{"user, outside of the boundary", here, "", list, on(theUser), ""},
		{"user without its path", here, "", all, on(withoutPath), identity},
		{"everybody", here, "", "", on(everybody), ""},
		{"everybody, outside of the boundary", here, list, list, on(everybody), ""},
		{"another account", here, "", "", on(otherAccount), identity},

		{"the user's policy denies", here, no, all, on(theUser), "with an explicit deny in an identity-based policy"},
		{"the boundary denies", here, all, no, on(theUser), "with an explicit deny in a permissions boundary"},
		{"the boundary denies, and everybody may", here, all, no, on(everybody), "with an explicit deny in a permissions boundary"},
		{"the repository denies everybody", here, all, all, deny(everybody), "with an explicit deny in a resource-based policy"},
		{"the repository denies the account", here, all, all, deny(theAccount), "with an explicit deny in a resource-based policy"},
		{"the repository denies the user", here, all, all, deny(theUser), "with an explicit deny in a resource-based policy"},
		{"the repository denies others", here, all, all, deny(otherUser), ""},

		{"other account: no policy", there, all, all, "", resource},
		{"other account: account", there, all, all, on(otherAccount), ""},
		{"other account: account, and no permission", there, "", all, on(otherAccount), resource},
		{"other account: account, outside of the boundary", there, all, list, on(otherAccount), boundary},
		{"other account: user", there, all, "", on(otherUser), ""},
		{"other account: user, and no permission", there, "", "", on(otherUser), identity},
		{"other account: user, outside of the boundary", there, all, list, on(otherUser), boundary},
		{"other account: everybody, and no permission", there, "", all, on(everybody), identity},
		{"other account: everybody, outside of the boundary", there, all, list, on(everybody), boundary},
		{"other account: the boundary denies", there, all, no, on(otherUser), "with an explicit deny in a permissions boundary"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, by := newAlice(t, test.account, aliceHas{test.permissions, test.boundary}, test.policy)
			code, text := "", ""
			if test.text != "" {
				code = "AccessDeniedException"
				text = fmt.Sprintf("User: arn:aws:iam::%s:user/spinup/ours/alice is not authorized to perform: ecr:DescribeImages on resource: "+
					"arn:aws:ecr:us-east-1:012345678901:repository/group/one %s", test.account, test.text)
			}
			awstest.WantError(t, "call", describeImages(b, by), code, text)
		})
	}
}

// TestContextOfUser shows what conditions and variables know of a user.
func TestContextOfUser(t *testing.T) {
	t.Parallel()
	const hold = `{"StringEquals":{"aws:PrincipalAccount":"012345678901","aws:PrincipalArn":"arn:aws:iam::012345678901:user/spinup/ours/alice",` +
		`"aws:PrincipalType":"User","aws:username":"alice","aws:PrincipalTag/spinup:org":"ours"},` +
		`"StringLike":{"aws:userid":"AIDA*"},"Null":{"aws:TokenIssueTime":"true","aws:SourceIdentity":"true"}}`
	for name, test := range map[string]struct{ resource, condition, code string }{
		"all keys":         {"*", hold, ""},
		"another name":     {"*", `{"StringEquals":{"aws:username":"Alice"}}`, "AccessDeniedException"},
		"another tag":      {"*", `{"StringEquals":{"aws:PrincipalTag/spinup:org":"theirs"}}`, "AccessDeniedException"},
		"a role's session": {"*", `{"Null":{"aws:TokenIssueTime":"false"}}`, "AccessDeniedException"},
		"tag as variable":  {"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/ResourceName}", `{}`, ""},
		"tag of others":    {"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/group}/one", `{}`, "AccessDeniedException"},
		"name as variable": {"arn:aws:ecr:*:*:repository/*", `{"StringLike":{"aws:PrincipalArn":"*/${aws:username}"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, by := newAlice(t, here, aliceHas{permissions: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"` +
				test.resource + `","Condition":` + test.condition + `}}`}, "")
			awstest.WantError(t, "call", describeImages(b, by), test.code, "")
		})
	}
}

// TestUserAssumesRole shows that a user can assume a role for twelve hours,
// within its policy and its boundary, and that its tags stay with it.
func TestUserAssumesRole(t *testing.T) {
	t.Parallel()
	const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::012345678901:user/spinup/ours/alice"},` +
		`"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:username":"alice","aws:PrincipalTag/spinup:org":"ours"}}}}`
	const untagged = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":` +
		`{"Null":{"aws:username":"true","aws:PrincipalTag/spinup:org":"true","aws:TokenIssueTime":"false"}}}}`
	role := localaws.Role{Account: here, Name: "app", Trust: trust, Permissions: []string{untagged}, MaxSessionDuration: 12 * 3600}
	in := &sts.AssumeRoleInput{RoleArn: awstest.RoleARN(here, "app"), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int64(12 * 3600)}
	assume := statement("Allow", "", "sts:AssumeRole")
	for _, test := range []struct {
		name string
		has  aliceHas
		text string // of the refusal
	}{
		{"outside of the boundary", aliceHas{assume, statement("Allow", "", "ecr:*")}, "because no permissions boundary allows the sts:AssumeRole action"},
		{"no permission", aliceHas{}, "because no identity-based policy allows the sts:AssumeRole action"},
		{"permission and boundary", aliceHas{assume, assume}, ""},
	} {
		b, by := newAlice(t, here, test.has, "", role)
		out, err := sts.New(b.Session(awstest.Here, by)).AssumeRole(in)
		if test.text != "" {
			awstest.WantError(t, test.name, err, "AccessDenied", test.text)
			continue
		}
		awstest.Must(t, err)
		awstest.WantError(t, test.name+": its session", describeImages(b, awstest.Issued(out)), "", "")
	}
}
