package common

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// said returns what a caller is told if AWS answers with that code and message.
func said(t *testing.T, awsCode, message string) string {
	t.Helper()
	codes := map[string]Code{ecr.ErrCodeKmsException: BadRequest, ecr.ErrCodeLimitExceededException: QuotaReached}
	answer := awserr.NewRequestFailure(awserr.New(awsCode, message, nil), http.StatusBadRequest, "id-1")
	var e *Error
	if !errors.As(FromAWS(answer, codes, "refused"), &e) {
		t.Fatalf("%s is no Error", awsCode)
	}
	if !strings.Contains(e.Cause.Error(), message) {
		t.Errorf("the log does not have AWS's words: %v", e.Cause)
	}
	return e.Message
}

func TestAWSWordsThatNameSomethingOfOurs(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"User: arn:aws:sts::012345678901:assumed-role/ecr-api/spinup-spindev-ecr-api-0123456789abcdef is not authorized to perform: " +
			"kms:CreateGrant on resource: arn:aws:kms:us-east-1:012345678901:key/0123abcd (Service: AWSKMS; Status Code: 400)",
		"the role arn:aws:iam::012345678901:role/ecr-api cannot use the key",
		"the role ARN:AWS-US-GOV:IAM::012345678901:role/ecr-api cannot use the key",
		"the user arn:aws-cn:sts::012345678901:federated-user/ecr-api cannot use the key",
		"assumed-role/ecr-api cannot use the key",
		"AROAEXAMPLEEXAMPLE01:someone cannot use the key",
		"the access key ASIAEXAMPLEEXAMPLE01 cannot use the key",
		"the access key AKIAEXAMPLEEXAMPLE01 cannot use the key",
		"the session spinup-spindev-ecr-api-0123456789abcdef cannot use the key",
		"You are not authorized to perform this. Encoded authorization failure message: abc",
	} {
		const want = "AWS answered KmsException. The log has its words: quote the requestId to whoever runs this service."
		if got := said(t, "KmsException", message); got != want {
			t.Errorf("%s: the caller is told %q", message, got)
		}
		if got := said(t, "LimitExceededException", message); got != "A quota of AWS is reached in that account. "+
			"Delete what is not needed, or have the quota raised. "+strings.Replace(want, "KmsException", "LimitExceededException", 1) {
			t.Errorf("quota, %s: the caller is told %q", message, got)
		}
	}
}

func TestAWSWordsThatArePassedOn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\x7f", 1<<20)
	for message, want := range map[string]string{
		"":                    "",
		"The key is disabled": "The key is disabled",
		"Key 'arn:aws:kms:us-east-1:012345678901:key/0123abcd' does not exist":                                     "Key 'arn:aws:kms:us-east-1:012345678901:key/0123abcd' does not exist",
		"The repository with name 'iam/asia-ecr-api' does not exist in the registry with id '012345678901'":        "The repository with name 'iam/asia-ecr-api' does not exist in the registry with id '012345678901'",
		"no arn:aws:ecr:us-east-1:012345678901:repository/asiapacificgroup1/a, AROA, ASIAN, AKIA-0123456789abcdef": "no arn:aws:ecr:us-east-1:012345678901:repository/asiapacificgroup1/a, AROA, ASIAN, AKIA-0123456789abcdef",
		long: long[:500] + "…",
	} {
		if got := said(t, "KmsException", message); got != want {
			t.Errorf("%.100q: the caller is told %.600q", message, got)
		}
	}
}
