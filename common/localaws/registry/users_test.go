//lint:file-ignore SA1019 The service uses the SDK's first version.

package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const (
	here  = localaws.AdministratorAccount
	alice = "arn:aws:iam::012345678901:user/spinup/ours/alice"
	two   = "/v2/012345678901/us-east-1/group/two"

	// bounds is a permissions boundary: a user reaches only the repository that its
	// tag names, and only while that is of its org.
	bounds = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},
		{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/ResourceName}"},
		{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","Resource":"*",
			"Condition":{"StringNotEquals":{"aws:ResourceTag/spinup:org":"${aws:PrincipalTag/spinup:org}"}}},
		{"Effect":"Deny","NotAction":"ecr:GetAuthorizationToken","NotResource":"arn:aws:ecr:*:*:repository/${aws:PrincipalTag/ResourceName}"}]}`
)

// newUser returns an AWS with two repositories that everybody of the org may
// pull, and the user alice of group/one with these actions of ECR on all
// repositories. It also returns the id of her key, and her as docker.
func newUser(t *testing.T, actions ...string) (b *awstest.AWS, key string, c *caller) {
	t.Helper()
	b = awstest.New(t)
	tags := map[string]string{"spinup:org": "ours"}
	for _, name := range []string{"group/one", "group/two"} {
		awstest.Must(t, b.AddRepository(here, awstest.Here, name, tags))
		awstest.Must(t, b.SetPolicy(here, awstest.Here, name, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*",`+
			`"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringEquals":{"aws:PrincipalTag/spinup:org":"ours"}}}}`))
	}
	admin := login(t, b, awstest.Here, nil)
	admin.pushImage(one, "v1")
	admin.pushImage(two, "v1")
	awstest.Must(t, b.AddManagedPolicy(here, "bounds", bounds))
	addAlice(t, b, actions...)
	key, secret, err := b.AddUserKey(here, "alice")
	awstest.Must(t, err)
	return b, key, login(t, b, awstest.Here, credentials.NewStaticCredentials(key, secret, ""))
}

func addAlice(t *testing.T, b *awstest.AWS, actions ...string) {
	t.Helper()
	awstest.Must(t, b.AddUser(here, localaws.User{
		Path: "/spinup/ours/", Name: "alice", Boundary: "bounds",
		Tags:     map[string]string{"spinup:org": "ours", "ResourceName": "group/one"},
		Policies: map[string]string{"its-policy": policy(actions...)},
	}))
}

func (c *caller) wantAliceDenied(name string, got reply, action, repository, reason string) {
	c.t.Helper()
	c.wantError(name, got, 403, "DENIED", "User: "+alice+" is not authorized to perform: ecr:"+action+
		" on resource: arn:aws:ecr:us-east-1:012345678901:repository/"+repository+" "+reason)
}

// TestUserOfOneRepository shows that a user pulls from its repository, does not
// push without the right to, and reaches no other repository: its boundary
// denies what the policies of the user and of that repository allow.
func TestUserOfOneRepository(t *testing.T) {
	t.Parallel()
	b, _, c := newUser(t, "BatchGetImage", "GetDownloadUrlForLayer")
	if got := c.send("GET", one+"/manifests/v1", ""); got.status != 200 || got.body != image {
		t.Errorf("the manifest: %v", got)
	}
	c.wantStatus("a layer", c.send("GET", one+"/blobs/"+layerDigest, ""), 200)
	const (
		unallowed = "because no identity-based policy allows the ecr:InitiateLayerUpload action"
		bounded   = "with an explicit deny in a permissions boundary"
	)
	c.wantAliceDenied("push", c.send("POST", one+"/blobs/uploads/", ""), "InitiateLayerUpload", "group/one", unallowed)
	c.wantAliceDenied("another repository", c.send("GET", two+"/manifests/v1", ""), "BatchGetImage", "group/two", bounded)
	c.wantAliceDenied("push to another repository", c.send("POST", two+"/blobs/uploads/", ""), "InitiateLayerUpload", "group/two", bounded)

	awstest.Must(t, b.SetPolicy(here, awstest.Here, "group/two", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"`+alice+`"},"Action":"ecr:*"}}`))
	c.wantAliceDenied("named by another repository", c.send("GET", two+"/manifests/v1", ""), "BatchGetImage", "group/two", bounded)
}

// TestUserPushes pushes under a boundary that allows it.
func TestUserPushes(t *testing.T) {
	t.Parallel()
	_, _, c := newUser(t, "*")
	c.pushImage(one, "v2")
	c.want("tags", c.send("GET", one+"/tags/list", ""), "200\nContent-Length: 62\nContent-Type: application/json\n\n"+`{"name":"`+strings.TrimPrefix(one, "/v2/")+`","tags":["v1","v2"]}`)
}

// TestRepositoryMadeAgain shows that the password of a user is good for nothing
// when its repository was deleted and made again for another org, also if
// everybody may do everything there.
func TestRepositoryMadeAgain(t *testing.T) {
	t.Parallel()
	b, _, c := newUser(t, "*")
	c.wantStatus("pull before", c.send("GET", one+"/manifests/v1", ""), 200)
	awstest.Must(t, awstest.ErrorOf(b.ECR(awstest.Here).DeleteRepository(
		&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one"), Force: aws.Bool(true)})))
	awstest.Must(t, b.AddRepository(here, awstest.Here, "group/one", map[string]string{"spinup:org": "theirs"}))
	const bounded = "with an explicit deny in a permissions boundary"
	for _, policy := range []string{"", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*"}}`} {
		awstest.Must(t, b.SetPolicy(here, awstest.Here, "group/one", policy))
		c.wantAliceDenied("pull", c.send("GET", one+"/manifests/v1", ""), "BatchGetImage", "group/one", bounded)
		c.wantAliceDenied("push", c.send("POST", one+"/blobs/uploads/", ""), "InitiateLayerUpload", "group/one", bounded)
	}
}

