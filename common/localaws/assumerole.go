package localaws

import (
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// assumeRoleInput is the form of AssumeRole.
type assumeRoleInput struct {
	roleARN, sessionName string
	externalID, policy   *string
	duration             string // "" is the default
	tags                 []tag
	transitive           []string
	unsupported          string // name of a parameter that this AWS has no idea of
}

// unsupportedParameters are refused, since ignoring them could allow more than AWS would.
var unsupportedParameters = []string{"PolicyArns", "SerialNumber", "TokenCode", "SourceIdentity", "ProvidedContexts"}

func decodeAssumeRole(body []byte) (assumeRoleInput, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return assumeRoleInput{}, fail("MalformedQueryString", "%v", err)
	}
	in := assumeRoleInput{
		roleARN:     form.Get("RoleArn"),
		sessionName: form.Get("RoleSessionName"),
		externalID:  optional(form, "ExternalId"),
		policy:      optional(form, "Policy"),
		duration:    form.Get("DurationSeconds"),
	}
	for n := 1; form.Has(member("Tags", n) + ".Key"); n++ {
		in.tags = append(in.tags, tag{Key: form.Get(member("Tags", n) + ".Key"), Value: form.Get(member("Tags", n) + ".Value")})
	}
	for n := 1; form.Has(member("TransitiveTagKeys", n)); n++ {
		in.transitive = append(in.transitive, form.Get(member("TransitiveTagKeys", n)))
	}
	for parameter := range form {
		name, _, _ := strings.Cut(parameter, ".")
		if slices.Contains(unsupportedParameters, name) {
			in.unsupported = name
		}
	}
	return in, nil
}

func member(list string, n int) string {
	return list + ".member." + strconv.Itoa(n)
}

func optional(form url.Values, name string) *string {
	if !form.Has(name) {
		return nil
	}
	value := form.Get(name)
	return &value
}

func (in assumeRoleInput) repository() string { return "" }

const (
	minDuration     = 900
	maxDuration     = 43200
	defaultDuration = 3600
	maxChained      = 3600
	maxPolicy       = 2048
)

