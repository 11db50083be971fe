package ecr

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxPolicy is how many characters the policy of a repository may have.
const maxPolicy = 10_240

// verbatim are options that keep JSON that others have written as it is.
var verbatim = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// A policyDocument is the policy of a repository. It keeps what others have
// written word for word, also what this service does not know. The nil document
// is that of a repository without a policy.
type policyDocument struct {
	members    []member // in their order; the value of Statement is in statements
	statements []statement
}

// A member is a member of a JSON object, as it is written.
type member struct{ name, value jsontext.Value }

// is tells whether the member has that name.
func (m member) is(name string) bool {
	written, err := jsontext.AppendUnquote(nil, m.name)
	return err == nil && string(written) == name
}

// A statement is a statement of a policy.
type statement struct {
	text   jsontext.Value
	sid    string // empty if it has none
	effect string // Allow or Deny
}

// isOurs tells whether the statement is one that this service replaces. The
// service denies nothing.
func (s statement) isOurs() bool {
	return s.effect == "Allow" && (s.sid == groupsSid || s.sid == accountsSid || s.sid == earlierSid)
}

const statementElement = "Statement"

// newPolicyDocument returns a document without statements. AWS does not take it
// like that.
func newPolicyDocument() *policyDocument {
	return &policyDocument{members: []member{
		{jsontext.Value(`"Version"`), jsontext.Value(`"2012-10-17"`)},
		{jsontext.Value(`"` + statementElement + `"`), nil},
	}}
}

// parsePolicy reads a policy as AWS has it.
func parsePolicy(text string) (*policyDocument, error) {
	whole := jsontext.Value(text)
	if err := whole.Compact(verbatim); err != nil { // AWS counts spaces too
		return nil, err
	}
	members, err := membersOf(whole)
	if err != nil {
		return nil, err
	}
	d := &policyDocument{members: members}
	found := false
	for i, m := range members {
		if !m.is(statementElement) {
			continue
		}
		if found {
			return nil, fmt.Errorf("%s is there twice", statementElement)
		}
		found = true
		if d.statements, err = statementsOf(m.value); err != nil {
			return nil, err
		}
		members[i].value = nil
	}
	if !found {
		return nil, fmt.Errorf("there is no %s", statementElement)
	}
	return d, nil
}

// membersOf returns the members of a JSON object.
func membersOf(object jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewReader(object), verbatim)
	if start, err := d.ReadToken(); err != nil || start.Kind() != '{' {
		return nil, errors.Join(errors.New("not a JSON object"), err)
	}
	var members []member
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		name = name.Clone() // the next read overwrites it
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		members = append(members, member{name, value.Clone()})
	}
	return members, nil
}

// statementsOf reads the value of Statement: a list, or one statement.
func statementsOf(value jsontext.Value) (list []statement, err error) {
	if value.Kind() != '[' {
		return []statement{newStatement(value)}, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(value), verbatim)
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for d.PeekKind() != ']' {
		text, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		list = append(list, newStatement(text.Clone()))
	}
	return list, nil
}

func newStatement(text jsontext.Value) statement {
	s := statement{text: text}
	members, err := membersOf(text)
	if err != nil { // AWS takes no such statement
		return s
	}
	for _, m := range members {
		switch {
		case m.is("Sid"):
			s.sid, _ = anyOf(m.value).(string)
		case m.is("Effect"):
			s.effect, _ = anyOf(m.value).(string)
		}
	}
	return s
}

// anyOf returns a JSON value as maps, slices and simple values.
func anyOf(text jsontext.Value) any {
	var value any
	_ = json.Unmarshal(text, &value, verbatim) // it is JSON already
	return value
}

// ours returns the statements that this service replaces, and others the rest.
// Each keeps its order.
func (d *policyDocument) ours() []statement   { return d.those(true) }
func (d *policyDocument) others() []statement { return d.those(false) }

func (d *policyDocument) those(ours bool) (list []statement) {
	if d == nil {
		return nil
	}
	for _, s := range d.statements {
		if s.isOurs() == ours {
			list = append(list, s)
		}
	}
	return list
}

// with returns the document with these statements in place of ours. It is nil if
// there is no statement then: AWS takes no policy without one.
func (d *policyDocument) with(ours []statement) *policyDocument {
	if d == nil {
		d = newPolicyDocument()
	}
	statements := append(d.others(), ours...)
	if len(statements) == 0 {
		return nil
	}
	return &policyDocument{d.members, statements}
}

// String returns the text of the document, empty for nil.
func (d *policyDocument) String() string {
	if d == nil {
		return ""
	}
	var text strings.Builder
	for i, m := range d.members {
		text.WriteByte("{,"[min(i, 1)])
		text.Write(m.name)
		text.WriteByte(':')
		if !m.is(statementElement) {
			text.Write(m.value)
			continue
		}
		for j, s := range d.statements {
			text.WriteByte("[,"[min(j, 1)])
			text.Write(s.text)
		}
		text.WriteByte(']')
	}
	text.WriteByte('}')
	return text.String()
}

// length returns how many characters the document has. AWS limits them.
func (d *policyDocument) length() int { return utf8.RuneCountInString(d.String()) }
