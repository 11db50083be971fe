package ecr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AWS writes a policy anew: it has principals in an order of its own, the ARN of
// an account in place of its id, and perhaps a string in place of a list with one
// element. So policies are compared by their meanings. Two meanings are equal if
// AWS may have made the one text of the other.

// meaning returns the meaning of the whole document, empty if there is none.
func (d *policyDocument) meaning() string {
	if d == nil {
		return ""
	}
	var meanings []string
	for _, m := range d.members {
		if !m.is(statementElement) {
			meanings = append(meanings, m.name.String()+":"+m.value.String())
		}
	}
	slices.Sort(meanings)
	return strings.Join(append(meanings, meaningsOf(d.statements)...), "\n")
}

// meaningsOf returns the meanings of statements, sorted: their order means
// nothing.
func meaningsOf(list []statement) []string {
	meanings := make([]string, len(list))
	for i, s := range list {
		meanings[i] = s.meaning()
	}
	slices.Sort(meanings)
	return meanings
}

func (s statement) meaning() string {
	value := anyOf(s.text)
	if elements, ok := value.(map[string]any); ok {
		for _, element := range principalElements {
			if principals, ok := elements[element]; ok {
				elements[element] = withAccountIDs(principals)
			}
		}
		withoutCase(elements)
	}
	text, err := json.Marshal(inOneForm(value), json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return s.text.String()
	}
	return string(text)
}

// withoutCase writes actions and condition keys in lower case: IAM ignores their
// case.
func withoutCase(elements map[string]any) {
	for _, element := range []string{"Action", "NotAction"} {
		if actions, ok := textsOf(elements[element]); ok {
			lower := make([]any, len(actions))
			for i, action := range actions {
				lower[i] = strings.ToLower(action)
			}
			elements[element] = lower
		}
	}
	operators, _ := elements["Condition"].(map[string]any)
	for operator, keys := range operators {
		keys, ok := keys.(map[string]any)
		if !ok {
			continue
		}
		lower := make(map[string]any, len(keys))
		for key, values := range keys {
			lower[strings.ToLower(key)] = values
		}
		if len(lower) == len(keys) { // otherwise two keys differ in case only
			operators[operator] = lower
		}
	}
}

var principalElements = []string{"Principal", "NotPrincipal"}

// inOneForm returns a value with all strings as lists, and with all lists of
// strings sorted.
func inOneForm(value any) any {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		if texts, ok := textsOf(v); ok {
			slices.Sort(texts)
			return slices.Compact(texts)
		}
		list := make([]any, len(v))
		for i, element := range v {
			list[i] = inOneForm(element)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[name] = inOneForm(member)
		}
		return object
	}
	return value
}

// textsOf returns a string, or a list of strings, as a list.
func textsOf(value any) (texts []string, ok bool) {
	if text, ok := value.(string); ok {
		return []string{text}, true
	}
	list, ok := value.([]any)
	for _, element := range list {
		text, isText := element.(string)
		if !isText {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, ok
}

// withAccountIDs returns the value of a Principal with the ids of accounts in
// place of their ARNs. Everybody, "*", is {"AWS": "*"}.
func withAccountIDs(principals any) any {
	if principals == "*" {
		return map[string]any{"AWS": "*"}
	}
	kinds, _ := principals.(map[string]any)
	names, ok := textsOf(kinds["AWS"])
	if !ok {
		return principals
	}
	list := make([]any, len(names))
	for i, name := range names {
		list[i] = name
		if id, ok := accountOf(name); ok {
			list[i] = id
		}
	}
	kinds["AWS"] = list
	return kinds
}

var accountPrincipal = regexp.MustCompile(`^(?:([0-9]{12})|arn:[^:]*:iam::([0-9]{12}):root)$`)

// accountOf returns the account that a principal is: its id, or the ARN of its
// root.
func accountOf(principal string) (id string, ok bool) {
	m := accountPrincipal.FindStringSubmatch(principal)
	if m == nil {
		return "", false
	}
	return m[1] + m[2], true
}

// uniqueID matches the id of a user or a role. AWS writes it in place of the ARN
// when the user or the role is gone, and then takes that policy no more.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var uniqueID = regexp.MustCompile(`^A(?:ID|RO)A[A-Z0-9]+`)

// withGonePrincipal returns the name of the first statement of others that has a
// principal which is gone, empty if there is none.
func (d *policyDocument) withGonePrincipal() string {
	if d == nil {
		return ""
	}
	for i, s := range d.statements {
		if !s.isOurs() && slices.ContainsFunc(s.principals(), uniqueID.MatchString) {
			return s.nameAt(i)
		}
	}
	return ""
}

// maxNamedStatements is how many statements an error names.
const maxNamedStatements = 3

// withPrincipals names the first statements of others that have principals of
// which AWS checks whether they exist.
func (d *policyDocument) withPrincipals() string {
	if d == nil {
		return ""
	}
	var names []string
	for i, s := range d.statements {
		checked := slices.ContainsFunc(s.principals(), func(name string) bool { return name != "*" })
		if !s.isOurs() && checked && len(names) < maxNamedStatements {
			names = append(names, s.nameAt(i))
		}
	}
	return strings.Join(names, ", ")
}

// nameAt returns how an error names the statement, which has that index.
func (s statement) nameAt(i int) string {
	if s.sid == "" {
		return fmt.Sprintf("statement %d (without a Sid)", i+1)
	}
	return fmt.Sprintf("statement %q", s.sid)
}

// principals returns the accounts, users and roles that the statement names.
func (s statement) principals() (names []string) {
	elements, _ := anyOf(s.text).(map[string]any)
	for _, element := range principalElements {
		if kinds, ok := elements[element].(map[string]any); ok {
			more, _ := textsOf(kinds["AWS"])
			names = append(names, more...)
		}
	}
	return names
}