// TestRightsOfUserChange shows that a password has the rights and the tags that
// its user has at the time of the request.
func TestRightsOfUserChange(t *testing.T) {
	t.Parallel()
	b, _, c := newUser(t, "BatchGetImage")
	user := aws.String("alice")
	c.wantStatus("before", c.send("GET", one+"/manifests/v1", ""), 200)
	awstest.Must(t, awstest.ErrorOf(b.IAM().PutUserPolicy(&iam.PutUserPolicyInput{
		UserName: user, PolicyName: aws.String("its-policy"), PolicyDocument: aws.String(policy("InitiateLayerUpload")),
	})))
	c.wantStatus("a new right", c.send("POST", one+"/blobs/uploads/", ""), 202)
	awstest.Must(t, awstest.ErrorOf(b.IAM().TagUser(&iam.TagUserInput{
		UserName: user, Tags: []*iam.Tag{{Key: aws.String("ResourceName"), Value: aws.String("group/two")}},
	})))
	c.wantAliceDenied("another tag", c.send("GET", one+"/manifests/v1", ""), "BatchGetImage", "group/one", "with an explicit deny in a permissions boundary")
	c.wantStatus("what the tag names", c.send("POST", two+"/blobs/uploads/", ""), 202)
}

// TestKeyOfPassword shows that a password is refused when its key is inactive or
// deleted, also if there is another user of the same name.
func TestKeyOfPassword(t *testing.T) {
	t.Parallel()
	b, key, c := newUser(t, "BatchGetImage")
	user := aws.String("alice")
	set := func(status string) {
		t.Helper()
		awstest.Must(t, awstest.ErrorOf(b.IAM().UpdateAccessKey(&iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: &key, Status: &status})))
	}
	want := func(when string, status int) {
		t.Helper()
		c.wantStatus(when, c.send("GET", "/v2/", ""), status)
		c.wantStatus(when, c.send("GET", one+"/manifests/v1", ""), status)
	}
	want("active", 200)
	set("Inactive")
	want("inactive", 401)
	set("Active")
	want("active again", 200)
	awstest.Must(t, awstest.ErrorOf(b.IAM().DeleteAccessKey(&iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: &key})))
	want("deleted", 401)
	awstest.Must(t, awstest.ErrorOf(b.IAM().DeleteUserPolicy(&iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("its-policy")})))
	awstest.Must(t, awstest.ErrorOf(b.IAM().DeleteUser(&iam.DeleteUserInput{UserName: user})))
	want("without its user", 401)
	addAlice(t, b, "*")
	want("another user of the name", 401)
}

// TestUseOfPassword shows that a request with a password is a use of its key.
func TestUseOfPassword(t *testing.T) {
	t.Parallel()
	b, key, c := newUser(t, "BatchGetImage")
	b.Advance(time.Hour)
	c.wantStatus("pull", c.send("GET", one+"/manifests/v1", ""), 200)
	got, err := b.IAM().GetAccessKeyLastUsed(&iam.GetAccessKeyLastUsedInput{AccessKeyId: &key})
	awstest.Must(t, err)
	want := &iam.GetAccessKeyLastUsedOutput{UserName: aws.String("alice"), AccessKeyLastUsed: &iam.AccessKeyLastUsed{
		LastUsedDate: aws.Time(awstest.Noon.Add(time.Hour).Truncate(time.Second)), ServiceName: aws.String("ecr"), Region: aws.String(awstest.Here),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
