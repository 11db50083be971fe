package local

import (
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/service/iam"
)

// TestBoundary shows that both accounts have the boundary of users as a managed
// policy, by its name.
func TestBoundary(t *testing.T) {
	t.Parallel()
	s := newSession(t, start(t, startEmpty))
	for _, account := range accounts {
		c := iam.New(s, &aws.Config{Credentials: stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/"+accessRole)})
		boundary := "arn:aws:iam::" + account + ":policy/ecr-api-users"
		out, err := c.CreateUser(&iam.CreateUserInput{UserName: aws.String("me"), PermissionsBoundary: &boundary})
		if err != nil || *out.User.PermissionsBoundary.PermissionsBoundaryArn != boundary {
			t.Errorf("in %s: %v, %v", account, out, err)
		}
	}
}
