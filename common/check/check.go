// Package check finds out whether the service can work with a configuration:
// whether STS knows it, and what it may do in each account.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"github.com/YaleSpinup/ecr-api/iam/users"
	"golang.org/x/sync/errgroup"
)

const (
	atOnce       = 8                // accounts
	identityTime = 15 * time.Second // of all attempts of GetCallerIdentity
)

// Warnings returns what the configuration may have but should not, one line for
// each. The file may be empty.
func Warnings(config *common.Config, file string) []string {
	warnings := config.Warnings(time.Now())
	if warning := common.FileWarning(file); warning != "" {
		warnings = append(warnings, warning)
	}
	if warning := boundaryWarning(config); warning != "" {
		warnings = append(warnings, warning)
	}
	region := config.Account.Region
	switch nearest, known := roles.NearestRegion(region); {
	case known:
	case nearest == "":
		warnings = append(warnings, fmt.Sprintf("account.region %q is not a region that this version knows", region))
	default:
		warnings = append(warnings, fmt.Sprintf("account.region %q is not a region that this version knows: did you mean %q?", region, nearest))
	}
	return warnings
}

// STS asks STS who this service is. The error says what to mend.
func STS(ctx context.Context, config *common.Config) error {
	c, err := newChecker(config)
	if err != nil {
		return err
	}
	_, err = c.identity(ctx)
	return err
}

// Run does what the service does for a request, short of a change, in each
// account. It writes a line for each: that all is well, or what to mend. The
// accounts are ids or aliases; without any they are those of the configuration.
// Run returns an error if not all is well.
func Run(ctx context.Context, config *common.Config, file string, accounts []string, out io.Writer) error {
	for _, warning := range Warnings(config, file) {
		fmt.Fprintln(out, "warning:", warning)
	}
	c, err := newChecker(config)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "identity:", identity)
	if len(accounts) == 0 {
		accounts = slices.Sorted(maps.Keys(config.Accounts))
	}
	if len(accounts) == 0 && config.Accounts != nil {
		return errors.New("accounts is empty: no account may be used")
	}
	if len(accounts) == 0 {
		fmt.Fprintln(out, "no account is checked: the configuration names none. To check one: ecr-api -check 012345678901")
		return nil
	}
	labels := make([]string, len(accounts))
	for i, name := range accounts {
		labels[i] = name
		if id, ok := config.AccountID(name); ok && id != name {
			labels[i] += " (" + id + ")"
		}
	}
	return report(out, labels, c.accounts(ctx, accounts, identity))
}

// A result is what the check of an account found.
type result struct {
	err        error  // nil if the account can be used
	noIdentity bool   // the role takes no source identity
	noDocker   bool   // the role may not log in to the registry
	scanning   string // what scans the registry's images, in words
	users      string // how IAM users are set up, in words; "" if the configuration has none
}

// String returns it in one line.
func (r result) String() string {
	switch {
	case r.err != nil:
		return oneLine(r.err)
	case r.noIdentity:
		return "good, but sts:SetSourceIdentity is not allowed: CloudTrail will not show which key the calls are for (docs/aws.md); " + r.parts()
	default:
		return "good; " + r.parts()
	}
}

// parts says how the parts of the service that can be left out are set up.
func (r result) parts() string {
	docker := "docker credentials: set up"
	if r.noDocker {
		docker = "docker credentials: not set up (config/aws/credentials-policy.json)"
	}
	parts := docker + "; image scanning: " + r.scanning
	if r.users != "" {
		parts += "; users: " + r.users
	}
	return parts
}

// report writes a line for each account.
func report(out io.Writer, labels []string, results []result) error {
	bad := 0
	for i, r := range results {
		if r.err != nil {
			bad++
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", labels[i], r); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d accounts cannot be used", bad, len(labels))
	}
	return nil
}

// A checker calls AWS as the service does.
type checker struct {
	config   *common.Config
	roles    *roles.Roles
	ecr      *ecr.API
	iam      *users.API
	observer *observer
}

func newChecker(config *common.Config) (*checker, error) {
	o := &observer{}
	sdk, err := roles.NewSDKSession(config, o)
	if err != nil {
		return nil, err
	}
	r, err := roles.New(sdk, config, o)
	if err != nil {
		return nil, err
	}
	return &checker{config: config, roles: r, ecr: ecr.New(sdk), iam: users.New(sdk), observer: o}, nil
}

func (c *checker) identity(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTime)
	defer cancel()
	return c.roles.Identity(ctx)
}

// accounts returns what was found in each account.
func (c *checker) accounts(ctx context.Context, names []string, identity string) []result {
	results := make([]result, len(names))
	var checks errgroup.Group
	checks.SetLimit(atOnce)
	for i, name := range names {
		checks.Go(func() error {
			results[i] = c.account(ctx, name, identity)
			return nil
		})
	}
	_ = checks.Wait() // the errors are in results
	for i, name := range names {
		id, _ := c.config.AccountID(name)
		_, results[i].noIdentity = c.observer.noIdentity.Load(id)
	}
	return results
}

