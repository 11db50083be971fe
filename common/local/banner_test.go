package local

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

const wantBanner = `ecr-api listens on http://127.0.0.1:8080
The local AWS listens on http://127.0.0.1:4566. It has the accounts 012345678901 and 210987654321. Everything in it is gone when this stops.

Paste these lines into another terminal:

  export API=http://127.0.0.1:8080/v1/ecr/012345678901/repositories
  export TOKEN='HASH'
  export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1
  export REGISTRY=127.0.0.1:4566

Then try these lines one by one: list the repositories, create one, show it, update it, list the images of spindev-00001/welcome, delete the new repository:

  curl -H "X-Auth-Token: $TOKEN" $API
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001 -d '{"RepositoryName": "dasher", "ScanOnPush": "true"}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X PUT -d '{"Tags": [{"Key": "Application", "Value": "sleigh"}]}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/welcome/images
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X DELETE

In a browser, http://127.0.0.1:8080/v1/ecr/docs shows the API and sends requests. Put the token under "Authorize".

Docker can push and pull. The first line logs in with credentials for one repository:

  curl -sS -H "X-Auth-Token: $TOKEN" $API/spindev-00001/welcome/credentials -d '{"Access": "push"}' | jq -r .Password | docker login -u AWS --password-stdin $REGISTRY
  docker pull $REGISTRY/012345678901/us-east-1/spindev-00001/welcome

The AWS command line works, too. Its last line logs in with all the rights of the administrator:

  aws sts get-caller-identity
  aws ecr describe-images --repository-name spindev-00001/welcome
  aws ecr get-login-password | docker login -u AWS --password-stdin $REGISTRY

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
	c, err := common.ParseConfig(bytes.Replace(config.Local, []byte(`"token": "local"`), []byte(`"token": "the key"`), 1), nil)
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
