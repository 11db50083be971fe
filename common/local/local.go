// Package local is for the flags -local and -local-aws. It runs a local AWS,
// and prints lines to paste that use it.
package local

import (
	"cmp"
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

// roleSeconds is how long a session of that role may last: twelve hours, as
// long as AWS allows.
const roleSeconds = 12 * 60 * 60

// accessRole is the role by which the administrator of the first account works
// in the others. AWS Organizations makes one of this name in each account that
// it creates, with all rights. Here it has those that can be used here.
const (
	accessRole        = "OrganizationAccountAccessRole"
	accessTrust       = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + localaws.AdministratorAccount + `"},"Action":"sts:AssumeRole"}}`
	accessPermissions = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:*","iam:*","inspector2:*"],"Resource":"*"}}`
)

// appRole is the role of an application of the group that owns the shop, with
// the group's tags. So it shows what sharing lets a group do. In the first account
// it may only log in to the registry, and the policy of a repository lets it pull.
// In the second it may pull too, because another account needs both.
const (
	appRole        = shopGroup + "-app"
	appPermissions = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}]}`
	appPullsToo    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
		`{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:*:*:repository/*"}]}`
)

// boundaryName is the managed policy that is the permissions boundary of the
// users that the service makes.
const boundaryName = "ecr-api-users"

// accounts are the accounts of the local AWS. Each has all three roles, and the
// boundary.
var accounts = []string{localaws.AdministratorAccount, "210987654321"}

// AWS is a running local AWS.
type AWS struct {
	URL    string
	aws    *localaws.Server
	server *http.Server
}

// RunAWS runs a local AWS with two accounts and no repositories on the address
// until ctx ends. It prints where the local AWS listens. The hosts are names by
// which it may be called, in addition to those of this machine.
func RunAWS(ctx context.Context, address string, hosts []string, stdout io.Writer) error {
	aws, err := startAWS(address, nil, hosts...)
	if err != nil {
		return err
	}
	defer aws.Close()
	fmt.Fprintf(stdout, "a local AWS listens on %s\n", aws.URL)
	<-ctx.Done()
	return nil
}

// checkAddress returns an error if other machines could call the local AWS and
// nobody has said that they may.
func checkAddress(address string, hosts []string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("-local-aws: %w", err)
	}
	if common.IsLoopback(address) || len(hosts) > 0 {
		return nil
	}
	return fmt.Errorf("-local-aws %s: other machines could reach this address, and every caller may do everything. "+
		"Listen on 127.0.0.1, or name with -allow-hosts the hosts by which it is called", address)
}

// StartSeededAWS starts a local AWS with two accounts, a repository and two
// images. Without an address it listens on a free port of loopback. The hosts
// are as in RunAWS. The files of pushed images are removed when ctx ends: Close
// does that too, but a second signal may end the process before it.
func StartSeededAWS(ctx context.Context, address string, hosts ...string) (*AWS, error) {
	a, err := startAWS(cmp.Or(address, "127.0.0.1:0"), seed, hosts...)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = a.aws.Close() }) // Close tells the error
	}
	return a, err
}

func startAWS(address string, seed seeding, hosts ...string) (*AWS, error) {
	if err := checkAddress(address, hosts); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	host := onThisMachine(listener.Addr().String())
	aws, err := newAWS(host, seed)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	a := &AWS{
		URL:    "http://" + host,
		aws:    aws,
		server: &http.Server{Handler: guard(aws, hosts...), ReadHeaderTimeout: 10 * time.Second},
	}
	go a.server.Serve(listener) // until Close
	return a, nil
}

// seeding adds what a local AWS has from the start. It may be nil.
type seeding func(*localaws.Server, *common.Config) error

// newAWS returns a local AWS that docker reaches at the host.
func newAWS(host string, seed seeding) (*localaws.Server, error) {
	c, err := Config()
	if err != nil {
		return nil, err
	}
	aws, err := localaws.New(localaws.Options{Roles: Roles(), RegistryHost: host})
	if err != nil {
		return nil, err
	}
	err = addBoundary(aws)
	if err == nil && seed != nil {
		err = seed(aws, c)
	}
	if err != nil {
		return nil, errors.Join(err, aws.Close())
	}
	return aws, nil
}

// addBoundary adds the permissions boundary of users to all accounts.
func addBoundary(aws *localaws.Server) error {
	var errs []error
	for _, account := range accounts {
		errs = append(errs, aws.AddManagedPolicy(account, boundaryName, config.UsersBoundary))
	}
	return errors.Join(errs...)
}

// onThisMachine returns the address at which this machine reaches a listener.
// A listener on all addresses has the unspecified one, which nothing should be
// sent to.
func onThisMachine(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// Close stops the local AWS. Everything in it is gone.
func (a *AWS) Close() error { return errors.Join(a.server.Close(), a.aws.Close()) }

// Config returns the configuration of -local.
func Config() (*common.Config, error) { return common.ParseConfig(config.Local, nil) }

// Roles returns the roles of the local AWS: the service's, the administrator's
// and an application's, in each account.
func Roles() []localaws.Role {
	var roles []localaws.Role
	for i, account := range accounts {
		roles = append(roles, localaws.Role{
			Account:     account,
			Name:        roleName,
			Trust:       config.TrustPolicy,
			Permissions: []string{config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy, config.UsersPolicy},

			MaxSessionDuration: roleSeconds,
		}, localaws.Role{
			Account:     account,
			Name:        accessRole,
			Trust:       accessTrust,
			Permissions: []string{accessPermissions},
		}, localaws.Role{
			Account:     account,
			Name:        appRole,
			Trust:       accessTrust,
			Permissions: []string{[]string{appPermissions, appPullsToo}[i]},
			Tags:        map[string]string{common.OrgTag: "spindev", "spinup:spaceid": shopGroup},
		})
	}
	return roles
}

const (
	seedGroup = "spindev-00001"
	seedName  = "welcome"
)

// seed adds a repository with two images, so that the first requests show
// something, and the shop.
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
			Tags: []string{"v1"}, Files: welcome("v1"), PushedAt: now.Add(-24 * time.Hour),
			Scan: &localaws.Scan{
				CompletedAt: now.Add(-23 * time.Hour),
				Findings:    []localaws.Finding{{Name: "CVE-2020-1971", Severity: "MEDIUM"}},
			},
		}),
		aws.AddImage(account, region, name, localaws.Image{
			Tags: []string{"v2", "latest"}, Files: welcome("v2"), PushedAt: now.Add(-time.Hour),
		}),
		seedShops(aws, c),
	)
}

// welcome returns the files of an image. It can be pulled and looked at, and has
// nothing to run.
func welcome(version string) map[string]string {
	return map[string]string{"welcome.txt": "This is " + version + " of an image in the local AWS.\n"}
}
