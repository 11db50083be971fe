// Package policy decides requests by the policies of IAM. It knows the part of
// IAM's policy language that the policies of this service use: session
// policies, permission policies, trust policies and policies of resources.
//
// It is stricter than IAM. An unknown element, operator, condition key or
// variable is an error, so that no test passes because of a misspelt name in a
// policy. A new condition key is added in key.go, a new operator in
// condition.go.
package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Policy is a parsed document. The zero value allows nothing.
type Policy struct {
	statements []statement
}

// Principals returns the accounts, users, roles and sessions that the policy
// names, by their ids or ARNs. The unique id of a user or role is among them.
func (p Policy) Principals() []string {
	var names []string
	for _, s := range p.statements {
		for _, named := range []*principals{s.principals, s.notPrincipals} {
			if named != nil {
				names = append(names, named.names...)
			}
		}
	}
	return names
}

// Request is a request that a policy allows or denies.
type Request struct {
	Action    string // "ecr:CreateRepository"
	Resource  string // an ARN, or "*" for an action without a resource
	Principal string // ARN of the caller; permission and session policies do not look at it

	// Context holds the values of the condition keys of the request. The case
	// of their names makes no difference, also in tag keys that are part of a
	// name. An absent key is not in the map, or has no values.
	Context map[string][]string
}

// Decision is what one or more policies decide about a request.
type Decision int

// The decisions. A later one prevails over those before it. The zero value
// refuses the request.
const (
	NotAllowed Decision = iota // no statement allows the request
	Allow                      // a statement allows it and none denies it
	Deny                       // a statement denies it
)

// String returns the decision in words.
func (d Decision) String() string {
	switch d {
	case NotAllowed:
		return "not allowed"
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	}
	return fmt.Sprintf("Decision(%d)", int(d))
}

// Decide returns the decision of the policies together: Deny if any of them
// denies the request, otherwise Allow if any of them allows it. If the request
// cannot be decided, it returns Deny and an error.
func Decide(r Request, policies ...Policy) (Decision, error) {
	r = withoutCase(r)
	decision := NotAllowed
	for _, p := range policies {
		d, _, err := p.decide(r)
		if err != nil {
			return Deny, err
		}
		decision = max(decision, d)
	}
	return decision, nil
}

// DecideResource returns the decision of the policy of a resource. If it is
// Allow, the match is the strongest one of the statements that allow the
// request.
func DecideResource(r Request, p Policy) (Decision, Match, error) {
	return p.decide(withoutCase(r))
}

// decide returns the decision of the policy, and the strongest match of the
// statements that allow the request. The request is without case.
func (p Policy) decide(r Request) (Decision, Match, error) {
	decision, match := NotAllowed, NoMatch
	for _, s := range p.statements {
		applies, err := s.applies(r)
		switch {
		case err != nil:
			return Deny, NoMatch, err
		case !applies:
		case s.deny:
			// The loop continues, because a later statement that cannot be
			// decided is still an error.
			decision = Deny
		default:
			decision, match = max(decision, Allow), max(match, s.match(r))
		}
	}
	return decision, match, nil
}

// withoutCase returns the request with its action and the names of its context
// without case. Two names that differ only in case become one key with two values.
// IAM's documentation does not say what IAM does with two such tags.
func withoutCase(r Request) Request {
	r.Action = strings.ToLower(r.Action)
	folded := make(map[string][]string, len(r.Context))
	for key, values := range r.Context {
		key = caseless(key)
		if others, ok := folded[key]; ok {
			values = slices.Concat(others, values)
		}
		folded[key] = values
	}
	r.Context = folded
	return r
}

// statement is one parsed statement. It has either actions or notActions. In an
// identity policy it has either resources or notResources, in a trust policy it
// has principals, and in the policy of a resource either principals or
// notPrincipals.
type statement struct {
	deny          bool
	actions       []pattern
	notActions    []pattern
	resources     []arnPattern
	notResources  []arnPattern
	principals    *principals
	notPrincipals *principals
	conditions    []condition
}

// applies reports whether the statement is about the request.
func (s statement) applies(r Request) (bool, error) {
	if !s.matchesAction(r) || !s.matchesTarget(r) {
		return false, nil
	}
	all := true
	for _, c := range s.conditions {
		holds, err := c.holds(r.Context)
		if err != nil {
			return false, err
		}
		all = all && holds
	}
	return all, nil
}

func (s statement) matchesAction(r Request) bool {
	matches := func(p pattern) bool { return p.matches(r.Action, r.Context) }
	if s.notActions != nil {
		return !slices.ContainsFunc(s.notActions, matches)
	}
	return slices.ContainsFunc(s.actions, matches)
}

// matchesTarget compares the principal in the policy of a role or resource, and
// the resource in any other policy. A policy that belongs to a role or resource
// is about no other one.
func (s statement) matchesTarget(r Request) bool {
	if s.principals != nil {
		return s.match(r) != NoMatch
	}
	if s.notPrincipals != nil {
		return !s.notPrincipals.exclude(callerOf(r.Principal))
	}
	matches := func(p arnPattern) bool { return p.matches(r.Resource, r.Context) }
	if s.notResources != nil {
		return !slices.ContainsFunc(s.notResources, matches)
	}
	return slices.ContainsFunc(s.resources, matches)
}

// match says how the statement names the caller.
func (s statement) match(r Request) Match {
	if s.principals == nil {
		return NoMatch
	}
	return s.principals.match(callerOf(r.Principal))
}
