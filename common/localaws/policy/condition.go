package policy

import (
	"fmt"
	"strings"
	"time"
)

// operator compares one value of a request with one value of a policy.
type operator struct {
	compile func(d dialect, text string) (matcher, error)
	negated bool
}

// matcher compares a value of a request with a value of a policy.
type matcher func(have string, context map[string][]string) bool

// operators are the operators by name, without ForAnyValue:, ForAllValues: and
// IfExists. Null is not among them, because it does not compare values.
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
	"DateLessThan":              {compile: before},
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

// before takes times as RFC 3339 writes them. IAM knows other forms too.
func before(_ dialect, text string) (matcher, error) {
	end, err := time.Parse(time.RFC3339, text)
	return func(have string, _ map[string][]string) bool {
		got, err := time.Parse(time.RFC3339, have)
		return err == nil && got.Before(end)
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

// quantifier says for which of the request's values an operator must hold.
type quantifier int

const (
	onlyValue quantifier = iota // no prefix: the request has only one value
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
	null       map[bool]bool // of the operator Null: true is for an absent key, false for a present one
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
		c.null, err = parseNull(values)
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
	if !ok || c.ifExists && c.quantifier == anyValue { // IAM does not say what ForAnyValue…IfExists means for an absent key
		return condition{}, fmt.Errorf("condition operator %q is not known here", name)
	}
	if k.multivalued && c.quantifier == onlyValue {
		return condition{}, errSeveralValues(name, keyText)
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

// parseNull parses the values of the operator Null.
func parseNull(values []string) (map[bool]bool, error) {
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

// errSeveralValues is the error for an operator that takes one value, on a key
// that has several. IAM's documentation does not say what happens then, so it
// is an error here.
func errSeveralValues(operator, key string) error {
	return fmt.Errorf("%s on %s: the key holds several values, so it needs ForAnyValue or ForAllValues", operator, key)
}

// holds reports whether the context satisfies the condition. The names in the
// context are without case.
func (c condition) holds(context map[string][]string) (bool, error) {
	have := context[c.key.name]
	if c.null != nil {
		return c.null[len(have) == 0], nil
	}
	if len(have) == 0 {
		return c.holdsAbsent(), nil
	}
	if c.quantifier == onlyValue && len(have) > 1 {
		return false, errSeveralValues(c.name, c.key.name)
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

// holdsAbsent reports whether the condition holds if the key is absent.
func (c condition) holdsAbsent() bool {
	if c.ifExists || c.quantifier == allValues {
		return true
	}
	// ForAnyValue needs a value, also with a negated operator.
	return c.negated && c.quantifier == onlyValue
}

// holdsFor compares one value of the request with the values of the policy. One
// of them must match, or none if the operator is negated.
func (c condition) holdsFor(value string, context map[string][]string) bool {
	for _, matches := range c.values {
		if matches(value, context) {
			return !c.negated
		}
	}
	return c.negated
}
