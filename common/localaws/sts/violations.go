package sts

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// violations are all that is wrong with an input. STS reports it in one error.
type violations []string

func (v *violations) add(path, value, constraint string) {
	*v = append(*v, fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// text checks the length and the characters of a text. A text with a minimum
// length must not be empty.
func (v *violations) text(path, value string, least, most int, pattern *regexp.Regexp) {
	length := utf8.RuneCountInString(value)
	switch {
	case value == "" && least > 0:
		*v = append(*v, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path))
	case length < least:
		v.add(path, value, "Member must have length greater than or equal to "+strconv.Itoa(least))
	case length > most:
		v.add(path, value, "Member must have length less than or equal to "+strconv.Itoa(most))
	case pattern != nil && !pattern.MatchString(value):
		v.add(path, value, "Member must satisfy regular expression pattern: "+strings.Trim(pattern.String(), "^$"))
	}
}

func (v *violations) number(path, value string, least, most int) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil:
		v.add(path, value, "Member must be a whole number")
	case n < least:
		v.add(path, value, "Member must have value greater than or equal to "+strconv.Itoa(least))
	case n > most:
		v.add(path, value, "Member must have value less than or equal to "+strconv.Itoa(most))
	}
}

func (v violations) err() error {
	switch len(v) {
	case 0:
		return nil
	case 1:
		return service.Errorf("ValidationError", "1 validation error detected: %s", v[0])
	}
	return service.Errorf("ValidationError", "%d validation errors detected: %s", len(v), strings.Join(v, "; "))
}
