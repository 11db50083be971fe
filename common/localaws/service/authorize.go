package service

import (
	"maps"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// Permission is an action on a resource that the caller of an operation must be
// allowed to do.
type Permission struct {
	Action   string // "ecr:CreateRepository"
	Resource string // an ARN
	// Owner is the account of the resource. A call to the resource of another
	// account is refused, since no resource here has a policy of its own that
	// could allow it. Owner is "" if something else checks the account, such as
	// the trust policy of a role.
	Owner string
	// Context holds the condition keys, except those about the caller.
	Context map[string][]string
}

// authorizeAll returns an error unless all kinds of policies of the caller allow
// all of the permissions.
func (c *Request) authorizeAll(permissions []Permission) error {
	for _, p := range permissions {
		if err := c.authorize(p); err != nil {
			return err
		}
	}
	return nil
}

// authorize returns an error unless all kinds of policies of the caller allow
// p.
func (c *Request) authorize(p Permission) error {
	if p.Owner != "" && p.Owner != c.Account {
		return c.Denied(p, " because no resource-based policy allows the "+p.Action+" action")
	}
	if c.Session == nil {
		return nil // the administrator
	}
	missing, request := "", c.PolicyRequest(p)
	for _, k := range c.Session.policies() {
		decision, err := policy.Decide(request, k.policies...)
		switch {
		case err != nil:
			return c.Denied(p, " because the "+k.kind+" policy cannot be decided: "+err.Error())
		case decision == policy.Deny:
			return c.Denied(p, " with an explicit deny in "+k.article+" "+k.kind+" policy")
		case decision != policy.Allow && missing == "":
			missing = k.kind
		}
	}
	if missing != "" {
		return c.Denied(p, " because no "+missing+" policy allows the "+p.Action+" action")
	}
	return nil
}

// Denied returns the refusal of a permission. The reason is added to the end of
// AWS's sentence, so it begins with a space.
func (c *Request) Denied(p Permission, reason string) error {
	return Errorf(codeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s%s",
		c.Principal, p.Action, p.Resource, reason)
}

// PolicyRequest returns the request that a policy decides for a permission.
func (c *Request) PolicyRequest(p Permission) policy.Request {
	return policy.Request{
		Action:    p.Action,
		Resource:  p.Resource,
		Principal: c.Principal,
		Context:   c.context(p),
	}
}

// context returns all condition keys of a permission.
func (c *Request) context(p Permission) map[string][]string {
	kind := "User"
	if c.Session != nil {
		kind = "AssumedRole"
	}
	context := map[string][]string{
		"aws:PrincipalAccount": {c.Caller.Account},
		"aws:PrincipalArn":     {c.Caller.Identity},
		"aws:PrincipalType":    {kind},
		"aws:userid":           {c.Caller.UserID},
		"aws:RequestedRegion":  {c.Region},
	}
	if p.Owner != "" {
		context["aws:ResourceAccount"] = []string{p.Owner}
	}
	if c.Caller.SourceIdentity != "" {
		context["aws:SourceIdentity"] = []string{c.Caller.SourceIdentity}
	}
	AddTags(context, "aws:PrincipalTag/", c.Caller.Tags)
	maps.Copy(context, p.Context)
	return context
}