// account does in an account what the service does for requests there.
func (c *checker) account(ctx context.Context, name, identity string) result {
	id, ok := c.config.AccountID(name)
	if !ok && c.config.Accounts == nil {
		return result{err: errors.New("this is not an account id (twelve digits)")}
	}
	if !ok {
		return result{err: errors.New("accounts in the configuration has neither an alias nor an id like this")}
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.RequestTimeout)
	defer cancel()
	region := c.config.Account.Region
	registry := common.Registry{Partition: roles.Partition(region), Region: region, Account: id}
	if err := c.describe(ctx, registry, identity); err != nil {
		return result{err: err}
	}
	denied, err := c.logIn(ctx, registry, identity)
	if err != nil {
		return result{err: err}
	}
	users, err := c.users(ctx, registry, identity)
	return result{err: err, noDocker: denied, scanning: c.scanning(ctx, registry, identity), users: users}
}

// describe assumes the role and lists a repository.
func (c *checker) describe(ctx context.Context, registry common.Registry, identity string) error {
	scope := iam.Scope{Registry: registry, Org: c.config.Org}
	client, err := c.client(ctx, registry, iam.Allow(scope.AllRepositories(), "ecr:DescribeRepositories"), identity)
	if err != nil {
		return err
	}
	err = client.TryDescribe(ctx)
	if isDenied(err) {
		return errors.New("ecr: DescribeRepositories denied: the role's permissions (config/aws/role-policy.json), or a policy of the organization")
	}
	return whyNot("DescribeRepositories", err)
}

// logIn assumes the role and gets a password for docker, which nobody sees. Its
// session may do nothing else, so the password is good for nothing. It is no
// error if ECR denies it: the account need not be set up for it.
func (c *checker) logIn(ctx context.Context, registry common.Registry, identity string) (denied bool, err error) {
	client, err := c.client(ctx, registry, iam.Allow("*", "ecr:GetAuthorizationToken"), identity)
	if err != nil {
		return false, err
	}
	_, err = client.Login(ctx)
	if isDenied(err) {
		return true, nil
	}
	return false, whyNot("GetAuthorizationToken", err)
}

// scanning says what scans the images of the registry. If that is Amazon
// Inspector, the role needs more permissions, which cannot be tried without an
// image. It is never a failure: the rest of the service works without them. So it
// does not wait for an answer as long as the service would.
func (c *checker) scanning(ctx context.Context, registry common.Registry, identity string) string {
	ctx, cancel := context.WithTimeout(ctx, c.config.RequestTimeout/5)
	defer cancel()
	client, err := c.client(ctx, registry, iam.Allow("*", "ecr:GetRegistryScanningConfiguration"), identity)
	if err != nil {
		return "not known: " + oneLine(err)
	}
	enhanced, err := client.HasEnhancedScanning(ctx)
	switch {
	case isDenied(err):
		return "not known: the role may not ask, so findings of enhanced scanning are not set up (config/aws/inspector-policy.json)"
	case err != nil:
		return "not known: " + oneLine(whyNot("GetRegistryScanningConfiguration", err))
	case enhanced:
		return "enhanced (Amazon Inspector), and the role needs config/aws/inspector-policy.json for its findings"
	default:
		return "basic"
	}
}

// oneLine returns the error's message without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// client returns a client in a session that may do what the statement allows.
func (c *checker) client(ctx context.Context, registry common.Registry, may iam.Statement, identity string) (*ecr.Client, error) {
	session, err := c.session(ctx, registry, may, identity)
	if err != nil {
		return nil, err
	}
	return c.ecr.Client(registry, session.Apply), nil
}

// session assumes the role for a session that may do what the statement allows.
func (c *checker) session(ctx context.Context, registry common.Registry, may iam.Statement, identity string) (*roles.Session, error) {
	policy := iam.NewPolicy(may)
	session := c.roles.Session(roles.Want{Registry: registry, Policy: policy.String(), Key: c.config.Token[0].Name, Listed: true})
	return session, session.Assume(ctx, identity)
}

func isDenied(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && strings.HasPrefix(e.AWSCode, "AccessDenied")
}

// whyNot says what to mend if a call to ECR failed.
func whyNot(operation string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New("ecr: " + operation + " failed: " + roles.ExplainInSession(err))
}

// An observer notes the accounts whose role takes no source identity.
type observer struct{ noIdentity sync.Map }

// The methods of a roles.Observer.
func (o *observer) Called(context.Context, roles.Call)   {}
func (o *observer) SessionRequested(roles.SessionResult) {}
func (o *observer) LimitReached(roles.Limit)             {}
func (o *observer) NoSourceIdentity(account string)      { o.noIdentity.Store(account, true) }
