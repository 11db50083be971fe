package service

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxTags is how many tags a call of STS or IAM may have.
const maxTags = 50

// Violations are all that is wrong with the parameters of an input. STS and IAM
// report it in one error.
type Violations []string

// Add adds a value that breaks a constraint. The path is that of its parameter.
func (v *Violations) Add(path, value, constraint string) {
	*v = append(*v, fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// Text checks the length and the characters of a text. A text with a minimum
// length must not be empty.
func (v *Violations) Text(path, value string, least, most int, pattern *regexp.Regexp) {
	length := utf8.RuneCountInString(value)
	switch {
	case value == "" && least > 0:
		*v = append(*v, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path))
	case length < least:
		v.Add(path, value, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case length > most:
		v.Add(path, value, "Member must have length less than or equal to "+strconv.Itoa(most))
	case pattern != nil && !pattern.MatchString(value):
		v.Add(path, value, "Member must satisfy regular expression pattern: "+strings.Trim(pattern.String(), "^$"))
	}
}

// Number checks that a text is a number within its bounds.
func (v *Violations) Number(path, value string, least, most int) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		v.Add(path, value, "Member must be a whole number")
	case n < least:
		v.Add(path, value, "Member must have value greater than or equal to "+strconv.Itoa(least))
	case n > most:
		v.Add(path, value, "Member must have value less than or equal to "+strconv.Itoa(most))
	}
}

// Tags checks how many tags there are, and each key and value by itself.
func (v *Violations) Tags(tags []Tag) {
	if len(tags) > maxTags {
		v.Add("tags", "[...]", "Member must have length less than or equal to "+strconv.Itoa(maxTags))
	}
	for i, t := range tags {
		path := "tags." + strconv.Itoa(i+1) + ".member."
		v.Text(path+"key", t.Key, 1, 128, TagKeyPattern)
		v.Text(path+"value", t.Value, 0, 256, TagValuePattern)
	}
}

// Err returns the violations as one error, nil if there are none.
func (v Violations) Err() error {
	switch len(v) {
	case 0:
		return nil
	case 1:
		return Errorf("ValidationError", "1 validation error detected: %s", v[0])
	}
	return Errorf("ValidationError", "%d validation errors detected: %s", len(v), strings.Join(v, "; "))
}
