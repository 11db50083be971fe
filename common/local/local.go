// Package local is for the flags -local and -local-aws. It runs a local AWS,
// and prints lines to paste that use it.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
)

// roleName is the role that config.local.json names.
const roleName = "ecr-api"

// accounts are the accounts of the local AWS. Each has the role.
var accounts = []string{localaws.AdministratorAccount, "210987654321"}

// AWS is a running local AWS.
type AWS struct {
	URL    string
	server *http.Server
}

// RunAWS runs a local AWS with two accounts and no repositories on the address
// until ctx ends. It prints where the local AWS listens.
func RunAWS(ctx context.Context, address string, stdout io.Writer) error {
	aws, err := startAWS(address, nil)
	if err != nil {
		return err
	}
	defer aws.Close()
	fmt.Fprintf(stdout, "a local AWS listens on %s\n", aws.URL)
	<-ctx.Done()
	return nil
}

// StartSeededAWS starts a local AWS with two accounts, a repository and two
// images. An address such as 127.0.0.1:0 means any free port.
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

// Close stops the local AWS. Everything in it is gone.
func (a *AWS) Close() error { return a.server.Close() }

// Config returns the configuration of -local.
func Config() (*common.Config, error) { return common.ParseConfig(config.Local) }

// Roles returns the roles of the local AWS: one in each account.
func Roles() []localaws.Role {
	var roles []localaws.Role
	for _, account := range accounts {
		roles = append(roles, localaws.Role{
			Account:     account,
			Name:        roleName,
			Trust:       config.TrustPolicy,
			Permissions: config.RolePolicy,
		})
	}
	return roles
}

const (
	seedGroup = "spindev-00001"
	seedName  = "welcome"
)

// seed adds a repository with two images, so that the first requests show
// something.
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
