//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/sts"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const delay = 10 * time.Second

func names(t *testing.T, c *iam.IAM) (all []string) {
	t.Helper()
	out, err := c.ListUsers(&iam.ListUsersInput{})
	awstest.Must(t, err)
	for _, u := range out.Users {
		all = append(all, *u.UserName)
	}
	return all
}

// TestDelayOfUsers shows that a new user is missing and a deleted one is there
// until the delay is over, and that the name is taken and free at once.
func TestDelayOfUsers(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	b.SetIAMDelay(delay)
	first, err := c.CreateUser(user("me"))
	awstest.Must(t, err)
	b.Advance(delay - time.Nanosecond)
	is(t, "early list", nil, names(t, c))
	awstest.WantError(t, "early get", awstest.ErrorOf(get(c, "me")), "NoSuchEntity", "")
	awstest.WantError(t, "early policy", put(c, "me", "p", awstest.AllowAll), "NoSuchEntity", "")
	awstest.WantError(t, "early key", awstest.ErrorOf(createKey(c, "me")), "NoSuchEntity", "")
	awstest.WantError(t, "early delete", remove(c, "me"), "NoSuchEntity", "")
	awstest.WantError(t, "taken", awstest.ErrorOf(c.CreateUser(user("ME"))), "EntityAlreadyExists", "")
	under := iam.New(b.Session(awstest.Here, b.Assume(t, account, `{"Version":"2012-10-17","Statement":`+allow("GetUser", "user/ours/*", "")+`}`, nil)))
	awstest.WantError(t, "early get under a path", awstest.ErrorOf(get(under, "me")), "AccessDenied", "")
	b.Advance(time.Nanosecond)
	is(t, "list", []string{"me"}, names(t, c))

	awstest.Must(t, remove(c, "me"))
	awstest.WantError(t, "delete again", remove(c, "me"), "NoSuchEntity", "")
	awstest.WantError(t, "policy of a deleted user", put(c, "me", "p", awstest.AllowAll), "NoSuchEntity", "")
	second, err := c.CreateUser(user("me"))
	awstest.Must(t, err)
	got, err := get(c, "me")
	awstest.Must(t, err)
	is(t, "the first is still there", first.User.UserId, got.UserId)
	b.Advance(delay)
	got, err = get(c, "me")
	awstest.Must(t, err)
	is(t, "now it is the second", second.User.UserId, got.UserId)

	awstest.Must(t, remove(c, "me"))
	b.SetIAMDelay(0)
	is(t, "what was deleted with a delay", []string{"me"}, names(t, c))
	b.Advance(delay)
	is(t, "in the end", nil, names(t, c))

	b.SetIAMDelay(delay)
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "you"}))
	awstest.Must(t, awstest.ErrorOf(signedBy(t, b, localaws.User{Name: "they", Policies: map[string]string{"p": awstest.AllowAll}}).GetUser(&iam.GetUserInput{})))
	is(t, "what was added directly", []string{"they", "you"}, names(t, c))
}

// TestDelayOfPolicies shows that the tags, the boundary and the policies of a
// user are seen late, by reads and by decisions.
func TestDelayOfPolicies(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	me := signedBy(t, b, localaws.User{Name: "me"})
	b.SetIAMDelay(delay)
	before, err := get(c, "me")
	awstest.Must(t, err)
	awstest.Must(t, put(c, "me", "p", awstest.AllowAll))
	awstest.Must(t, awstest.ErrorOf(c.TagUser(&iam.TagUserInput{UserName: aws.String("me"), Tags: tags(1)})))
	awstest.Must(t, awstest.ErrorOf(c.PutUserPermissionsBoundary(&iam.PutUserPermissionsBoundaryInput{UserName: aws.String("me"), PermissionsBoundary: aws.String(boundary)})))
	after, err := get(c, "me")
	awstest.Must(t, err)
	is(t, "early", before, after)
	is(t, "early policies", nil, inline(t, c, "me"))
	awstest.WantError(t, "early call", awstest.ErrorOf(me.GetUser(&iam.GetUserInput{})), "AccessDenied", "")
	b.Advance(delay)
	after, err = get(c, "me")
	awstest.Must(t, err)
	before.Tags, before.PermissionsBoundary = tags(1), after.PermissionsBoundary
	is(t, "late", before, after)
	is(t, "boundary", boundary, *after.PermissionsBoundary.PermissionsBoundaryArn)
	is(t, "policies", []string{"p"}, inline(t, c, "me"))
	awstest.Must(t, awstest.ErrorOf(me.GetUser(&iam.GetUserInput{})))
}

// TestDelayOfKeys shows that a new key is in no list and cannot sign, that an
// inactive and a deleted one still sign, and that the limit counts at once.
func TestDelayOfKeys(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	b.SetIAMDelay(delay)
	first, err := createKey(c, "me")
	awstest.Must(t, err)
	second, err := createKey(c, "me")
	awstest.Must(t, err)
	sign := func(k *iam.AccessKey) error {
		signed := credentials.NewStaticCredentials(*k.AccessKeyId, *k.SecretAccessKey, "")
		return awstest.ErrorOf(sts.New(b.Session(awstest.Here, signed)).GetCallerIdentity(&sts.GetCallerIdentityInput{}))
	}
	want := func(when, one, two string, n int) {
		t.Helper()
		awstest.WantError(t, when+" first", sign(first), one, "")
		awstest.WantError(t, when+" second", sign(second), two, "")
		is(t, when+" number of keys", n, len(keys(t, c, "me")))
	}
	const unknown = "InvalidClientTokenId"
	want("new", unknown, unknown, 0)
	awstest.WantError(t, "third", awstest.ErrorOf(createKey(c, "me")), "LimitExceeded", "")
	awstest.WantError(t, "last use of a new key", awstest.ErrorOf(c.GetAccessKeyLastUsed(&iam.GetAccessKeyLastUsedInput{AccessKeyId: first.AccessKeyId})), "AccessDenied", "")
	b.Advance(delay)
	want("seen", "", "", 2)
	me := aws.String("me")
	awstest.Must(t, awstest.ErrorOf(c.DeleteAccessKey(&iam.DeleteAccessKeyInput{UserName: me, AccessKeyId: first.AccessKeyId})))
	awstest.Must(t, awstest.ErrorOf(c.UpdateAccessKey(&iam.UpdateAccessKeyInput{UserName: me, AccessKeyId: second.AccessKeyId, Status: aws.String("Inactive")})))
	want("deleted and inactive", "", "", 2)
	awstest.Must(t, awstest.ErrorOf(createKey(c, "me"))) // there is room at once
	b.Advance(delay)
	want("later", unknown, unknown, 2)
}

// TestDelayOfPrincipals shows that the policy of a repository cannot name a
// user before it is seen.
func TestDelayOfPrincipals(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.Add(t, "group/one")
	b.SetIAMDelay(delay)
	awstest.Must(t, awstest.ErrorOf(b.IAM().CreateUser(user("me"))))
	set := func() error {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::012345678901:user/me"},"Action":"ecr:*"}]}`
		return awstest.ErrorOf(b.ECR(awstest.Here).SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("group/one"), PolicyText: &text}))
	}
	awstest.WantError(t, "early", set(), "InvalidParameterException", "Principal not found")
	b.Advance(delay)
	awstest.Must(t, set())
}
