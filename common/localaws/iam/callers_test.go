//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"testing"

	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/iam"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const (
	mayGet  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"arn:aws:iam::012345678901:user/${aws:username}"}}`
	mayList = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"}}`
	mayMake = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*"}}`
)

// TestUserMayWhatItsPoliciesAllow shows that the inline policies of a user, the
// policies that are attached to it and those of its groups add up, and that its
// boundary limits them.
func TestUserMayWhatItsPoliciesAllow(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	awstest.Must(t, b.AddManagedPolicy(account, "boundary", mayGet))
	awstest.Must(t, b.AddManagedPolicy(account, "attached", mayList))
	awstest.Must(t, b.AddIAMGroup(account, "/team/group", mayMake))
	whole := localaws.User{Policies: map[string]string{"p": mayGet}, Attached: []string{"attached"}, Groups: []string{"group"}}
	bounded := whole
	bounded.Boundary = "boundary"
	const no = "AccessDenied"
	for name, test := range map[string]struct {
		user              localaws.User
		get, list, create string
	}{
		"nothing":  {localaws.User{}, no, no, no},
		"inline":   {localaws.User{Policies: whole.Policies}, "", no, no},
		"attached": {localaws.User{Attached: whole.Attached}, no, "", no},
		"group":    {localaws.User{Groups: whole.Groups}, no, no, ""},
		"all":      {whole, "", "", ""},
		"bounded":  {bounded, "", no, no},
	} {
		test.user.Name = name
		c := signedBy(t, b, test.user)
		awstest.WantError(t, name+" get", awstest.ErrorOf(c.GetUser(&iam.GetUserInput{})), test.get, "")
		awstest.WantError(t, name+" list", awstest.ErrorOf(c.ListUsers(&iam.ListUsersInput{})), test.list, "")
		awstest.WantError(t, name+" create", awstest.ErrorOf(c.CreateAccessKey(&iam.CreateAccessKeyInput{})), test.create, "")
	}
}

// signedBy adds a user with a key, and returns a client that signs with it.
func signedBy(t *testing.T, b *awstest.AWS, u localaws.User) *iam.IAM {
	t.Helper()
	awstest.Must(t, b.AddUser(account, u))
	id, secret, err := b.AddUserKey(account, u.Name)
	awstest.Must(t, err)
	return iam.New(b.Session(awstest.Here, credentials.NewStaticCredentials(id, secret, "")))
}
