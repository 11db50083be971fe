package local

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

const wantBanner = `ecr-api listens on http://127.0.0.1:8080
The local AWS listens on http://127.0.0.1:4566. It has the accounts 012345678901 and 210987654321. Everything in it is gone when this stops.

Paste these lines into another terminal:

  export API=http://127.0.0.1:8080/v1/ecr/012345678901/repositories
  export TOKEN='HASH'
  export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1

Then try these lines one by one: list the repositories, create one, show it, update it, list the images of spindev-00001/welcome, delete the new repository:

  curl -H "X-Auth-Token: $TOKEN" $API
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001 -d '{"RepositoryName": "dasher", "ScanOnPush": "true"}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X PUT -d '{"Tags": [{"Key": "Application", "Value": "sleigh"}]}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/welcome/images
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X DELETE

In a browser, http://127.0.0.1:8080/v1/ecr/docs shows the API and sends requests. Put the token under "Authorize".

The AWS command line works, too. It is the way to add images:

  aws sts get-caller-identity
  aws ecr put-image --repository-name spindev-00001/welcome --image-tag v3 --image-manifest '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"mediaType": "application/vnd.docker.container.image.v1+json"}, "layers": [{"size": 1024}]}'
  aws ecr describe-images --repository-name spindev-00001/welcome

The other account, 210987654321, has the role OrganizationAccountAccessRole. With these lines the command after "other" has the rights of that role:

  other() { env $(printf 'AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s' $(aws sts assume-role --role-arn arn:aws:iam::210987654321:role/OrganizationAccountAccessRole --role-session-name me --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]' --output text)) "$@"; }
  other aws ecr create-repository --repository-name spindev-00001/welcome

To see what happens when AWS fails: the first line makes it fail, the second ends all faults. docs/local-aws.md has more.

  curl $AWS_ENDPOINT_URL/faults -H 'Content-Type: application/json' -d '{"operation": "ecr:DescribeRepositories", "code": "ServerException", "status": 500}'
  curl $AWS_ENDPOINT_URL/faults -X DELETE

Ctrl-C ends both.
`

func TestPrintBanner(t *testing.T) {
	t.Parallel()
	c, err := common.ParseConfig(bytes.Replace(config.Local, []byte(`"token": "local"`), []byte(`"token": "the key"`), 1))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := PrintBanner(&out, c, "http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}`).FindString(out.String())
	if diff := cmp.Diff(wantBanner, strings.Replace(out.String(), token, "HASH", 1)); diff != "" {
		t.Errorf("banner (-want +got):\n%s", diff)
	}
	if err := bcrypt.CompareHashAndPassword([]byte(token), []byte("the key")); err != nil {
		t.Errorf("the token %s is not a hash of the key: %v", token, err)
	}
}

// ECR accepts the manifest in the banner.
func TestBannerManifest(t *testing.T) {
	t.Parallel()
	manifest := regexp.MustCompile(`--image-manifest '([^']+)'`).FindStringSubmatch(wantBanner)[1]
	out, err := ecr.New(newSession(t, start(t, StartSeededAWS))).PutImage(&ecr.PutImageInput{
		RepositoryName: aws.String("spindev-00001/welcome"), ImageTag: aws.String("v3"), ImageManifest: &manifest,
	})
	if err != nil {
		t.Fatal(err)
	}
	if tag := aws.StringValue(out.Image.ImageId.ImageTag); tag != "v3" {
		t.Errorf("the image has the tag %q", tag)
	}
}

func TestPrintBannerError(t *testing.T) {
	t.Parallel()
	c, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	if err := PrintBanner(failingWriter{full}, c, "http://127.0.0.1:8080"); !errors.Is(err, full) {
		t.Errorf("the error is %v, want %v", err, full)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
