package policy

import (
	"errors"
	"fmt"
	"strings"
)

// Wildcards inside a pattern that has been compiled. Negative, so that no character of a text is
// taken for one.
const (
	anyText rune = -1 // *
	anyChar rune = -2 // ?
)

// pattern is a text with wildcards and policy variables.
type pattern []part

// part is a run of characters and wildcards, or a variable.
type part struct {
	glob     []rune
	variable string  // lower-case name of a condition key; "" in a run of characters
	fallback *string // value of the variable where the key is absent
}

// dialect says what is special in a pattern besides its characters.
type dialect struct {
	variables bool // ${…}, which the version 2012-10-17 brought
	wildcards bool // * and ?
}

// compile parses a pattern.
func (d dialect) compile(text string) (pattern, error) {
	var p pattern
	var run []rune
	for text != "" {
		if d.variables && strings.HasPrefix(text, "${") {
			body, rest, closed := strings.Cut(text[2:], "}")
			if !closed {
				return nil, fmt.Errorf("%q has no closing brace", text)
			}
			text = rest
			if body == "*" || body == "?" || body == "$" {
				run = append(run, rune(body[0]))
				continue
			}
			v, err := variable(body)
			if err != nil {
				return nil, err
			}
			p = append(p, part{glob: run}, v)
			run = nil
			continue
		}
		c, size := firstRune(text)
		text = text[size:]
		if d.wildcards {
			c = wildcard(c)
		}
		run = append(run, c)
	}
	return append(p, part{glob: run}), nil
}

func wildcard(c rune) rune {
	switch c {
	case '*':
		return anyText
	case '?':
		return anyChar
	}
	return c
}

func firstRune(text string) (c rune, size int) {
	for i, r := range text {
		if i > 0 {
			return c, i
		}
		c = r
	}
	return c, len(text)
}

// variable parses what stands between the braces: a key, or a key and its default.
func variable(body string) (part, error) {
	name, fallback, hasFallback := strings.Cut(body, ",")
	key, err := parseKey(strings.TrimSpace(name))
	if err != nil {
		return part{}, fmt.Errorf("variable ${%s}: %w", body, err)
	}
	if key.many {
		return part{}, fmt.Errorf("variable ${%s}: the key holds several values", body)
	}
	v := part{variable: key.name}
	if !hasFallback {
		return v, nil
	}
	fallback = strings.TrimSpace(fallback)
	if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
		return part{}, fmt.Errorf("variable ${%s}: a default stands in single quotes", body)
	}
	fallback = fallback[1 : len(fallback)-1]
	v.fallback = &fallback
	return v, nil
}

// resolve puts in the variables' values, as plain text: a wildcard in a value is a character. It
// returns false where a variable has no value; such a pattern matches nothing.
func (p pattern) resolve(context map[string][]string) ([]rune, bool) {
	var glob []rune
	for _, part := range p {
		if part.variable == "" {
			glob = append(glob, part.glob...)
			continue
		}
		values := context[part.variable]
		switch {
		case len(values) == 1:
			glob = append(glob, []rune(values[0])...)
		case len(values) == 0 && part.fallback != nil:
			glob = append(glob, []rune(*part.fallback)...)
		default:
			return nil, false
		}
	}
	return glob, true
}

// matches reports whether the whole text is of the pattern.
func (p pattern) matches(text string, context map[string][]string) bool {
	glob, ok := p.resolve(context)
	return ok && globMatches(glob, []rune(text))
}

// globMatches matches in time proportional to the product of the lengths at worst: on a mismatch
// only the last star needs to be tried again, one character longer.
func globMatches(glob, text []rune) bool {
	g, t := 0, 0
	star, starText := -1, 0
	for t < len(text) {
		switch {
		case g < len(glob) && glob[g] == anyText:
			star, starText = g, t
			g++
		case g < len(glob) && (glob[g] == anyChar || glob[g] == text[t]):
			g++
			t++
		case star >= 0:
			starText++
			g, t = star+1, starText
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == anyText {
		g++
	}
	return g == len(glob)
}

// arnParts is the number of parts of an ARN; the last one may hold colons.
const arnParts = 6

// arnPattern matches ARNs part by part, so that a wildcard does not reach into the next part.
type arnPattern struct {
	everything bool // "*"
	parts      []pattern
}

var errNotARN = errors.New(`must be in ARN format or "*"`)

// compileARN parses a resource, or the value of an ARN condition.
func (d dialect) compileARN(text string) (arnPattern, error) {
	if text == "*" {
		return arnPattern{everything: true}, nil
	}
	texts := d.splitARN(text)
	if len(texts) != arnParts || texts[0] != "arn" {
		return arnPattern{}, fmt.Errorf("%q %w", text, errNotARN)
	}
	var a arnPattern
	for _, t := range texts {
		p, err := d.compile(t)
		if err != nil {
			return arnPattern{}, err
		}
		a.parts = append(a.parts, p)
	}
	return a, nil
}

// splitARN splits at colons, but not at those inside a variable.
func (d dialect) splitARN(text string) []string {
	var parts []string
	start, inVariable := 0, false
	for i := 0; i < len(text) && len(parts) < arnParts-1; i++ {
		switch {
		case d.variables && strings.HasPrefix(text[i:], "${"):
			inVariable = true
		case text[i] == '}':
			inVariable = false
		case text[i] == ':' && !inVariable:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

func (a arnPattern) matches(arn string, context map[string][]string) bool {
	if a.everything {
		return true
	}
	texts := strings.SplitN(arn, ":", arnParts)
	if len(texts) != arnParts {
		return false
	}
	for i, p := range a.parts {
		if !p.matches(texts[i], context) {
			return false
		}
	}
	return true
}
