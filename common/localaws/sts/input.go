package sts

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// assumeRoleInput is the form of AssumeRole.
type assumeRoleInput struct {
	roleARN, sessionName string
	externalID, policy   *string // nil if absent
	sourceIdentity       *string
	duration             string // in seconds, as written; "" means defaultDuration
	tags                 []service.Tag
	transitive           []string
	unsupported          string // a parameter that this AWS does not support; "" if there is none
}

// unsupportedParameters are refused. If they were ignored, a session could have
// more rights here than in AWS.
var unsupportedParameters = []string{"PolicyArns", "SerialNumber", "TokenCode", "ProvidedContexts"}

func decodeAssumeRole(_ *service.Request, body []byte) (assumeRoleInput, error) {
	form, err := service.ParseForm(body)
	if err != nil {
		return assumeRoleInput{}, err
	}
	in := assumeRoleInput{
		roleARN:     form.Get("RoleArn"),
		sessionName: form.Get("RoleSessionName"),
		externalID:  optional(form, "ExternalId"),
		policy:      optional(form, "Policy"),
		duration:    form.Get("DurationSeconds"),

		sourceIdentity: optional(form, "SourceIdentity"),
		tags:           service.FormTags(form),
	}
	for n := 1; form.Has(service.Member("TransitiveTagKeys", n)); n++ {
		in.transitive = append(in.transitive, form.Get(service.Member("TransitiveTagKeys", n)))
	}
	for parameter := range form {
		name, _, _ := strings.Cut(parameter, ".")
		if slices.Contains(unsupportedParameters, name) {
			in.unsupported = name
		}
	}
	return in, nil
}

func optional(form url.Values, name string) *string {
	if !form.Has(name) {
		return nil
	}
	value := form.Get(name)
	return &value
}

// Limits of AssumeRole. Durations are in seconds.
const (
	minDuration     = 900
	maxDuration     = 43200
	defaultDuration = 3600
	defaultMax      = 3600 // of a role
	maxChained      = 3600 // if a session assumes the role
	maxPolicy       = 2048 // characters
)

var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]*$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:\/-]*$`)
	policyPattern      = regexp.MustCompile(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`)
	roleARNPattern     = regexp.MustCompile(`^arn:([a-z-]+):iam::([0-9]{12}):role/([\w+=,.@/-]+)$`)
)

func (in assumeRoleInput) Check(c *service.Request) error {
	if in.unsupported != "" {
		return service.Errorf("ValidationError", "the parameter %s is not supported here", in.unsupported)
	}
	if err := in.violations().Err(); err != nil {
		return err
	}
	if !roleARNPattern.MatchString(in.roleARN) {
		return service.Errorf("ValidationError", "%s is invalid", in.roleARN)
	}
	if has := c.Caller.SourceIdentity; has != "" && in.sourceIdentity != nil && *in.sourceIdentity != has {
		return c.Denied(service.Permission{Action: setSourceIdentity, Resource: in.roleARN}, "")
	}
	if err := service.CheckTagKeys("InvalidParameterValue", in.tags); err != nil {
		return err
	}
	return in.checkTransitive(c.Caller.Transitive)
}

// violations returns what is wrong with each single parameter.
func (in assumeRoleInput) violations() service.Violations {
	var v service.Violations
	v.Text("roleArn", in.roleARN, 20, 2048, nil)
	v.Text("roleSessionName", in.sessionName, 2, 64, sessionNamePattern)
	if in.externalID != nil {
		v.Text("externalId", *in.externalID, 2, 1224, externalIDPattern)
	}
	if in.sourceIdentity != nil {
		v.Text("sourceIdentity", *in.sourceIdentity, 2, 64, sessionNamePattern)
	}
	if in.policy != nil {
		v.Text("policy", *in.policy, 1, maxPolicy, policyPattern)
	}
	if in.duration != "" {
		v.Number("durationSeconds", in.duration, minDuration, maxDuration)
	}
	v.Tags(in.tags)
	return v
}

// checkTransitive checks the transitive tags, and that no tag replaces an
// inherited one.
func (in assumeRoleInput) checkTransitive(inherited map[string]string) error {
	for _, key := range in.transitive {
		if !in.hasTag(key) {
			return service.Errorf("InvalidParameterValue",
				"The specified transitive tag key must be included in the requested tags.")
		}
	}
	for key := range inherited {
		if in.hasTag(key) {
			return service.Errorf("InvalidParameterValue", "One of the specified transitive tag keys can't be set "+
				"because it conflicts with a transitive tag key from the calling session.")
		}
	}
	return nil
}

// hasTag reports whether there is a tag with the key. Case makes no difference.
func (in assumeRoleInput) hasTag(key string) bool {
	return slices.ContainsFunc(in.tags, func(t service.Tag) bool { return strings.EqualFold(t.Key, key) })
}

// identity returns the source identity of the new session. It is that of the
// caller if the caller has one.
func (in assumeRoleInput) identity(c *service.Request) string {
	if in.sourceIdentity == nil || c.Caller.SourceIdentity != "" {
		return c.Caller.SourceIdentity
	}
	return *in.sourceIdentity
}

// seconds returns how long the session lasts.
func (in assumeRoleInput) seconds() int {
	if in.duration == "" {
		return defaultDuration
	}
	seconds, _ := strconv.Atoi(in.duration) // Check has checked that it is a number
	return seconds
}

// checkDuration checks the duration against the limits that are not in the
// input. AWS looks at that of the role first.
func (in assumeRoleInput) checkDuration(c *service.Request, r role) error {
	if in.seconds() > r.maxDuration() {
		return service.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if c.Caller.UserName == "" && in.seconds() > maxChained {
		return service.Errorf("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return nil
}
