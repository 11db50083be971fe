package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// member is one name and value of a JSON object.
type member struct {
	name  string
	value json.RawMessage
}

// object returns the members of a JSON object in their order. Unlike
// json.Unmarshal, it distinguishes upper and lower case in names, and refuses a
// name that is given twice.
func object(raw json.RawMessage) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var members []member
	seen := make(map[string]bool)
	for decoder.More() {
		t, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		m := member{name: t.(string)} // here the decoder returns only strings
		if seen[m.name] {
			return nil, fmt.Errorf("%q is there twice", m.name)
		}
		seen[m.name] = true
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

// list returns the elements of a JSON array. Any other value is a list of one.
func list(raw json.RawMessage) ([]json.RawMessage, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		var elements []json.RawMessage
		err := json.Unmarshal(raw, &elements)
		return elements, err
	}
	return []json.RawMessage{raw}, nil
}

// oneOrMany returns the strings of a JSON array. A single string is an array of
// one.
func oneOrMany(raw json.RawMessage) ([]string, error) {
	elements, err := list(raw)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, element := range elements {
		t, err := text(element)
		if err != nil {
			return nil, err
		}
		texts = append(texts, t)
	}
	return texts, nil
}

// text returns a JSON string. It also accepts true, false and numbers, and
// returns them as they are written. IAM does that too, for example in {"Null":
// {"aws:TagKeys": false}}.
func text(raw json.RawMessage) (string, error) {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	switch v := value.(type) {
	case string:
		return v, nil
	case bool, json.Number:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("%s is not a string", raw)
}
