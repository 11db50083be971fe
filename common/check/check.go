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
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"golang.org/x/sync/errgroup"
)

const (
	atOnce       = 8                // accounts
	identityTime = 15 * time.Second // of all attempts of GetCallerIdentity
)

// Warnings returns what the configuration may have but should not, one line for
// each. The file may be empty.
func Warnings(config *common.Config, file string) []string {
	warnings := config.Warnings()
	if warning := common.FileWarning(file); warning != "" {
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

// report writes a line for each account.
func report(out io.Writer, labels []string, results []error) error {
	bad := 0
	for i, err := range results {
		said := "good"
		if err != nil {
			bad++
			said = strings.Join(strings.Fields(err.Error()), " ")
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", labels[i], said); err != nil {
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
	config *common.Config
	roles  *roles.Roles
	ecr    *ecr.API
}

func newChecker(config *common.Config) (*checker, error) {
	sdk, err := roles.NewSDKSession(config, nobody{})
	if err != nil {
		return nil, err
	}
	r, err := roles.New(sdk, config, nobody{})
	if err != nil {
		return nil, err
	}
	return &checker{config: config, roles: r, ecr: ecr.New(sdk)}, nil
}

func (c *checker) identity(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTime)
	defer cancel()
	return c.roles.Identity(ctx)
}

// accounts returns what is wrong with each account, nil for those that are
// good.
func (c *checker) accounts(ctx context.Context, names []string, identity string) []error {
	results := make([]error, len(names))
	var checks errgroup.Group
	checks.SetLimit(atOnce)
	for i, name := range names {
		checks.Go(func() error {
			results[i] = c.account(ctx, name, identity)
			return nil
		})
	}
	_ = checks.Wait() // the errors are in results
	return results
}

// account assumes the role of an account and lists a repository there.
func (c *checker) account(ctx context.Context, name, identity string) error {
	id, ok := c.config.AccountID(name)
	if !ok && c.config.Accounts == nil {
		return errors.New("this is not an account id (twelve digits)")
	}
	if !ok {
		return errors.New("accounts in the configuration has neither an alias nor an id like this")
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.RequestTimeout)
	defer cancel()
	region := c.config.Account.Region
	registry := common.Registry{Partition: roles.Partition(region), Region: region, Account: id}
	scope := iam.Scope{Registry: registry, Org: c.config.Org}
	policy := iam.NewPolicy(iam.Allow(scope.AllRepositories(), "ecr:DescribeRepositories"))
	session := c.roles.Session(roles.Want{Registry: registry, Policy: policy.String(), Listed: true})
	if err := session.Assume(ctx, identity); err != nil {
		return err
	}
	return whyNot(c.ecr.Client(registry, session.Apply).TryDescribe(ctx))
}

// whyNot says what to mend if the role was assumed and ECR refuses it.
func whyNot(err error) error {
	var e *common.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && strings.HasPrefix(e.AWSCode, "AccessDenied"):
		return errors.New("ecr: DescribeRepositories denied: the role's permissions (config/aws/role-policy.json), or a policy of the organization")
	default:
		return errors.New("ecr: DescribeRepositories failed: " + roles.Explain(err))
	}
}

// nobody observes nothing.
type nobody struct{}

func (nobody) Called(context.Context, roles.Call)   {}
func (nobody) SessionRequested(roles.SessionResult) {}
func (nobody) LimitReached(roles.Limit)             {}
func (nobody) NoSourceIdentity(string)              {}
