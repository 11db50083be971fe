package check

import (
	"context"
	"errors"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
)

// boundaryWarning returns a warning if the boundary of users is a policy that no
// account of the service has. Otherwise it is empty.
func boundaryWarning(config *common.Config) string {
	where, account := config.Users.BoundaryPlace()
	partition := roles.Partition(config.Account.Region)
	switch _, known := config.AccountID(account); {
	case account == "": // each account may have it, or there is none
		return ""
	case where != partition:
		return "users.boundary is a policy of the partition " + where + ", and the service is in " + partition + ": there are no users in any account"
	case !known:
		return "users.boundary is a policy of the account " + account + ", which is not in accounts: there are no users in any account"
	default:
		return ""
	}
}

// users says how IAM users are set up in the account. It is "" if the
// configuration has none. Only the list of users can be tried without a change.
// It is an error if the role may not list them: a repository is deleted after its
// users, so none can be deleted.
func (c *checker) users(ctx context.Context, registry common.Registry, identity string) (words string, err error) {
	boundary, on := c.config.Users.BoundaryIn(registry.Partition, registry.Account)
	switch {
	case c.config.Users.Boundary == "":
		return "", nil
	case !on:
		return "off (users.boundary is a policy of another account or partition)", nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.RequestTimeout/5)
	defer cancel()
	session, err := c.session(ctx, registry, iam.Allow("*", "iam:ListUsers"), identity)
	if err != nil {
		return "not known: " + oneLine(err), nil
	}
	err = c.iam.TryList(ctx, session.Apply, "/spinup/"+c.config.Org+"/")
	switch {
	case isDenied(err):
		return "", errors.New("iam: ListUsers denied, so repositories cannot be deleted there: give the role the permissions for users (config/aws/users-policy.json), or leave users.boundary out of the configuration")
	case err != nil:
		return "not known: iam: ListUsers failed: " + oneLine(errors.New(roles.Explain(err))), nil
	default:
		return "the role may list them; only a change tells whether " + boundary + " exists, and whether the role may do the rest", nil
	}
}
