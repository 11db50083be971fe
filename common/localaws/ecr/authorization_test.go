//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"encoding/base64"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestGetAuthorizationToken(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	ask := func(policy string) (*ecr.GetAuthorizationTokenOutput, error) {
		client := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, policy, nil)))
		return client.GetAuthorizationToken(&ecr.GetAuthorizationTokenInput{})
	}
	out, err := ask(document(allowing("*", "ecr:GetAuthorizationToken")))
	awstest.Must(t, err)
	data := out.AuthorizationData[0]
	login, err := base64.StdEncoding.DecodeString(*data.AuthorizationToken)
	awstest.Must(t, err)
	if !regexp.MustCompile(`^AWS:[A-Z0-9]{70,}$`).Match(login) {
		t.Errorf("the token is %q", login)
	}
	if want := awstest.Noon.Add(12 * time.Hour); !data.ExpiresAt.Equal(want) {
		t.Errorf("it expires at %v, want %v", data.ExpiresAt, want)
	}
	if want := "https://210987654321.dkr.ecr.us-east-1.amazonaws.com"; *data.ProxyEndpoint != want {
		t.Errorf("the endpoint is %s, want %s", *data.ProxyEndpoint, want)
	}
	for _, policy := range []string{
		document(allowing("*", "ecr:BatchGetImage")),
		document(allowing("arn:aws:ecr:*:*:repository/*", "ecr:GetAuthorizationToken")),
	} {
		_, err := ask(policy)
		awstest.WantError(t, policy, err, "AccessDeniedException",
			"is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no session policy allows")
	}
}
