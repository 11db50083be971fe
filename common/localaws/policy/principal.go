package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// principals are the callers that Principal or NotPrincipal names.
type principals struct {
	everybody bool
	names     []string // account ids, ARNs, and ids of what was deleted
}

// parsePrincipals parses "*", or an object with the names of each kind. Every
// caller here is a user or a role, which is the kind AWS. So the names of other
// kinds match no caller.
func parsePrincipals(element member, k kind) (*principals, error) {
	var text string
	if json.Unmarshal(element.value, &text) == nil {
		if text != "*" {
			return nil, fmt.Errorf("principal %q is neither \"*\" nor an object", text)
		}
		return &principals{everybody: true}, nil
	}
	members, err := object(element.value)
	if err != nil {
		return nil, fmt.Errorf("element %s: %w", element.name, err)
	}
	if len(members) == 0 {
		return nil, errNoPrincipal
	}
	p := &principals{}
	for _, m := range members {
		names, err := oneOrMany(m.value)
		if err != nil {
			return nil, fmt.Errorf("principal %s: %w", m.name, err)
		}
		if len(names) == 0 {
			return nil, errNoPrincipal
		}
		switch m.name {
		case "AWS":
			if err := p.add(names, k); err != nil {
				return nil, err
			}
		case "Service", "Federated", "CanonicalUser":
		default:
			return nil, fmt.Errorf("principal of unknown kind %q", m.name)
		}
	}
	return p, nil
}

var errNoPrincipal = errors.New("missing required field Principal cannot be empty")

func (p *principals) add(names []string, k kind) error {
	for _, name := range names {
		switch {
		case name == "*":
			p.everybody = true
		case isAccount(name), isPrincipalARN(name), k == resourcePolicy && uniqueIDPattern.MatchString(name):
			p.names = append(p.names, name)
		default:
			return fmt.Errorf("invalid principal in policy: \"AWS\":%q", name)
		}
	}
	return nil
}

// uniqueIDPattern matches the id of a user or role. It stands in the policy of a
// resource in place of the ARN when the user or role was deleted, and matches no
// caller.
var uniqueIDPattern = regexp.MustCompile(`^(AIDA|AROA)[A-Z0-9]{17}$`)

// isPrincipalARN reports whether the name is the ARN of a principal, which has
// no wildcards. A group is no principal.
func isPrincipalARN(name string) bool {
	parts := strings.SplitN(name, ":", arnParts)
	return len(parts) == arnParts && parts[0] == "arn" && isAccount(parts[4]) &&
		parts[5] != "" && !strings.HasPrefix(parts[5], "group/") && !strings.ContainsAny(name, "*?")
}

func isAccount(name string) bool {
	return len(name) == 12 && strings.Trim(name, "0123456789") == ""
}

// Match says how the Principal of a statement names the caller. For a resource
// in the caller's account the decision depends on it. The zero value is no
// match.
type Match int

// The matches, from the weakest to the strongest.
const (
	NoMatch      Match = iota
	MatchAccount       // its account
	MatchRole          // its role; the caller is a session
	MatchCaller        // itself, a user or a session, or everybody
)

// match returns the strongest match.
func (p *principals) match(c caller) Match {
	switch {
	case p.everybody, p.name(c.arn):
		return MatchCaller
	case p.name(c.role):
		return MatchRole
	case p.name(c.account...):
		return MatchAccount
	}
	return NoMatch
}

// exclude reports whether principals of NotPrincipal exclude the caller. They
// must name its account too, and the role of a session: AWS "might validate the
// account first, then the role, and then the assumed-role user". Where AWS does
// not say what it does, the caller is not excluded.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (p *principals) exclude(c caller) bool {
	if p.everybody {
		return true
	}
	return p.name(c.arn) && p.name(c.account...) && (c.role == "" || p.name(c.role))
}

// name reports whether the principals name one of these.
func (p *principals) name(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(p.names, name) })
}

// caller has the names that a policy can use for a caller.
type caller struct {
	arn     string
	role    string   // ARN of its role; "" unless it is the session of a role
	account []string // its id and its ARN
}

func callerOf(arn string) caller {
	c := caller{arn: arn}
	parts := strings.SplitN(arn, ":", arnParts)
	if len(parts) != arnParts {
		return c
	}
	partition, account := parts[1], parts[4]
	inIAM := "arn:" + partition + ":iam::" + account + ":"
	c.account = []string{account, inIAM + "root"}
	if session, ok := strings.CutPrefix(parts[5], "assumed-role/"); ok {
		role, _, _ := strings.Cut(session, "/")
		c.role = inIAM + "role/" + role
	}
	return c
}
