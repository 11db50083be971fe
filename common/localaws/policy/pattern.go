package policy

import (
	"errors"
	"fmt"
	"strings"
)

// Wildcards in a compiled pattern. They are negative, so that no character of a
// text is equal to one.
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
	fallback *string // value of the variable if the key is absent; nil if there is none
}

// dialect says what a pattern can have besides plain characters.
type dialect struct {
	variables bool // ${…}, since the version 2012-10-17
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

// variable parses the text between the braces: a key, or a key and its default.
func variable(body string) (part, error) {
	name, fallback, hasFallback := strings.Cut(body, ",")
	key, err := parseKey(strings.TrimSpace(name))
	if err != nil {
		return part{}, fmt.Errorf("variable ${%s}: %w", body, err)
	}
	if key.multivalued {
		return part{}, fmt.Errorf("variable ${%s}: the key holds several values", body)
	}
	v := part{variable: key.name}
	if !hasFallback {
		return v, nil
	}
	fallback = strings.TrimSpace(fallback)
	if len(fallback) < 2 || fallback[0] != '\'' || fallback[len(fallback)-1] != '\'' {
		return part{}, fmt.Errorf("variable ${%s}: a default must be in single quotes", body)
	}
	fallback = fallback[1 : len(fallback)-1]
	v.fallback = &fallback
	return v, nil
}

// resolve replaces the variables by their values. A wildcard in a value is a
// plain character. It returns false if a variable has no value: such a pattern
// matches nothing.
func (p pattern) resolve(context map[string][]string) ([]rune, bool) {
	if len(p) == 1 && p[0].variable == "" {
		return p[0].glob, true
	}
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

// matches reports whether the pattern matches the whole text.
func (p pattern) matches(text string, context map[string][]string) bool {
	glob, ok := p.resolve(context)
	return ok && globMatches(glob, []rune(text))
}

// globMatches reports whether the glob matches the whole text. At a mismatch it
// goes back only to the last star, which then matches one character more. So
// the time is at most proportional to the product of both lengths.
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

// arnParts is the number of parts of an ARN. Only the last one can have colons.
const arnParts = 6

// arnPattern matches ARNs part by part, so that a wildcard matches only inside
// its own part.
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

// splitARN splits a text at its colons, except those in a variable.
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
