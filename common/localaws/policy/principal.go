package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// principals are the callers that a statement of a trust policy names.
type principals struct {
	everybody bool
	names     []string // account ids and ARNs
}

// parsePrincipals parses "*", or an object with the names of each kind. Every
// caller here is a user or a role, which is the kind AWS. So the names of other
// kinds match no caller.
func parsePrincipals(raw json.RawMessage) (*principals, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if text != "*" {
			return nil, fmt.Errorf("principal %q is neither \"*\" nor an object", text)
		}
		return &principals{everybody: true}, nil
	}
	members, err := object(raw)
	if err != nil {
		return nil, fmt.Errorf("element Principal: %w", err)
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
			if err := p.add(names); err != nil {
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

func (p *principals) add(names []string) error {
	for _, name := range names {
		switch {
		case name == "*":
			p.everybody = true
		case isAccount(name), isPrincipalARN(name):
			p.names = append(p.names, name)
		default:
			return fmt.Errorf("invalid principal in policy: \"AWS\":%q", name)
		}
	}
	return nil
}

// isPrincipalARN reports whether the name is the ARN of a principal, which has
// no wildcards.
func isPrincipalARN(name string) bool {
	parts := strings.SplitN(name, ":", arnParts)
	return len(parts) == arnParts && parts[0] == "arn" && isAccount(parts[4]) &&
		parts[5] != "" && !strings.ContainsAny(name, "*?")
}

func isAccount(name string) bool {
	return len(name) == 12 && strings.Trim(name, "0123456789") == ""
}

func (p *principals) match(arn string) bool {
	if p.everybody {
		return true
	}
	for _, name := range namesOf(arn) {
		if slices.Contains(p.names, name) {
			return true
		}
	}
	return false
}

// namesOf returns the names that a policy can use for the principal: its ARN,
// its account, and its role if it is the session of a role.
func namesOf(arn string) []string {
	parts := strings.SplitN(arn, ":", arnParts)
	if len(parts) != arnParts {
		return nil
	}
	partition, account := parts[1], parts[4]
	names := []string{arn, account, "arn:" + partition + ":iam::" + account + ":root"}
	if session, ok := strings.CutPrefix(parts[5], "assumed-role/"); ok {
		role, _, _ := strings.Cut(session, "/")
		names = append(names, "arn:"+partition+":iam::"+account+":role/"+role)
	}
	return names
}
