package policy

import (
	"fmt"
	"strings"
)

// operator compares one value of a request with one value of a policy.
type operator struct {
	compile func(d dialect, text string) (matcher, error)
	negated bool
}

// matcher is a policy's value, ready to be compared.
type matcher func(have string, context map[string][]string) bool

// operators are the operators by name, without ForAnyValue:, ForAllValues: and IfExists. Null is
// not among them: it asks for the key and not for its value.
var operators = map[string]operator{
	"StringEquals":              {compile: equals},
	"StringNotEquals":           {compile: equals, negated: true},
	"StringEqualsIgnoreCase":    {compile: equalsFold},
	"StringNotEqualsIgnoreCase": {compile: equalsFold, negated: true},
	"StringLike":                {compile: like},
	"StringNotLike":             {compile: like, negated: true},
	"ArnEquals":                 {compile: arnLike},
	"ArnNotEquals":              {compile: arnLike, negated: true},
	"ArnLike":                   {compile: arnLike},
	"ArnNotLike":                {compile: arnLike, negated: true},
	"Bool":                      {compile: boolean},
}

func equals(d dialect, text string) (matcher, error) {
	d.wildcards = false
	p, err := d.compile(text)
	return p.matches, err
}

func equalsFold(d dialect, text string) (matcher, error) {
	d.wildcards = false
	p, err := d.compile(text)
	return func(have string, context map[string][]string) bool {
		want, ok := p.resolve(context)
		return ok && strings.EqualFold(have, string(want))
	}, err
}

func like(d dialect, text string) (matcher, error) {
	p, err := d.compile(text)
	return p.matches, err
}

func arnLike(d dialect, text string) (matcher, error) {
	a, err := d.compileARN(text)
	return a.matches, err
}

func boolean(_ dialect, text string) (matcher, error) {
	want, err := parseBool(text)
	return func(have string, _ map[string][]string) bool {
		got, err := parseBool(have)
		return err == nil && got == want
	}, err
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

// quantifier says how many of a request's values an operator must hold for.
type quantifier int

const (
	single    quantifier = iota // there is one value
	anyValue                    // ForAnyValue:
	allValues                   // ForAllValues:
)

// condition is one operator and key, with the values that may satisfy it.
type condition struct {
	name       string // of the operator, as written
	key        key
	quantifier quantifier
	ifExists   bool
	negated    bool
	null       map[bool]bool // operator Null: the answers to "is the key absent?" that it holds for
	values     []matcher
}

// parseCondition parses one operator with one key and its values.
func parseCondition(d dialect, name, keyText string, values []string) (condition, error) {
	k, err := parseKey(keyText)
	if err != nil {
		return condition{}, err
	}
	if len(values) == 0 {
		return condition{}, fmt.Errorf("%s on %s has no value", name, keyText)
	}
	c := condition{name: name, key: k}
	if name == "Null" {
		c.null, err = nulls(values)
		return c, err
	}
	base := name
	if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.quantifier = rest, anyValue
	} else if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.quantifier = rest, allValues
	}
	base, c.ifExists = strings.CutSuffix(base, "IfExists")
	op, ok := operators[base]
	if !ok {
		return condition{}, fmt.Errorf("condition operator %q is not known here", name)
	}
	if k.many && c.quantifier == single {
		return condition{}, severalValues(name, keyText)
	}
	c.negated = op.negated
	for _, value := range values {
		m, err := op.compile(d, value)
		if err != nil {
			return condition{}, fmt.Errorf("%s on %s: %w", name, keyText, err)
		}
		c.values = append(c.values, m)
	}
	return c, nil
}

func nulls(values []string) (map[bool]bool, error) {
	answers := make(map[bool]bool)
	for _, value := range values {
		b, err := parseBool(value)
		if err != nil {
			return nil, fmt.Errorf("operator Null: %w", err)
		}
		answers[b] = true
	}
	return answers, nil
}

// severalValues is the error for an operator on one value that meets several: what IAM does with
// them is not documented, so nothing may depend on it.
func severalValues(operator, key string) error {
	return fmt.Errorf("%s on %s: the key holds several values, so it needs ForAnyValue or ForAllValues", operator, key)
}

// holds reports whether the condition is satisfied by the context, whose names are in lower case.
func (c condition) holds(context map[string][]string) (bool, error) {
	have := context[c.key.name]
	if c.null != nil {
		return c.null[len(have) == 0], nil
	}
	if len(have) == 0 {
		return c.holdsAbsent(), nil
	}
	if c.quantifier == single && len(have) > 1 {
		return false, severalValues(c.name, c.key.name)
	}
	for _, value := range have {
		holds := c.holdsFor(value, context)
		if c.quantifier == anyValue && holds {
			return true, nil
		}
		if c.quantifier != anyValue && !holds {
			return false, nil
		}
	}
	return c.quantifier != anyValue, nil
}

func (c condition) holdsAbsent() bool {
	if c.ifExists || c.quantifier == allValues {
		return true
	}
	// ForAnyValue asks for a value that is there, whatever the operator.
	return c.negated && c.quantifier == single
}

// holdsFor compares one value of the request with all of the policy: any of them will do, and for a
// negated operator none may be it.
func (c condition) holdsFor(value string, context map[string][]string) bool {
	for _, matches := range c.values {
		if matches(value, context) {
			return !c.negated
		}
	}
	return c.negated
}