func (in assumeRoleInput) check(c *call) error {
	if in.unsupported != "" {
		return fail("ValidationError", "the parameter %s is not supported here", in.unsupported)
	}
	var v violations
	v.text("roleArn", in.roleARN, 20, 2048, nil)
	v.text("roleSessionName", in.sessionName, 2, 64, sessionNamePattern)
	if in.externalID != nil {
		v.text("externalId", *in.externalID, 2, 1224, externalIDPattern)
	}
	if in.policy != nil {
		v.text("policy", *in.policy, 1, maxPolicy, policyPattern)
	}
	if in.duration != "" {
		v.number("durationSeconds", in.duration, minDuration, maxDuration)
	}
	if len(in.tags) > maxTags {
		v.add("tags", "[...]", "Member must have length less than or equal to "+strconv.Itoa(maxTags))
	}
	for i, t := range in.tags {
		path := "tags." + strconv.Itoa(i+1) + ".member."
		v.text(path+"key", t.Key, 1, 128, tagKeyPattern)
		v.text(path+"value", t.Value, 0, 256, tagValuePattern)
	}
	if err := v.err(); err != nil {
		return err
	}
	if !roleARNPattern.MatchString(in.roleARN) {
		return fail("ValidationError", "%s is invalid", in.roleARN)
	}
	if c.principal.session != nil && in.seconds() > maxChained {
		return fail("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	return in.checkTags(c)
}

// checkTags checks what is not a matter of a single tag.
func (in assumeRoleInput) checkTags(c *call) error {
	seen := make(map[string]bool)
	for _, t := range in.tags {
		key := strings.ToLower(t.Key)
		if strings.HasPrefix(key, "aws:") {
			return fail("InvalidParameterValue", "Tag keys beginning with aws: are reserved for system use.")
		}
		if seen[key] {
			return fail("InvalidParameterValue",
				"Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[key] = true
	}
	for _, key := range in.transitive {
		if !seen[strings.ToLower(key)] {
			return fail("InvalidParameterValue",
				"The specified transitive tag key must be included in the requested tags.")
		}
	}
	for inherited := range c.principal.transitive {
		if seen[strings.ToLower(inherited)] {
			return fail("InvalidParameterValue", "One of the specified transitive tag keys can't be set "+
				"because it conflicts with a transitive tag key from the calling session.")
		}
	}
	return nil
}

func (in assumeRoleInput) seconds() int {
	if in.duration == "" {
		return defaultDuration
	}
	seconds, _ := strconv.Atoi(in.duration) // check has seen to it
	return seconds
}

// context returns the condition keys that the call brings, which trust policies look at too.
func (in assumeRoleInput) context() map[string][]string {
	context := map[string][]string{"sts:RoleSessionName": {in.sessionName}}
	if in.externalID != nil {
		context["sts:ExternalId"] = []string{*in.externalID}
	}
	if len(in.transitive) > 0 {
		context["sts:TransitiveTagKeys"] = in.transitive
	}
	addRequestTags(context, tagMap(in.tags))
	return context
}

// needsAssumeRole asks the caller's policies; those of the role are asked by assumeRole.
func needsAssumeRole(_ *Server, _ *call, in assumeRoleInput) []permission {
	permissions := []permission{{action: "sts:AssumeRole", resource: in.roleARN, context: in.context()}}
	if len(in.tags) > 0 {
		permissions = append(permissions, permission{action: "sts:TagSession", resource: in.roleARN, context: in.context()})
	}
	return permissions
}

// assumeRoleResult is the answer of AssumeRole.
type assumeRoleResult struct {
	XMLName          xml.Name `xml:"AssumeRoleResult"`
	AccessKeyID      string   `xml:"Credentials>AccessKeyId"`
	SecretAccessKey  string   `xml:"Credentials>SecretAccessKey"`
	SessionToken     string   `xml:"Credentials>SessionToken"`
	Expiration       string   `xml:"Credentials>Expiration"`
	AssumedRoleID    string   `xml:"AssumedRoleUser>AssumedRoleId"`
	ARN              string   `xml:"AssumedRoleUser>Arn"`
	PackedPolicySize *int     `xml:"PackedPolicySize,omitempty"`
}

func (s *Server) assumeRole(c *call, in assumeRoleInput) (any, error) {
	role, err := s.trusted(c, in)
	if err != nil {
		return nil, err
	}
	percent, err := in.packedSize()
	if err != nil {
		return nil, err
	}
	issued := newSession(in.principal(c, role), c.now.Add(time.Duration(in.seconds())*time.Second).Truncate(time.Second))
	issued.permissions = role.permissions
	if in.policy != nil {
		limit, err := policy.Parse(*in.policy)
		if err != nil {
			return nil, fail("MalformedPolicyDocument", "%v", err)
		}
		issued.limit, issued.limitText = &limit, *in.policy
	}
	s.sessions.add(issued, c.now)
	return assumeRoleResult{
		AccessKeyID:      issued.accessKey,
		SecretAccessKey:  issued.secret,
		SessionToken:     issued.token,
		Expiration:       issued.expires.UTC().Format(time.RFC3339),
		AssumedRoleID:    issued.principal.userID,
		ARN:              issued.principal.arn,
		PackedPolicySize: percent,
	}, nil
}

// trusted returns the role if its trust policy lets the caller in. A role or an account that does
// not exist gets the same answer as one that says no.
func (s *Server) trusted(c *call, in assumeRoleInput) (role, error) {
	assume := permission{action: "sts:AssumeRole", resource: in.roleARN, context: in.context()}
	parts := roleARNPattern.FindStringSubmatch(in.roleARN)
	partition, account, name := parts[1], parts[2], parts[3]
	r, ok := s.roles[account+"/"+name]
	if !ok || partition != c.region.partition() {
		return role{}, c.denied(assume, "")
	}
	asked := []permission{assume}
	if len(in.tags) > 0 {
		tagging := assume
		tagging.action = "sts:TagSession"
		asked = append(asked, tagging)
	}
	for _, p := range asked {
		decision, err := policy.Decide(policy.Request{
			Action:    p.action,
			Principal: c.Principal,
			Context:   c.context(p),
		}, r.trust)
		if err != nil {
			return role{}, c.denied(p, " because the trust policy cannot be decided: "+err.Error())
		}
		if decision != policy.Allow {
			return role{}, c.denied(p, "")
		}
	}
	return r, nil
}

// principal returns who the session will be.
func (in assumeRoleInput) principal(c *call, r role) principal {
	tags, transitive := tagMap(in.tags), make(map[string]string)
	for key, value := range tags {
		if slices.ContainsFunc(in.transitive, func(t string) bool { return strings.EqualFold(t, key) }) {
			transitive[key] = value
		}
	}
	maps.Copy(tags, c.principal.transitive)
	maps.Copy(transitive, c.principal.transitive)
	identity := c.region.roleARN(r.Account, r.Name)
	return principal{
		account:    r.Account,
		arn:        "arn:" + c.region.partition() + ":sts::" + r.Account + ":assumed-role/" + r.Name + "/" + in.sessionName,
		identity:   identity,
		userID:     uniqueID("AROA", identity) + ":" + in.sessionName,
		tags:       tags,
		transitive: transitive,
	}
}
