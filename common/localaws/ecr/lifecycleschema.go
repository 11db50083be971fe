package ecr

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

const maxLifecycleRules = 50

// schema is the form of a value in a lifecycle policy. ECR checks policies by a
// JSON schema, and answers in the words of the program that does so.
type schema struct {
	kind       string            // of JSON; "" means any
	properties map[string]schema // of an object
	required   []string          // those that an object must have, in order
	items      *schema           // of an array
	most       int               // how many items an array has, and one at least; 0 means any number
	enum       []string          // of a text, in order; nil means any text
}

// lifecycleSchema is the form of a policy. What depends on several properties is
// checked afterwards.
var lifecycleSchema = schema{kind: "object", required: []string{"rules"}, properties: map[string]schema{
	"rules": {kind: "array", most: maxLifecycleRules, items: &ruleSchema},
}}

var ruleSchema = schema{kind: "object", required: []string{"action", "rulePriority", "selection"}, properties: map[string]schema{
	"rulePriority": {kind: "integer"},
	"description":  {kind: "string"},
	"selection": {kind: "object", required: []string{"countNumber", "countType", "tagStatus"}, properties: map[string]schema{
		"tagStatus":      {kind: "string", enum: []string{"any", "tagged", "untagged"}},
		"tagPatternList": {kind: "array", items: &schema{kind: "string"}},
		"tagPrefixList":  {kind: "array", items: &schema{kind: "string"}},
		"storageClass":   {kind: "string", enum: []string{"archive", "standard"}},
		"countType":      {kind: "string"},
		"countUnit":      {},
		"countNumber":    {kind: "integer"},
	}},
	"action": {kind: "object", required: []string{"type"}, properties: map[string]schema{
		"type":               {kind: "string", enum: []string{"expire", "transition"}},
		"targetStorageClass": {},
	}},
}}

// fault says what is wrong with a value, "" if nothing is. Its numbers are
// json.Number.
func (s schema) fault(value any) string {
	if s.kind == "" {
		return ""
	}
	if kind := kindOf(value); kind != s.kind {
		return fmt.Sprintf(`instance type (%s) does not match any allowed primitive type (allowed: ["%s"])`, kind, s.kind)
	}
	switch v := value.(type) {
	case map[string]any:
		return s.faultOfObject(v)
	case []any:
		return s.faultOfArray(v)
	case json.Number:
		return faultBelow(1, v)
	case string:
		if s.enum != nil && !slices.Contains(s.enum, v) {
			return fmt.Sprintf("instance value (%s) not found in enum :(possible values: %s)", v, quoted(s.enum))
		}
	}
	return ""
}

// kindOf returns the JSON schema's word for the type of a value.
func kindOf(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return "number"
		}
		return "integer"
	}
	return "null"
}

func (s schema) faultOfObject(object map[string]any) string {
	missing := slices.DeleteFunc(slices.Clone(s.required), func(name string) bool { _, ok := object[name]; return ok })
	if len(missing) > 0 {
		return "object has missing required properties (" + quoted(missing) + ")"
	}
	names := slices.Sorted(maps.Keys(object))
	unknown := slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ok := s.properties[name]; return ok })
	if len(unknown) > 0 {
		return "object instance has properties which are not allowed by the schema: (" + quoted(unknown) + ")"
	}
	for _, name := range names {
		if fault := s.properties[name].fault(object[name]); fault != "" {
			return fault
		}
	}
	return ""
}

func (s schema) faultOfArray(array []any) string {
	switch n := len(array); {
	case s.most > 0 && n == 0:
		return "array is too short: must have at least 1 elements but instance has 0 elements"
	case s.most > 0 && n > s.most:
		return fmt.Sprintf("array is too long: must have at most %d elements but instance has %d elements", s.most, n)
	}
	for _, item := range array {
		if fault := s.items.fault(item); fault != "" {
			return fault
		}
	}
	return ""
}

// faultBelow says that an integer is less than it must be.
func faultBelow(least int64, number json.Number) string {
	if n, _ := number.Int64(); n < least {
		return fmt.Sprintf("numeric instance is lower than the required minimum (minimum: %d, found: %d)", least, n)
	}
	return ""
}

// quoted returns a list of names as JSON.
func quoted(names []string) string { return string(mustMarshal(names)) }
