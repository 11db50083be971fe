package service

import (
	"maps"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// Permission is an action on a resource that the caller of an operation must be
// allowed to do.
type Permission struct {
	Action   string // "ecr:CreateRepository"
	Resource string // an ARN
	// Owner is the account of the resource. A call to the resource of another
	// account is refused unless ResourcePolicy allows it. Owner is "" if
	// something else checks the account, such as the trust policy of a role.
	Owner string
	// ResourcePolicy is the policy of the resource, nil if it has none.
	ResourcePolicy *policy.Policy
	// Context holds the condition keys, except those about the caller.
	Context map[string][]string
}

// authorizeAll returns an error unless the policies allow all of the
// permissions.
func (c *Request) authorizeAll(permissions []Permission) error {
	for _, p := range permissions {
		if err := c.authorize(p); err != nil {
			return err
		}
	}
	return nil
}

// authorize returns an error unless the policies of the caller and that of the
// resource allow p. A Deny in any of them refuses it.
func (c *Request) authorize(p Permission) error {
	request := c.PolicyRequest(p)
	silent, err := c.decideOwn(p, request)
	if err != nil {
		return err
	}
	match, err := c.decideResource(p, request)
	if err != nil {
		return err
	}
	if missing := c.missing(p, silent, match); missing != "" {
		return c.Denied(p, " because no "+missing+" allows the "+p.Action+" action")
	}
	return nil
}

// decideOwn returns the kinds of policies of the caller that do not allow p. The
// administrator has a policy that allows everything. The error is a refusal.
func (c *Request) decideOwn(p Permission, request policy.Request) (silent []string, err error) {
	if c.Session == nil {
		return nil, nil
	}
	for _, k := range c.Session.policies() {
		decision, err := policy.Decide(request, k.policies...)
		if refusal := c.refusal(p, k.article, k.kind, decision, err); refusal != nil {
			return nil, refusal
		}
		if decision != policy.Allow {
			silent = append(silent, k.kind)
		}
	}
	return silent, nil
}

// decideResource says whom the policy of the resource allows p, NoMatch if it
// does not allow it. The error is a refusal.
func (c *Request) decideResource(p Permission, request policy.Request) (policy.Match, error) {
	if p.ResourcePolicy == nil {
		return policy.NoMatch, nil
	}
	decision, match, err := policy.DecideResource(request, *p.ResourcePolicy)
	return match, c.refusal(p, "a", resourceBased, decision, err)
}

// refusal returns the error for a policy that denies p or cannot be decided, and
// nil for any other.
func (c *Request) refusal(p Permission, article, kind string, decision policy.Decision, err error) error {
	if err != nil {
		return c.Denied(p, " because the "+kind+" cannot be decided: "+err.Error())
	}
	if decision == policy.Deny {
		return c.Denied(p, " with an explicit deny in "+article+" "+kind)
	}
	return nil
}

// missing returns the kind of policy that should allow p and does not, or "" if
// p is allowed. Silent are the kinds of the caller's own policies that do not
// allow it, and match is how the policy of the resource does.
//
// In another account, both sides must allow. In the same account, one is enough,
// and it depends on the principal that the policy of the resource names:
//
//   - The account: its administrators decide. So the caller's own policies must
//     allow.
//   - The role of a session: it is as if a permission policy of the role
//     allowed. So the session policy must allow too.
//   - The session or the user itself: nothing else is needed, not even the
//     permissions boundary of a user. For everybody, "*", the documentation says
//     so where a condition names the role, "session policies do not limit
//     permissions granted". Whether it is so without a condition, it does not say.
//     Here it is, because a test must not rely on a limit that AWS perhaps does
//     not have.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
func (c *Request) missing(p Permission, silent []string, match policy.Match) string {
	if p.Owner != "" && p.Owner != c.Account {
		// AWS was seen to blame the policy of the resource also where that names
		// only the account, and the caller's permission policies do not allow.
		if match == policy.NoMatch || match == policy.MatchAccount && slices.Contains(silent, identityBased) {
			return resourceBased
		}
		return first(silent)
	}
	switch match {
	case policy.MatchCaller:
		return ""
	case policy.MatchRole:
		silent = slices.DeleteFunc(silent, func(kind string) bool { return kind == identityBased })
	}
	return first(silent)
}

func first(kinds []string) string {
	if len(kinds) == 0 {
		return ""
	}
	return kinds[0]
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
	context := map[string][]string{
		"aws:PrincipalAccount": {c.Caller.Account},
		"aws:PrincipalArn":     {c.Caller.Identity},
		"aws:PrincipalType":    {"AssumedRole"},
		"aws:userid":           {c.Caller.UserID},
		"aws:RequestedRegion":  {c.Region},
	}
	if p.Owner != "" {
		context["aws:ResourceAccount"] = []string{p.Owner}
	}
	if c.Caller.UserName != "" {
		context["aws:PrincipalType"] = []string{"User"}
		context["aws:username"] = []string{c.Caller.UserName}
	}
	if c.Caller.SourceIdentity != "" {
		context["aws:SourceIdentity"] = []string{c.Caller.SourceIdentity}
	}
	if c.Session.ofRole() {
		context["aws:TokenIssueTime"] = []string{c.Session.issued.UTC().Format(time.RFC3339)}
	}
	AddTags(context, "aws:PrincipalTag/", c.Caller.Tags)
	maps.Copy(context, p.Context)
	return context
}
