package check

import (
	"context"
	"errors"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
)

// users says how IAM users are set up in the account. It is "" if the
// configuration has none. Only the list of users can be tried without a change.
// It is never a failure, because the rest of the service works without users.
func (c *checker) users(ctx context.Context, registry common.Registry, identity string) string {
	boundary, on := c.config.Users.BoundaryIn(registry.Partition, registry.Account)
	switch {
	case c.config.Users.Boundary == "":
		return ""
	case !on:
		return "off (users.boundary is a policy of another account)"
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.RequestTimeout/5)
	defer cancel()
	session, err := c.session(ctx, registry, iam.Allow("*", "iam:ListUsers"), identity)
	if err != nil {
		return "not known: " + oneLine(err)
	}
	err = c.iam.TryList(ctx, session.Apply, "/spinup/"+c.config.Org+"/")
	switch {
	case isDenied(err):
		return "not set up: the role may not list them (config/aws/users-policy.json)"
	case err != nil:
		return "not known: iam: ListUsers failed: " + oneLine(errors.New(roles.Explain(err)))
	default:
		return "the role may list them; only a change tells whether " + boundary + " exists, and whether the role may do the rest"
	}
}
