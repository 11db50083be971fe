package localaws

import (
	"maps"
	"slices"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// permission is one thing that the caller of an operation must be allowed.
type permission struct {
	action   string
	resource string
	// owner is the account of the resource. Nobody may touch another account's, since there are no
	// repository policies here; "" where the resource has a policy of its own.
	owner string
	// context are the condition keys beside those that tell of the caller.
	context map[string][]string
}

// authorize reports an error unless every kind of policy of the caller allows p.
func (c *call) authorize(p permission) error {
	if p.owner != "" && p.owner != c.Account {
		return c.denied(p, " because no resource-based policy allows the "+p.action+" action")
	}
	session := c.principal.session
	if session == nil {
		return nil
	}
	r := policy.Request{
		Action:    p.action,
		Resource:  p.resource,
		Principal: c.Principal,
		Context:   c.context(p),
	}
	missing := ""
	for _, k := range session.policies() {
		decision, err := policy.Decide(r, k.policy)
		switch {
		case err != nil:
			return c.denied(p, " because the "+k.kind+" policy cannot be decided: "+err.Error())
		case decision == policy.Deny:
			return c.denied(p, " with an explicit deny in "+k.article+" "+k.kind+" policy")
		case decision != policy.Allow && missing == "":
			missing = k.kind
		}
	}
	if missing != "" {
		return c.denied(p, " because no "+missing+" policy allows the "+p.action+" action")
	}
	return nil
}

// denied is the refusal of p.
func (c *call) denied(p permission, reason string) error {
	return fail(codeAccessDenied, "User: %s is not authorized to perform: %s on resource: %s%s",
		c.Principal, p.action, p.resource, reason)
}

// context returns the condition keys of a request for p.
func (c *call) context(p permission) map[string][]string {
	kind := "User"
	if c.principal.session != nil {
		kind = "AssumedRole"
	}
	context := map[string][]string{
		"aws:PrincipalAccount": {c.principal.account},
		"aws:PrincipalArn":     {c.principal.identity},
		"aws:PrincipalType":    {kind},
		"aws:userid":           {c.principal.userID},
		"aws:RequestedRegion":  {c.Region},
	}
	if p.owner != "" {
		context["aws:ResourceAccount"] = []string{p.owner}
	}
	addTags(context, "aws:PrincipalTag/", c.principal.tags)
	maps.Copy(context, p.context)
	return context
}

func addTags(context map[string][]string, prefix string, tags map[string]string) {
	for key, value := range tags {
		context[prefix+key] = []string{value}
	}
}

// addRequestTags adds the tags that a request brings.
func addRequestTags(context map[string][]string, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	addTags(context, "aws:RequestTag/", tags)
	context["aws:TagKeys"] = slices.Sorted(maps.Keys(tags))
}
