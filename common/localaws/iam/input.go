package iam

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// parameter is one that an operation takes, with its constraints.
type parameter struct {
	name        string
	least, most int  // characters, or the number itself
	optional    bool // it may be missing
	number      bool
	values      []string // the only ones, if not nil
	pattern     *regexp.Regexp
	must        string // what the pattern means, in AWS's words
	list        bool   // of tags
}

var namePattern = regexp.MustCompile(`^[\w+=,.@-]+$`)

const nameMust = "It must contain only alphanumeric characters and/or the following: +=,.@_-"

// The parameters of the operations.
var (
	userName    = parameter{name: "UserName", least: 1, most: 128, pattern: namePattern, must: nameMust}
	newUserName = parameter{name: "UserName", least: 1, most: 64, pattern: namePattern, must: nameMust}
	policyName  = parameter{name: "PolicyName", least: 1, most: 128, pattern: namePattern, must: nameMust}
	groupName   = parameter{name: "GroupName", least: 1, most: 128, pattern: namePattern, must: nameMust}
	accessKeyID = parameter{
		name: "AccessKeyId", least: 16, most: 128, pattern: regexp.MustCompile(`^\w+$`),
		must: "It must contain only alphanumeric characters.",
	}
	status = parameter{name: "Status", values: []string{active, inactive}}

	path = parameter{
		name: "Path", least: 1, most: 512, optional: true, pattern: regexp.MustCompile(`^(/|/[\x21-\x7E]+/)$`),
		must: "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
	}
	pathPrefix = parameter{
		name: "PathPrefix", least: 1, most: 512, optional: true, pattern: regexp.MustCompile(`^/[\x21-\x7F]*$`),
		must: "It must begin with / and contain only alphanumeric characters and/or / characters.",
	}
	policyDocument = parameter{
		name: "PolicyDocument", least: 1, most: 131072,
		pattern: regexp.MustCompile(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`),
		must:    "It must contain only printable ASCII characters.",
	}
	boundary  = parameter{name: "PermissionsBoundary", least: 20, most: 2048}
	policyARN = parameter{name: "PolicyArn", least: 20, most: 2048}
	tags      = parameter{name: "Tags", list: true}
	marker    = parameter{name: "Marker", least: 1, most: 320, optional: true}
	maxItems  = parameter{name: "MaxItems", least: 1, most: maxPage, optional: true, number: true}
)

func optional(p parameter) parameter {
	p.optional = true
	return p
}

// label returns the name of the parameter in an error.
func (p parameter) label() string { return strings.ToLower(p.name[:1]) + p.name[1:] }

func (p parameter) check(v *service.Violations, in input) {
	value := in.Get(p.name)
	switch {
	case p.list:
		v.Tags(in.tags())
	case p.optional && !in.Has(p.name):
	case p.number:
		v.Number(p.label(), value, p.least, p.most)
	case p.values != nil && !slices.Contains(p.values, value):
		v.Add(p.label(), value, "Member must satisfy enum value set: ["+strings.Join(p.values, ", ")+"]")
	case p.values == nil:
		v.Text(p.label(), value, p.least, p.most, nil)
	}
}

// input is the form of an operation, with the parameters that the operation
// takes.
type input struct {
	url.Values
	parameters []parameter
}

// Check refuses a parameter that the operation does not take too. If it were
// ignored, a user could have more rights here than in AWS.
func (in input) Check(c *service.Request) error {
	var v service.Violations
	for _, p := range in.parameters {
		p.check(&v, in)
	}
	if err := v.Err(); err != nil {
		return err
	}
	for _, p := range in.parameters {
		if value := in.Get(p.name); p.pattern != nil && value != "" && !p.pattern.MatchString(value) {
			return service.Errorf(codeParameter, "The specified value for %s is invalid. %s", p.label(), p.must)
		}
	}
	for name := range in.Values {
		if !in.takes(name) {
			return service.Errorf(codeParameter, "the parameter %s is not supported here", name)
		}
	}
	if in.takes(userName.name) && in.user(c) == "" {
		return service.Errorf(codeParameter, "Must specify userName when calling with non-User credentials")
	}
	return service.CheckTagKeys(codeInvalid, in.tags())
}

func (in input) takes(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	isThis := func(p parameter) bool { return p.name == name }
	return name == "Action" || name == "Version" || slices.ContainsFunc(in.parameters, isThis)
}

// user returns the name of the user that the call is about. If the call names
// none, it is the caller, and "" if the caller is no user.
func (in input) user(c *service.Request) string {
	if name := in.Get(userName.name); name != "" {
		return name
	}
	return c.Caller.UserName
}

func (in input) tags() []service.Tag { return service.FormTags(in.Values) }

// path returns the path of a new user.
func (in input) path() string {
	if !in.Has(path.name) {
		return "/"
	}
	return in.Get(path.name)
}

// size returns how many items a page has at most. Check has checked that it is
// a number.
func (in input) size() int {
	if n, err := strconv.Atoi(in.Get(maxItems.name)); err == nil {
		return n
	}
	return defaultPage
}
