package sts

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Role is a role that AssumeRole can assume.
type Role struct {
	Account, Name string
	Trust         string   // trust policy, JSON: who may assume the role, and under which conditions
	Permissions   []string // permission policies, JSON: what a session of the role may do at most
	Tags          map[string]string

	// MaxSessionDuration is how long a session may last, in seconds: an hour to
	// twelve hours. 0 means an hour.
	MaxSessionDuration int
}

// role is a Role with its policies parsed.
type role struct {
	Role
	trust       policy.Policy
	permissions []policy.Policy
}

// maxDuration returns how long a session of the role may last, in seconds.
func (r Role) maxDuration() int { return cmp.Or(r.MaxSessionDuration, defaultMax) }

// roles are the roles by account/name.
type roles map[string]role

var (
	accountPattern  = regexp.MustCompile(`^[0-9]{12}$`)
	roleNamePattern = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
)

// parseRoles returns the roles. An error names the role that is wrong.
func parseRoles(list []Role) (roles, error) {
	parsed := make(roles)
	for _, r := range list {
		if err := parsed.add(r); err != nil {
			return nil, fmt.Errorf("role %s/%s: %w", r.Account, r.Name, err)
		}
	}
	return parsed, nil
}

func (rs roles) add(r Role) error {
	if !accountPattern.MatchString(r.Account) {
		return errors.New("the account is not twelve digits")
	}
	if !roleNamePattern.MatchString(r.Name) {
		return fmt.Errorf("the name does not satisfy %s", roleNamePattern)
	}
	if _, twice := rs[r.Account+"/"+r.Name]; twice {
		return errors.New("the role is given twice")
	}
	if longest := r.maxDuration(); longest < defaultMax || longest > maxDuration {
		return fmt.Errorf("MaxSessionDuration is not between %d and %d", defaultMax, maxDuration)
	}
	if err := checkTags(r.Tags); err != nil {
		return err
	}
	trust, err := policy.ParseTrust(r.Trust)
	if err != nil {
		return fmt.Errorf("trust policy: %w", err)
	}
	var permissions []policy.Policy
	for i, document := range r.Permissions {
		p, err := policy.Parse(document)
		if err != nil {
			return fmt.Errorf("permission policy %d: %w", i+1, err)
		}
		permissions = append(permissions, p)
	}
	rs[r.Account+"/"+r.Name] = role{Role: r, trust: trust, permissions: permissions}
	return nil
}

// checkTags returns an error if a role cannot have the tags. Case makes no
// difference in their keys.
func checkTags(tags map[string]string) error {
	seen := make(map[string]bool)
	for key, value := range tags {
		if !service.TagKeyPattern.MatchString(key) || !service.TagValuePattern.MatchString(value) {
			return fmt.Errorf("the tag %q with the value %q has characters that a tag cannot have", key, value)
		}
		if folded := strings.ToLower(key); seen[folded] {
			return fmt.Errorf("the tag %q is given twice", key)
		}
		seen[strings.ToLower(key)] = true
	}
	return nil
}

// HasRole tells whether a role exists.
func (s *Store) HasRole(account, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.roles[account+"/"+name]
	return ok
}

// RemoveRole removes a role and its sessions, as the deletion of a role in IAM
// does. It returns false if there is no such role.
func (s *Store) RemoveRole(account, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.roles[account+"/"+name]
	delete(s.roles, account+"/"+name)
	s.sessions.ForgetRole(r.Account, r.Name)
	return ok
}

// assumable returns the role of the input if its trust policy lets the caller
// assume it. The refusal is the same for a role that does not exist and for one
// that does not trust the caller.
func (rs roles) assumable(c *service.Request, in assumeRoleInput) (role, error) {
	permissions := needsToAssumeRole(c, in)
	parts := roleARNPattern.FindStringSubmatch(in.roleARN)
	partition, account, name := parts[1], parts[2], parts[3]
	r, ok := rs[account+"/"+name]
	if !ok || partition != c.Place().Region.Partition() {
		return role{}, c.Denied(permissions[0], "")
	}
	for _, p := range permissions {
		decision, err := policy.Decide(c.PolicyRequest(p), r.trust)
		if err != nil {
			return role{}, c.Denied(p, " because the trust policy cannot be decided: "+err.Error())
		}
		if decision != policy.Allow {
			return role{}, c.Denied(p, "")
		}
	}
	return r, nil
}

// arn returns the ARN of the role, with the partition of a region.
func (r role) arn(in service.Region) string {
	return "arn:" + in.Partition() + ":iam::" + r.Account + ":role/" + r.Name
}
