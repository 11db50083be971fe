package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
)

// The versions of the policy language. The older one is the default, and has no
// variables.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// kind is the kind of a document. It decides which elements a statement has.
type kind int

const (
	identityPolicy kind = iota // a permission or session policy: Resource, no Principal
	trustPolicy                // of a role: Principal, no Resource
	resourcePolicy             // of a resource: Principal or NotPrincipal; Resource may be missing
)

// Parse parses a permission policy or a session policy.
func Parse(document string) (Policy, error) {
	return parse(document, identityPolicy)
}

// ParseTrust parses the trust policy of a role. IAM takes NotPrincipal neither
// there nor in a permission policy, so here it is an error in both.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func ParseTrust(document string) (Policy, error) {
	return parse(document, trustPolicy)
}

// ParseResource parses the policy of a resource, by the grammar of ECR's
// repository policies. Resource can only be "*", which means the one resource
// that has the policy, and actions are ECR's. A Sid can have any characters,
// also those of another statement.
func ParseResource(document string) (Policy, error) {
	return parse(document, resourcePolicy)
}

// parsed has the policies of the last documents. Most documents are parsed again and
// again, for one session after the other. A Policy does not change.
var parsed = newParsed()

type source struct {
	document string
	kind     kind
}

func newParsed() *lru.Cache[source, Policy] {
	cache, err := lru.New[source, Policy](256)
	if err != nil {
		panic(err) // only a size that is not positive is an error
	}
	return cache
}

func parse(document string, k kind) (Policy, error) {
	from := source{document, k}
	if p, ok := parsed.Get(from); ok {
		return p, nil
	}
	p, err := parseDocument(document, k)
	if err == nil {
		parsed.Add(from, p)
	}
	return p, err
}

func parseDocument(document string, k kind) (Policy, error) {
	members, err := object(json.RawMessage(document))
	if err != nil {
		return Policy{}, err
	}
	version := version2008
	var statements []json.RawMessage
	for _, m := range members {
		switch m.name {
		case "Version":
			version, err = text(m.value)
		case "Id":
			_, err = text(m.value)
		case "Statement":
			statements, err = list(m.value)
		default:
			err = errors.New("unknown element")
		}
		if err != nil {
			return Policy{}, fmt.Errorf("element %s: %w", m.name, err)
		}
	}
	if version != version2008 && version != version2012 {
		return Policy{}, fmt.Errorf("the version must be %s or %s", version2012, version2008)
	}
	if len(statements) == 0 {
		return Policy{}, errors.New("there is no statement")
	}
	return parseStatements(statements, k, dialect{variables: version == version2012, wildcards: true})
}

