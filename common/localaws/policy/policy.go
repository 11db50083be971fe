// Package policy decides requests by IAM's policy language: the part of it that session policies,
// permission policies and trust policies of this service are written in.
//
// It is strict where IAM is lenient. What it does not know (an element, an operator, a condition
// key, a variable) is an error and never a decision, so that a test cannot pass because a fence
// was misspelt.
package policy

import (
	"fmt"
	"strings"
)

// Policy is a parsed document. The zero value allows nothing.
type Policy struct {
	statements []statement
}

// Request is what a policy is asked.
type Request struct {
	Action    string // "ecr:CreateRepository"
	Resource  string // an ARN, or "*" for actions that know no resource
	Principal string // ARN of the caller, looked at by trust policies only

	// Context holds the condition keys of the request. Names are case-insensitive, tag keys in
	// them included. A key that is absent is not in the map; an empty list is the same.
	Context map[string][]string
}

// Decision is the answer of one or more policies of one kind.
type Decision int

// The decisions. The zero value is a refusal.
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

// Decide returns what the policies, taken together, say to the request: a Deny in any of them wins,
// then an Allow in any of them. It returns an error, and never Allow, for a request that cannot be
// decided.
func Decide(r Request, policies ...Policy) (Decision, error) {
	r.Context = lowerKeys(r.Context)
	decision := NotAllowed
	for _, p := range policies {
		for _, s := range p.statements {
			applies, err := s.applies(r)
			if err != nil {
				return Deny, err
			}
			if !applies {
				continue
			}
			if s.deny {
				// Go on: a later statement that cannot be decided is still an error.
				decision = Deny
			} else if decision != Deny {
				decision = Allow
			}
		}
	}
	return decision, nil
}

// lowerKeys returns the context with its names in lower case. Two names that differ only in case
// are one key with several values, which is also how IAM sees two such tags.
func lowerKeys(context map[string][]string) map[string][]string {
	lower := make(map[string][]string, len(context))
	for key, values := range context {
		key = strings.ToLower(key)
		lower[key] = append(lower[key], values...)
	}
	return lower
}

// statement is one parsed statement. An identity policy's has resources, a trust policy's has
// principals.
type statement struct {
	deny       bool
	actions    []pattern
	resources  []arnPattern
	principals *principals
	conditions []condition
}

// applies reports whether the statement speaks about the request.
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
	action := strings.ToLower(r.Action)
	for _, p := range s.actions {
		if p.matches(action, r.Context) {
			return true
		}
	}
	return false
}

// matchesTarget looks at the principal in a trust policy and at the resource in all others: the
// resource of a trust policy is the role that it belongs to.
func (s statement) matchesTarget(r Request) bool {
	if s.principals != nil {
		return s.principals.match(r.Principal)
	}
	for _, p := range s.resources {
		if p.matches(r.Resource, r.Context) {
			return true
		}
	}
	return false
}
