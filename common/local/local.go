// Package local is what -local and -local-aws add to the service: an AWS of its
// own on a loopback port, and the lines to paste that use it.
package local

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"text/template"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
)

// roleName is the role of config.local.json.
const roleName = "ecr-api"

// The accounts that exist in the local AWS. Each has that role.
var accounts = []string{localaws.AdministratorAccount, "210987654321"}

// AWS is an AWS that listens.
type AWS struct {
	URL    string
	server *http.Server
}

// StartAWS starts an AWS with two accounts and no repositories at the address,
// such as 127.0.0.1:0 for any free port. The error is that the port is taken.
func StartAWS(address string) (*AWS, error) {
	return startAWS(address, nil)
}

// StartSeededAWS is StartAWS with a repository and two images from the start.
func StartSeededAWS(address string) (*AWS, error) {
	return startAWS(address, seed)
}

func startAWS(address string, seed func(*localaws.Server, *common.Config) error) (*AWS, error) {
	c, err := Config()
	if err != nil {
		return nil, err
	}
	aws, err := localaws.New(localaws.Options{Roles: Roles()})
	if err != nil {
		return nil, err
	}
	if seed != nil {
		if err := seed(aws, c); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	a := &AWS{
		URL:    "http://" + listener.Addr().String(),
		server: &http.Server{Handler: aws, ReadHeaderTimeout: 10 * time.Second},
	}
	go a.server.Serve(listener) // until Close
	return a, nil
}

// Close stops it; what it held is gone.
func (a *AWS) Close() error { return a.server.Close() }

// Config returns the configuration of local mode.
func Config() (*common.Config, error) { return common.ParseConfig(config.Local) }

// Roles are the roles of the local AWS: one in each account.
func Roles() []localaws.Role {
	var list []localaws.Role
	for _, account := range accounts {
		list = append(list, localaws.Role{
			Account:     account,
			Name:        roleName,
			Trust:       config.TrustPolicy,
			Permissions: config.RolePolicy,
		})
	}
	return list
}

const (
	seedGroup = "spindev-00001"
	seedName  = "welcome"
)

// seed adds what is there to look at before anything was created.
func seed(aws *localaws.Server, c *common.Config) error {
	name := seedGroup + "/" + seedName
	account, region, now := accounts[0], c.Account.Region, time.Now()
	return errors.Join(
		aws.AddRepository(account, region, name, map[string]string{
			"Name":           name,
			"spinup:org":     c.Org,
			"spinup:spaceid": seedGroup,
		}),
		aws.AddImage(account, region, name, localaws.Image{
			Tags: []string{"v1"}, Size: 16093514, PushedAt: now.Add(-24 * time.Hour),
			Scan: &localaws.Scan{
				CompletedAt: now.Add(-23 * time.Hour),
				Findings:    []localaws.Finding{{Name: "CVE-2020-1971", Severity: "MEDIUM"}},
			},
		}),
		aws.AddImage(account, region, name, localaws.Image{
			Tags: []string{"v2", "latest"}, Size: 16100210, PushedAt: now.Add(-time.Hour),
		}),
	)
}

var banner = template.Must(template.New("banner").Parse(`ecr-api listens on {{.API}}
its own AWS on {{.AWS}} (accounts {{index .Accounts 0}} and {{index .Accounts 1}}; all is gone when this stops)

Paste this into another terminal:

  export API={{.API}}/v1/ecr/{{index .Accounts 0}}/repositories
  export TOKEN='{{.Token}}'
  export AWS_ENDPOINT_URL={{.AWS}} AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION={{.Region}}

Then, one by one: list, create, show, update, list the images of, and delete a repository:

  curl -H "X-Auth-Token: $TOKEN" $API
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001 -d '{"RepositoryName": "dasher", "ScanOnPush": "true"}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X PUT -d '{"Tags": [{"Key": "Application", "Value": "sleigh"}]}'
  curl -H "X-Auth-Token: $TOKEN" $API/{{.Seed}}/images
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X DELETE

Or read and try it in a browser, with the token under "Authorize": {{.API}}/v1/ecr/docs

And with the AWS command line, which is how images get in:

  aws sts get-caller-identity
  aws ecr put-image --repository-name {{.Seed}} --image-tag v3 --image-manifest '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"mediaType": "application/vnd.docker.container.image.v1+json"}, "layers": [{"size": 1024}]}'
  aws ecr describe-images --repository-name {{.Seed}}

And to see what happens when AWS fails, one line that makes it fail and one that takes all faults away (the README has more):

  curl $AWS_ENDPOINT_URL/faults -d '{"operation": "ecr:DescribeRepositories", "code": "ServerException", "status": 500}'
  curl $AWS_ENDPOINT_URL/faults -X DELETE

Ctrl-C ends both.
`))

// PrintBanner writes where the service and its AWS listen, and lines to paste
// that use them, with a token that works.
func PrintBanner(w io.Writer, c *common.Config, apiURL string) error {
	token, err := c.Token[0].NewToken()
	if err != nil {
		return fmt.Errorf("making a token: %w", err)
	}
	return banner.Execute(w, map[string]any{
		"API":      apiURL,
		"AWS":      c.Account.Endpoint,
		"Accounts": accounts,
		"Region":   c.Account.Region,
		"Seed":     seedGroup + "/" + seedName,
		"Token":    token,
	})
}