func parseStatements(raws []json.RawMessage, k kind, d dialect) (Policy, error) {
	var p Policy
	ids := make(map[string]bool)
	for i, raw := range raws {
		s, id, err := parseStatement(raw, k, d)
		if err != nil {
			return Policy{}, fmt.Errorf("statement %d: %w", i+1, err)
		}
		if id != "" && ids[id] && k != resourcePolicy {
			return Policy{}, fmt.Errorf("statement IDs (SID) in a single policy must be unique: %q", id)
		}
		ids[id] = true
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(raw json.RawMessage, k kind, d dialect) (s statement, id string, err error) {
	members, err := object(raw)
	if err != nil {
		return s, "", err
	}
	effect, names := "", make(map[string]bool)
	for _, m := range members {
		names[m.name] = true
		switch m.name {
		case "Sid":
			id, err = parseID(m.value, k)
		case "Effect":
			effect, err = text(m.value)
		case "Action":
			s.actions, err = parseActions(m, k)
		case "NotAction":
			s.notActions, err = parseActions(m, k)
		case "Resource":
			s.resources, err = parseResources(m, d)
		case "NotResource":
			s.notResources, err = parseResources(m, d)
		case "Principal":
			s.principals, err = parsePrincipals(m, k)
		case "NotPrincipal":
			s.notPrincipals, err = parsePrincipals(m, k)
		case "Condition":
			s.conditions, err = parseConditions(m.value, d)
		default:
			err = fmt.Errorf("unknown element %q", m.name)
		}
		if err != nil {
			return s, "", err
		}
	}
	s.deny = effect == "Deny"
	return s, id, s.check(names, effect, k)
}

// check returns an error if a statement with the elements lacks one, or has one
// that is not allowed in this kind of policy.
func (s statement) check(elements map[string]bool, effect string, k kind) error {
	if effect != "Allow" && effect != "Deny" {
		return fmt.Errorf("effect must be Allow or Deny, not %q", effect)
	}
	for _, name := range []string{"Action", "Resource", "Principal"} {
		if elements[name] && elements["Not"+name] {
			return fmt.Errorf("syntax errors in policy: %s and Not%s in one statement", name, name)
		}
	}
	if !elements["Action"] && !elements["NotAction"] {
		return errNoActions
	}
	switch {
	case k == trustPolicy:
		return checkTrust(elements)
	case k == resourcePolicy:
		return s.checkResourcePolicy(elements)
	case elements["Principal"], elements["NotPrincipal"]:
		return errors.New("policy document should not specify a principal")
	case !elements["Resource"] && !elements["NotResource"]:
		return errNoResources
	}
	return nil
}

func checkTrust(elements map[string]bool) error {
	for _, name := range []string{"Resource", "NotResource", "NotPrincipal"} {
		if elements[name] {
			return fmt.Errorf("has prohibited field %s", name)
		}
	}
	if !elements["Principal"] {
		return errors.New("missing required field Principal")
	}
	return nil
}

// checkResourcePolicy refuses NotPrincipal in an Allow, which "is not supported".
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (s statement) checkResourcePolicy(elements map[string]bool) error {
	isAnother := func(a arnPattern) bool { return !a.everything }
	switch {
	case elements["NotResource"]:
		return errors.New("has prohibited field NotResource")
	case slices.ContainsFunc(s.resources, isAnother):
		return errors.New(`the only resource is "*"`)
	case !elements["Principal"] && !elements["NotPrincipal"]:
		return errors.New("missing required field Principal")
	case elements["NotPrincipal"] && !s.deny:
		return errors.New("NotPrincipal must be used with the effect Deny")
	}
	return nil
}

var (
	errNoActions   = errors.New("policy statement must contain actions")
	errNoResources = errors.New("policy statement must contain resources")
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9]*$`)

func parseID(raw json.RawMessage, k kind) (string, error) {
	id, err := text(raw)
	if err == nil && k != resourcePolicy && !idPattern.MatchString(id) {
		err = fmt.Errorf("statement IDs (SID) must be alpha-numeric: %q", id)
	}
	return id, err
}

var actionPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)

// parseActions parses the actions of Action or NotAction. In both versions
// actions can have wildcards, but no variables.
func parseActions(m member, k kind) ([]pattern, error) {
	names, err := oneOrMany(m.value)
	if err != nil {
		return nil, fmt.Errorf("element %s: %w", m.name, err)
	}
	if len(names) == 0 {
		return nil, errNoActions
	}
	var actions []pattern
	for _, name := range names {
		if !actionPattern.MatchString(name) {
			return nil, fmt.Errorf("actions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: %q", name)
		}
		name = strings.ToLower(name)
		if k == resourcePolicy && !strings.HasPrefix(name, "ecr:") {
			return nil, fmt.Errorf("action %q is not one of ecr", name)
		}
		p, err := dialect{wildcards: true}.compile(name)
		if err != nil {
			return nil, err
		}
		actions = append(actions, p)
	}
	return actions, nil
}

// parseResources parses the resources of Resource or NotResource.
func parseResources(m member, d dialect) ([]arnPattern, error) {
	names, err := oneOrMany(m.value)
	if err != nil {
		return nil, fmt.Errorf("element %s: %w", m.name, err)
	}
	if len(names) == 0 {
		return nil, errNoResources
	}
	var resources []arnPattern
	for _, name := range names {
		a, err := d.compileARN(name)
		if err != nil {
			return nil, fmt.Errorf("resource %w", err)
		}
		resources = append(resources, a)
	}
	return resources, nil
}

// parseConditions parses {operator: {key: values}}.
func parseConditions(raw json.RawMessage, d dialect) ([]condition, error) {
	blocks, err := object(raw)
	if err != nil {
		return nil, fmt.Errorf("element Condition: %w", err)
	}
	var conditions []condition
	for _, block := range blocks {
		members, err := object(block.value)
		if err != nil {
			return nil, fmt.Errorf("condition %s: %w", block.name, err)
		}
		seen := make(map[string]bool)
		for _, m := range members {
			values, err := oneOrMany(m.value)
			if err != nil {
				return nil, fmt.Errorf("condition %s on %s: %w", block.name, m.name, err)
			}
			c, err := parseCondition(d, block.name, m.name, values)
			if err != nil {
				return nil, err
			}
			if seen[c.key.name] {
				return nil, fmt.Errorf("condition %s has the key %s twice", block.name, m.name)
			}
			seen[c.key.name] = true
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}
