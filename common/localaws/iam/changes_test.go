//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"
	"golang.org/x/sync/errgroup"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func remove(c *iam.IAM, name string) error {
	return awstest.ErrorOf(c.DeleteUser(&iam.DeleteUserInput{UserName: &name}))
}

// TestDeleteUser shows what is in the way of a deletion, and in which order it
// is said.
func TestDeleteUser(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddIAMGroup(account, "group"))
	awstest.Must(t, b.AddUser(account, localaws.User{
		Name: "me", Policies: map[string]string{"p": awstest.AllowAll}, Attached: []string{"limits/ecr-api-users"}, Groups: []string{"group"},
	}))
	id, _, err := b.AddUserKey(account, "me")
	awstest.Must(t, err)
	me := aws.String("me")
	for _, step := range []struct {
		text string
		do   func() error
	}{
		{"Cannot delete entity, must delete access keys first.", func() error {
			return awstest.ErrorOf(c.DeleteAccessKey(&iam.DeleteAccessKeyInput{UserName: me, AccessKeyId: &id}))
		}},
		{"Cannot delete entity, must delete policies first.", func() error {
			return awstest.ErrorOf(c.DeleteUserPolicy(&iam.DeleteUserPolicyInput{UserName: me, PolicyName: aws.String("p")}))
		}},
		{"Cannot delete entity, must detach all policies first.", func() error {
			return awstest.ErrorOf(c.DetachUserPolicy(&iam.DetachUserPolicyInput{UserName: me, PolicyArn: aws.String(boundary)}))
		}},
		{"Cannot delete entity, must remove users from group first.", func() error {
			return awstest.ErrorOf(c.RemoveUserFromGroup(&iam.RemoveUserFromGroupInput{UserName: me, GroupName: aws.String("group")}))
		}},
	} {
		awstest.WantError(t, step.text, remove(c, "me"), "DeleteConflict", step.text)
		awstest.Must(t, step.do())
	}
	before, err := get(c, "me")
	awstest.Must(t, err)
	awstest.Must(t, remove(c, "ME"))
	awstest.WantError(t, "delete again", remove(c, "me"), "NoSuchEntity", "The user with name me cannot be found.")
	awstest.WantError(t, "get", awstest.ErrorOf(get(c, "me")), "NoSuchEntity", "The user with name me cannot be found.")
	out, err := c.CreateUser(user("me"))
	awstest.Must(t, err)
	if *out.User.UserId == *before.UserId {
		t.Error("the new user has the id of the one that was deleted")
	}
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "human", LoginProfile: true}))
	awstest.WantError(t, "with a password", remove(c, "human"), "DeleteConflict", "must delete login profile first.")
}

func TestTagUser(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me", Tags: map[string]string{"a": "1", "b": "2"}}))
	add := func(tags ...*iam.Tag) error {
		return awstest.ErrorOf(c.TagUser(&iam.TagUserInput{UserName: aws.String("me"), Tags: tags}))
	}
	has := func() []*iam.Tag {
		u, err := get(c, "me")
		awstest.Must(t, err)
		return u.Tags
	}
	awstest.Must(t, add(tag("c", "3"), tag("B", "4")))
	is(t, "tags", []*iam.Tag{tag("B", "4"), tag("a", "1"), tag("c", "3")}, has())
	awstest.WantError(t, "one tag too many", add(tags(48)...), "LimitExceeded", "Cannot exceed quota for TagsPerUser: 50")
	awstest.WantError(t, "tag twice", add(tag("d", ""), tag("D", "")), "InvalidInput", "Duplicate tag keys found.")
	awstest.Must(t, add(tags(47)...))
	is(t, "number of tags", 50, len(has()))
}

func TestPutUserPermissionsBoundary(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	put := func(user, arn string) error {
		return awstest.ErrorOf(c.PutUserPermissionsBoundary(&iam.PutUserPermissionsBoundaryInput{UserName: &user, PermissionsBoundary: &arn}))
	}
	awstest.WantError(t, "none", put("me", boundary+"-2"), "NoSuchEntity", "Scope ARN: "+boundary+"-2 does not exist or is not attachable.")
	awstest.WantError(t, "of nobody", put("none", boundary), "NoSuchEntity", "The user with name none cannot be found.")
	awstest.Must(t, put("me", boundary))
	u, err := get(c, "me")
	awstest.Must(t, err)
	is(t, "boundary", boundary, *u.PermissionsBoundary.PermissionsBoundaryArn)
}

// TestNumberOfUsers shows the limit of users in an account.
func TestNumberOfUsers(t *testing.T) {
	t.Parallel()
	b := start(t)
	for i := range 5000 {
		awstest.Must(t, b.AddUser(account, localaws.User{Name: fmt.Sprint("user-", i)}))
	}
	awstest.WantError(t, "one more", awstest.ErrorOf(b.IAM().CreateUser(user("more"))), "LimitExceeded", "Cannot exceed quota for UsersPerAccount: 5000")
	awstest.Must(t, remove(b.IAM(), "user-7"))
	awstest.Must(t, awstest.ErrorOf(b.IAM().CreateUser(user("more"))))
}

