package api

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
)

// A pathVar is a variable in the paths of the table.
type pathVar struct {
	Name     string // as paths have it in braces
	LogField string // the field of the log line that holds its value, and nothing else
	Sample   string // a good value, for the tests

	// Read checks a decoded value. It returns the value as handlers and the log
	// have it, or a common.Error.
	Read func(value string, c *common.Config) (string, error)
	// In returns the place of the variable's value.
	In func(*pathValues) *string
}

var inBraces = regexp.MustCompile(`\{([^}]*)\}`)

// varsIn returns the names of the variables of a path, in their order.
func varsIn(template string) []string {
	var names []string
	for _, match := range inBraces.FindAllStringSubmatch(template, -1) {
		names = append(names, match[1])
	}
	return names
}

// overlap tells whether a path fits both templates. A variable fits every
// segment.
func overlap(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	if len(as) != len(bs) {
		return false
	}
	for i := range as {
		if as[i] != bs[i] && !isVar(as[i]) && !isVar(bs[i]) {
			return false
		}
	}
	return true
}

func isVar(segment string) bool { return inBraces.MatchString(segment) }

func findVar(vars []pathVar, name string) (pathVar, bool) {
	for _, v := range vars {
		if v.Name == name {
			return v, true
		}
	}
	return pathVar{}, false
}

// checkPathVars returns what is wrong with the declarations.
func checkPathVars(vars []pathVar) error {
	names, fields := map[string]bool{}, map[string]bool{}
	for _, v := range vars {
		missing := v.missing()
		switch {
		case missing != "":
			return fmt.Errorf("path variable {%s} has no %s", v.Name, missing)
		case names[v.Name]:
			return fmt.Errorf("path variable {%s} is declared twice", v.Name)
		case fields[v.LogField] || slices.Contains(logFields, v.LogField):
			return fmt.Errorf("path variable {%s} has the LogField %s, which the log line has already", v.Name, v.LogField)
		}
		names[v.Name], fields[v.LogField] = true, true
	}
	return nil
}

func (v pathVar) missing() string {
	switch {
	case v.Read == nil:
		return "Read, which checks it"
	case v.In == nil:
		return "In, the place of its value"
	case v.LogField == "":
		return "LogField"
	case v.Sample == "":
		return "Sample"
	}
	return ""
}

// readPath decodes and checks the variables of the request's path. The router
// matched them while they were still escaped: a %2F in a name is not a slash of
// the path. With an error it returns the variables before the wrong one.
func readPath(r *http.Request, c *common.Config) (pathValues, error) {
	var p pathValues
	escaped := recordOf(r).match.Vars
	for _, v := range pathVars { // in the order of a path, so that the error is about its first mistake
		text, ok := escaped[v.Name]
		if !ok {
			continue
		}
		value, err := url.PathUnescape(text)
		if err != nil {
			return p, common.Errorf(common.BadRequest, "The %s in the path is not percent-encoded correctly.", v.Name)
		}
		if value, err = v.Read(value, c); err != nil {
			return p, err
		}
		*v.In(&p) = value
	}
	return p, nil
}

// readAccount returns the id of an account. The value is that id or an alias.
func readAccount(value string, c *common.Config) (string, error) {
	id, ok := c.AccountID(value)
	if !ok {
		return "", common.Errorf(common.AccountUnknown, "account not found: name it by its twelve digits or a configured alias")
	}
	return id, nil
}

func readGroup(value string, _ *common.Config) (string, error) {
	return value, checkName("The group", value)
}

func readName(value string, _ *common.Config) (string, error) {
	return value, checkName("The name", value)
}

// userName is IAM's rule for the name of a user. The earlier service has users with
// such names, so a path may have them all. None of the characters has a meaning
// in the ARN of a policy.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
var userName = regexp.MustCompile(`^[\w+=,.@-]+$`)

func readUser(value string, _ *common.Config) (string, error) {
	if !userName.MatchString(value) || value == "." || value == ".." {
		return "", common.Errorf(common.BadRequest, "The user must be of letters, digits and + = , . @ _ -, and not '.' or '..'.")
	}
	return value, nil
}

// accessKeyID is IAM's rule for the id of an access key.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html
var accessKeyID = regexp.MustCompile(`^\w{16,128}$`)

func readAccessKey(value string, _ *common.Config) (string, error) {
	if !accessKeyID.MatchString(value) {
		return "", common.Errorf(common.BadRequest, "The key in the path must be the id of an access key: 16 to 128 letters, digits and _.")
	}
	return value, nil
}
