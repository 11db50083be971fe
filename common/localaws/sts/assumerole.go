package sts

import (
	"encoding/xml"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const setSourceIdentity = "sts:SetSourceIdentity"

// needsToAssumeRole returns the permissions for AssumeRole. The policies of the
// caller must allow them, and the trust policy of the role too, which
// assumeRole checks.
func needsToAssumeRole(c *service.Request, in assumeRoleInput) []service.Permission {
	actions := []string{"sts:AssumeRole"}
	if len(in.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.identity(c) != "" {
		actions = append(actions, setSourceIdentity)
	}
	var permissions []service.Permission
	for _, action := range actions {
		permissions = append(permissions, service.Permission{Action: action, Resource: in.roleARN, Context: in.context(c)})
	}
	return permissions
}

// context returns the condition keys that come from the input.
func (in assumeRoleInput) context(c *service.Request) map[string][]string {
	context := map[string][]string{"sts:RoleSessionName": {in.sessionName}}
	if in.externalID != nil {
		context["sts:ExternalId"] = []string{*in.externalID}
	}
	if identity := in.identity(c); identity != "" {
		context["sts:SourceIdentity"] = []string{identity}
	}
	if len(in.transitive) > 0 {
		context["sts:TransitiveTagKeys"] = in.transitive
	}
	service.AddRequestTags(context, service.TagMap(in.tags))
	return context
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
	SourceIdentity   string   `xml:"SourceIdentity,omitempty"`
}

func (s *Store) assumeRole(c *service.Request, in assumeRoleInput) (any, error) {
	role, err := s.roles.assumable(c, in)
	if err != nil {
		return nil, err
	}
	if err := in.checkDuration(c, role); err != nil {
		return nil, err
	}
	percent, err := in.packedSize()
	if err != nil {
		return nil, err
	}
	session := &service.Session{
		Principal:   in.principal(c, role),
		Expires:     c.Now.Add(time.Duration(in.seconds()) * time.Second).Truncate(time.Second),
		Permissions: role.permissions,
	}
	if in.policy != nil {
		limit, err := policy.Parse(*in.policy)
		if err != nil {
			return nil, service.Errorf("MalformedPolicyDocument", "%v", err)
		}
		session.SessionPolicy, session.SessionPolicyText = &limit, *in.policy
	}
	s.sessions.Issue(session, c.Now)
	return assumeRoleResult{
		AccessKeyID:      session.AccessKey,
		SecretAccessKey:  session.Secret,
		SessionToken:     session.Token,
		Expiration:       session.Expires.UTC().Format(time.RFC3339),
		AssumedRoleID:    session.Principal.UserID,
		ARN:              session.Principal.ARN,
		PackedPolicySize: percent,
		SourceIdentity:   session.Principal.SourceIdentity,
	}, nil
}

// principal returns the principal of the new session. It has the tags of the
// input and the transitive tags of the caller, and those of the role whose keys
// are not among them.
func (in assumeRoleInput) principal(c *service.Request, r role) service.Principal {
	tags, transitive := service.TagMap(in.tags), make(map[string]string)
	for key, value := range tags {
		if slices.ContainsFunc(in.transitive, func(t string) bool { return strings.EqualFold(t, key) }) {
			transitive[key] = value
		}
	}
	maps.Copy(tags, c.Caller.Transitive)
	maps.Copy(transitive, c.Caller.Transitive)
	addMissing(tags, r.Tags)
	region := c.Place().Region
	identity := r.arn(region)
	return service.Principal{
		Account:    r.Account,
		ARN:        "arn:" + region.Partition() + ":sts::" + r.Account + ":assumed-role/" + r.Name + "/" + in.sessionName,
		Identity:   identity,
		UserID:     service.UniqueID("AROA", identity) + ":" + in.sessionName,
		Tags:       tags,
		Transitive: transitive,

		SourceIdentity: in.identity(c),
	}
}

// addMissing adds the tags whose keys are not there. Case makes no difference.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func addMissing(tags, more map[string]string) {
	there := make(map[string]bool)
	for key := range tags {
		there[strings.ToLower(key)] = true
	}
	for key, value := range more {
		if !there[strings.ToLower(key)] {
			tags[key] = value
		}
	}
}