// TestAnswersOnTheWire shows the statuses of IAM's codes, and that an operation
// without output has no element for its result.
func TestAnswersOnTheWire(t *testing.T) {
	t.Parallel()
	b := start(t)
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	r, _ := b.IAM().TagUserRequest(&iam.TagUserInput{UserName: aws.String("me"), Tags: tags(1)})
	r.Handlers.Unmarshal.Clear()
	awstest.Must(t, r.Send())
	body, err := io.ReadAll(r.HTTPResponse.Body)
	awstest.Must(t, err)
	want := `<TagUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>` +
		r.HTTPResponse.Header.Get("X-Amzn-Requestid") + `</RequestId></ResponseMetadata></TagUserResponse>`
	is(t, "the answer", want, string(body))

	_, _, err = b.AddUserKey(account, "me")
	awstest.Must(t, err)
	for name, test := range map[string]struct {
		err    error
		code   string
		status int
	}{
		"missing":   {remove(b.IAM(), "none"), "NoSuchEntity", 404},
		"exists":    {awstest.ErrorOf(b.IAM().CreateUser(user("me"))), "EntityAlreadyExists", 409},
		"conflict":  {remove(b.IAM(), "me"), "DeleteConflict", 409},
		"limit":     {put(b.IAM(), "me", "p", strings.Replace(awstest.AllowAll, "{", `{"Id":"`+strings.Repeat("i", 2048)+`",`, 1)), "LimitExceeded", 409},
		"malformed": {put(b.IAM(), "me", "p", "{}"), "MalformedPolicyDocument", 400},
	} {
		failure, ok := test.err.(awserr.RequestFailure)
		if !ok || failure.Code() != test.code || failure.StatusCode() != test.status {
			t.Errorf("%s: %v, want %s with the status %d", name, test.err, test.code, test.status)
		}
	}
}

// TestUnknownParameter shows that a parameter that is not supported here is not
// ignored.
func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	in := &struct {
		UserName string `locationName:"UserName"`
		Boundary string `locationName:"PermissionBoundary"`
	}{"me", boundary}
	r := start(t).IAM().NewRequest(&request.Operation{Name: "CreateUser", HTTPMethod: "POST", HTTPPath: "/"}, in, nil)
	awstest.WantError(t, "CreateUser", r.Send(), "ValidationError", "the parameter PermissionBoundary is not supported here")
}

// TestFaultOfIAM shows that faults hit IAM as they hit other services: here the
// answer with a new key is lost.
func TestFaultOfIAM(t *testing.T) {
	t.Parallel()
	b := start(t)
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "me"}))
	b.Inject(localaws.Fault{Operation: "iam:CreateAccessKey", Code: "ServiceFailure", Status: 500, AfterWork: true, Times: 1})
	_, err := createKey(b.IAM(), "me")
	awstest.WantError(t, "create", err, "ServiceFailure", "")
	is(t, "number of keys", 1, len(keys(t, b.IAM(), "me")))
}

// TestDeletedUserInPolicyOfRepository shows that a user can be named by the
// policy of a repository, and that its unique id stands there when it was
// deleted. A new user of the same name has no part in it.
func TestDeletedUserInPolicyOfRepository(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.Add(t, "group/one")
	set := func(principal string) error {
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"ecr:*"}]}`
		return awstest.ErrorOf(b.ECR(awstest.Here).SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("group/one"), PolicyText: &text}))
	}
	const arn = "arn:aws:iam::012345678901:user/team/me"
	const notFound = "Principal not found"
	awstest.WantError(t, "missing", set(arn), "InvalidParameterException", notFound)
	awstest.Must(t, b.AddUser(account, localaws.User{Path: "/team/", Name: "me"}))
	awstest.WantError(t, "without the path", set("arn:aws:iam::012345678901:user/me"), "InvalidParameterException", notFound)
	awstest.WantError(t, "in another account", set("arn:aws:iam::210987654321:user/team/me"), "InvalidParameterException", notFound)
	awstest.Must(t, set(arn))
	u, err := get(b.IAM(), "me")
	awstest.Must(t, err)
	awstest.Must(t, remove(b.IAM(), "me"))
	awstest.Must(t, b.AddUser(account, localaws.User{Path: "/team/", Name: "me"}))
	out, err := b.ECR(awstest.Here).GetRepositoryPolicy(&ecr.GetRepositoryPolicyInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	is(t, "policy", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+*u.UserId+`"},"Action":"ecr:*"}]}`, *out.PolicyText)
}

// TestManyAtOnce shows that IAM and ECR do not wait for each other for ever: a
// policy of a repository asks for users while it is set, and a deleted user is
// looked for in the policies.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.Add(t, "group/one")
	var workers errgroup.Group
	for i := range 4 {
		name := fmt.Sprint("user-", i)
		text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::%s:user/%s"},"Action":"ecr:*"}]}`, account, name)
		workers.Go(func() error {
			for range 20 {
				if _, err := b.IAM().CreateUser(user(name)); err != nil {
					return err
				}
				if _, err := b.ECR(awstest.Here).SetRepositoryPolicy(&ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("group/one"), PolicyText: &text}); err != nil {
					return err
				}
				if err := remove(b.IAM(), name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	awstest.Must(t, workers.Wait())
}
