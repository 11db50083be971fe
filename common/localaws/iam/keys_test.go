//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/iam"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func createKey(c *iam.IAM, name string) (*iam.AccessKey, error) {
	out, err := c.CreateAccessKey(&iam.CreateAccessKeyInput{UserName: &name})
	return out.AccessKey, err
}

func keys(t *testing.T, c *iam.IAM, name string) []*iam.AccessKeyMetadata {
	t.Helper()
	out, err := c.ListAccessKeys(&iam.ListAccessKeysInput{UserName: &name})
	awstest.Must(t, err)
	return out.AccessKeyMetadata
}

func TestAccessKeys(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	awstest.Must(t, b.AddUser(account, localaws.User{Name: "Me"}))
	is(t, "keys of a new user", nil, keys(t, c, "me"))
	first, err := createKey(c, "me")
	awstest.Must(t, err)
	is(t, "first", &iam.AccessKey{
		UserName: aws.String("Me"), AccessKeyId: first.AccessKeyId, SecretAccessKey: first.SecretAccessKey,
		Status: aws.String("Active"), CreateDate: &created,
	}, first)
	if len(*first.AccessKeyId) != 20 || (*first.AccessKeyId)[:4] != "AKIA" || len(*first.SecretAccessKey) != 40 {
		t.Errorf("key %v with the secret %v", *first.AccessKeyId, *first.SecretAccessKey)
	}
	second, err := createKey(c, "Me")
	awstest.Must(t, err)
	want := []*iam.AccessKeyMetadata{
		{UserName: aws.String("Me"), AccessKeyId: first.AccessKeyId, Status: aws.String("Active"), CreateDate: &created},
		{UserName: aws.String("Me"), AccessKeyId: second.AccessKeyId, Status: aws.String("Active"), CreateDate: &created},
	}
	if *first.AccessKeyId > *second.AccessKeyId {
		slices.Reverse(want)
	}
	is(t, "both", want, keys(t, c, "me"))
	_, err = createKey(c, "me")
	awstest.WantError(t, "third", err, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
	_, err = createKey(c, "none")
	awstest.WantError(t, "nobody's", err, "NoSuchEntity", "The user with name none cannot be found.")
}

func TestChangingAccessKeys(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	for _, name := range []string{"me", "you"} {
		awstest.Must(t, b.AddUser(account, localaws.User{Name: name}))
	}
	id, _, err := b.AddUserKey(account, "me")
	awstest.Must(t, err)
	update := func(name, id, status string) error {
		return awstest.ErrorOf(c.UpdateAccessKey(&iam.UpdateAccessKeyInput{UserName: &name, AccessKeyId: &id, Status: &status}))
	}
	remove := func(name, id string) error {
		return awstest.ErrorOf(c.DeleteAccessKey(&iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: &id}))
	}
	missing := "The Access Key with id " + id + " cannot be found."
	awstest.WantError(t, "update another's", update("you", id, "Inactive"), "NoSuchEntity", missing)
	awstest.WantError(t, "delete another's", remove("you", id), "NoSuchEntity", missing)
	awstest.WantError(t, "another status", update("me", id, "Expired"), "ValidationError",
		"Value 'Expired' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]")
	awstest.WantError(t, "malformed id", update("me", "AKIA-123-456-789-012", "Active"), "ValidationError", "The specified value for accessKeyId is invalid.")
	for _, status := range []string{"Inactive", "Active"} {
		awstest.Must(t, update("me", id, status))
		is(t, status, status, *keys(t, c, "me")[0].Status)
	}
	awstest.Must(t, remove("me", id))
	is(t, "keys after deletion", nil, keys(t, c, "me"))
	awstest.WantError(t, "delete again", remove("me", id), "NoSuchEntity", missing)
	awstest.WantError(t, "update after deletion", update("me", id, "Active"), "NoSuchEntity", missing)
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := b.IAM()
	lastUse := func(id string) (*iam.GetAccessKeyLastUsedOutput, error) {
		return c.GetAccessKeyLastUsed(&iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	}
	signed := signedBy(t, b, localaws.User{Name: "me"})
	id := *keys(t, c, "me")[0].AccessKeyId
	out, err := lastUse(id)
	awstest.Must(t, err)
	is(t, "never used", &iam.GetAccessKeyLastUsedOutput{
		UserName: aws.String("me"), AccessKeyLastUsed: &iam.AccessKeyLastUsed{ServiceName: aws.String("N/A"), Region: aws.String("N/A")},
	}, out)
	b.Advance(time.Hour)
	awstest.WantError(t, "a call", awstest.ErrorOf(signed.ListUsers(&iam.ListUsersInput{})), "AccessDenied", "")
	out, err = lastUse(id)
	awstest.Must(t, err)
	is(t, "used", &iam.GetAccessKeyLastUsedOutput{
		UserName: aws.String("me"), AccessKeyLastUsed: &iam.AccessKeyLastUsed{
			ServiceName: aws.String("iam"), Region: aws.String(awstest.Here), LastUsedDate: aws.Time(created.Add(time.Hour)),
		},
	}, out)
	awstest.WantError(t, "nobody's key", awstest.ErrorOf(lastUse("AKIA0000000000000000")), "AccessDenied",
		"is not authorized to perform: iam:GetAccessKeyLastUsed on resource: arn:aws:iam::012345678901:user/")
	awstest.Must(t, b.AddUser(awstest.Other, localaws.User{Name: "you"}))
	theirs, _, err := b.AddUserKey(awstest.Other, "you")
	awstest.Must(t, err)
	awstest.WantError(t, "a key of another account", awstest.ErrorOf(lastUse(theirs)), "AccessDenied", "")
}
