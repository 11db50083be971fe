//lint:file-ignore SA1019 The service uses the SDK's first version.

package service_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	value, err := b.Assume(t, awstest.Other, "", nil).Get()
	awstest.Must(t, err)
	call := func(key, secret, token string) (ecrErr, stsErr error) {
		s := b.Session(awstest.Here, credentials.NewStaticCredentials(key, secret, token))
		return awstest.ErrorOf(ecr.New(s).DescribeRepositories(&ecr.DescribeRepositoriesInput{})),
			awstest.ErrorOf(sts.New(s).GetCallerIdentity(&sts.GetCallerIdentityInput{}))
	}
	for _, test := range []struct {
		name, key, secret, token string
		ecrCode, stsCode         string
	}{
		{"good", value.AccessKeyID, value.SecretAccessKey, value.SessionToken, "", ""},
		{"another secret", value.AccessKeyID, "x", value.SessionToken, "InvalidSignatureException", "SignatureDoesNotMatch"},
		{"another token", value.AccessKeyID, value.SecretAccessKey, "x", "UnrecognizedClientException", "InvalidClientTokenId"},
		{"no token", value.AccessKeyID, value.SecretAccessKey, "", "UnrecognizedClientException", "InvalidClientTokenId"},
		{"unknown session", "ASIA0000000000000000", "x", value.SessionToken, "UnrecognizedClientException", "InvalidClientTokenId"},
		{"key that was never issued", "AKIA0000000000000000", "x", "", "", ""},
	} {
		ecrErr, stsErr := call(test.key, test.secret, test.token)
		awstest.WantError(t, test.name, ecrErr, test.ecrCode, "")
		awstest.WantError(t, test.name, stsErr, test.stsCode, "")
	}
	b.ForgetSessions(localaws.AdministratorAccount)
	ecrErr, stsErr := call(value.AccessKeyID, value.SecretAccessKey, value.SessionToken)
	awstest.WantError(t, "another account's sessions are forgotten", ecrErr, "", "")
	awstest.WantError(t, "another account's sessions are forgotten", stsErr, "", "")
	for _, test := range []struct {
		after            time.Duration
		ecrCode, stsCode string
	}{
		{time.Hour - time.Second, "", ""},
		{time.Second, "ExpiredTokenException", "ExpiredToken"},
	} {
		b.Advance(test.after)
		ecrErr, stsErr := call(value.AccessKeyID, value.SecretAccessKey, value.SessionToken)
		awstest.WantError(t, "later", ecrErr, test.ecrCode, "")
		awstest.WantError(t, "later", stsErr, test.stsCode, "")
	}
	b.ForgetSessions(awstest.Other)
	ecrErr, stsErr = call(value.AccessKeyID, value.SecretAccessKey, value.SessionToken)
	awstest.WantError(t, "forgotten", ecrErr, "UnrecognizedClientException", "The security token included in the request is invalid.")
	awstest.WantError(t, "forgotten", stsErr, "InvalidClientTokenId", "")
}
