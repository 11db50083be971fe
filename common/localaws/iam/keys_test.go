//lint:file-ignore SA1019 The service uses the SDK's first version.

package iam_test

import (
	"slices"
	"testing"

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
