package users

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/iam"
)

// An answer that is not IAM's is a broken one, whatever was asked. A change may be
// done then.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<html></html>")
	}))
	t.Cleanup(server.Close)
	s, err := session.NewSession(aws.NewConfig().WithRegion("us-east-1").WithEndpoint(server.URL).WithHTTPClient(server.Client()).WithMaxRetries(0).
		WithCredentials(credentials.NewStaticCredentials("a", "b", "")))
	if err != nil {
		t.Fatal(err)
	}
	sign := func(r *request.Request) { r.Config.Credentials = s.Config.Credentials }
	c := New(s).Client(Place{Path: "/a/", Prefix: "a-"}, sign, sign)
	name := aws.String("a-b")
	for operation, call := range map[string]write{
		"CreateAccessKey":            writing(c, c.iam.CreateAccessKeyRequest, &iam.CreateAccessKeyInput{}),
		"CreateUser":                 writing(c, c.iam.CreateUserRequest, &iam.CreateUserInput{UserName: name}),
		"DeleteAccessKey":            writing(c, c.iam.DeleteAccessKeyRequest, &iam.DeleteAccessKeyInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE")}),
		"DeleteUser":                 writing(c, c.iam.DeleteUserRequest, &iam.DeleteUserInput{UserName: name}),
		"GetAccessKeyLastUsed":       writing(c, c.iam.GetAccessKeyLastUsedRequest, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE")}),
		"GetUser":                    writing(c, c.iam.GetUserRequest, &iam.GetUserInput{}),
		"GetUserPolicy":              writing(c, c.iam.GetUserPolicyRequest, &iam.GetUserPolicyInput{UserName: name, PolicyName: name}),
		"ListAccessKeys":             writing(c, c.iam.ListAccessKeysRequest, &iam.ListAccessKeysInput{}),
		"ListAttachedUserPolicies":   writing(c, c.iam.ListAttachedUserPoliciesRequest, &iam.ListAttachedUserPoliciesInput{UserName: name}),
		"ListGroupsForUser":          writing(c, c.iam.ListGroupsForUserRequest, &iam.ListGroupsForUserInput{UserName: name}),
		"ListUserPolicies":           writing(c, c.iam.ListUserPoliciesRequest, &iam.ListUserPoliciesInput{UserName: name}),
		"ListUsers":                  writing(c, c.iam.ListUsersRequest, &iam.ListUsersInput{}),
		"PutUserPermissionsBoundary": writing(c, c.iam.PutUserPermissionsBoundaryRequest, &iam.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: aws.String("arn:aws:iam::1:policy/a")}),
		"UpdateAccessKey":            writing(c, c.iam.UpdateAccessKeyRequest, &iam.UpdateAccessKeyInput{AccessKeyId: aws.String("AKIAIOSFODNN7EXAMPLE"), Status: aws.String("Active")}),
		"RemoveUserFromGroup":        writing(c, c.iam.RemoveUserFromGroupRequest, &iam.RemoveUserFromGroupInput{UserName: name, GroupName: name}),
	} {
		tries := new(calls.Attempts)
		if err := call(t.Context(), tries); common.CodeOf(err) != common.Internal || !tries.Unsure {
			t.Errorf("%s: unsure %t, error %v", operation, tries.Unsure, err)
		}
	}
}
