package local

import (
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/YaleSpinup/ecr-api/common"
)

var banner = template.Must(template.New("banner").Parse(`ecr-api listens on {{.API}}
The local AWS listens on {{.AWS}}. It has the accounts {{index .Accounts 0}} and {{index .Accounts 1}}. Everything in it is gone when this stops.

Paste these lines into another terminal:

  export API={{.API}}/v1/ecr/{{index .Accounts 0}}/repositories
  export TOKEN='{{.Token}}'
  export AWS_ENDPOINT_URL={{.AWS}} AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION={{.Region}}
  export REGISTRY={{.Registry}}

Then try these lines one by one: list the repositories, create one, show it, update it, list the images of {{.Seed}}, delete the new repository:

  curl -H "X-Auth-Token: $TOKEN" $API
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001 -d '{"RepositoryName": "dasher", "ScanOnPush": "true"}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X PUT -d '{"Tags": [{"Key": "Application", "Value": "sleigh"}]}'
  curl -H "X-Auth-Token: $TOKEN" $API/{{.Seed}}/images
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X DELETE

In a browser, {{.API}}/v1/ecr/docs shows the API and sends requests. Put the token under "Authorize".

Docker can push and pull. The first line logs in with credentials for one repository:

  curl -sS -H "X-Auth-Token: $TOKEN" $API/{{.Seed}}/credentials -d '{"Access": "push"}' | jq -r .Password | docker login -u AWS --password-stdin $REGISTRY
  docker pull $REGISTRY/{{index .Accounts 0}}/{{.Region}}/{{.Seed}}

The AWS command line works, too. Its last line logs in with all the rights of the administrator:

  aws sts get-caller-identity
  aws ecr describe-images --repository-name {{.Seed}}
  aws ecr get-login-password | docker login -u AWS --password-stdin $REGISTRY

The other account, {{index .Accounts 1}}, has the role {{.AccessRole}}. With these lines the command after "other" has the rights of that role:

  other() { env $(printf 'AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=%s' $(aws sts assume-role --role-arn arn:aws:iam::{{index .Accounts 1}}:role/{{.AccessRole}} --role-session-name me --query 'Credentials.[AccessKeyId, SecretAccessKey, SessionToken]' --output text)) "$@"; }
  other aws ecr create-repository --repository-name {{.Seed}}

To see what happens when AWS fails: the first line makes it fail, the second ends all faults. docs/local-aws.md has more.

  curl $AWS_ENDPOINT_URL/faults -H 'Content-Type: application/json' -d '{"operation": "ecr:DescribeRepositories", "code": "ServerException", "status": 500}'
  curl $AWS_ENDPOINT_URL/faults -X DELETE

Ctrl-C ends both.
`))

// PrintBanner writes the URLs of the service and the local AWS, and lines to
// paste that use them, with a valid token.
func PrintBanner(w io.Writer, c *common.Config, apiURL string) error {
	token, err := c.Token[0].NewToken()
	if err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	return banner.Execute(w, map[string]any{
		"API":        "http://" + onThisMachine(strings.TrimPrefix(apiURL, "http://")),
		"AWS":        c.Account.Endpoint,
		"Accounts":   accounts,
		"AccessRole": accessRole,
		"Registry":   strings.TrimPrefix(c.Account.Endpoint, "http://"),
		"Region":     c.Account.Region,
		"Seed":       seedGroup + "/" + seedName,
		"Token":      token,
	})
}
