package ecr

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const maxPolicy = 10_240 // characters

// repositoryPolicy is the policy of a repository.
type repositoryPolicy struct {
	text   string
	policy policy.Policy
}

// parsed returns the policy for a decision, nil if there is none.
func (p *repositoryPolicy) parsed() *policy.Policy {
	if p == nil {
		return nil
	}
	return &p.policy
}

// setRepositoryPolicyInput has no force: here no policy needs it.
type setRepositoryPolicyInput struct {
	RepositoryID
	Text *string `json:"policyText"`
}

func (in setRepositoryPolicyInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	switch {
	case in.Text == nil:
		return invalidParameter("policyText", "must not be null")
	case utf8.RuneCountInString(*in.Text) > maxPolicy:
		return invalidParameter("policyText", "Member must have length less than or equal to 10240")
	}
	return nil
}

// repositoryPolicyOutput is the answer of all three operations.
type repositoryPolicyOutput struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
	Text           string `json:"policyText"`
}

func (r *repository) policyOutput() repositoryPolicyOutput {
	return repositoryPolicyOutput{r.account, r.name, r.policy.text}
}

// setRepositoryPolicy replaces the policy. ECR writes the text anew. Here only
// the principals are written as ECR does: accounts by their ARNs, and lists in
// another order.
func (s *Store) setRepositoryPolicy(c *service.Request, in setRepositoryPolicyInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	parsed, err := policy.ParseResource(*in.Text)
	if err != nil {
		// ECR does not say what is wrong.
		return nil, invalidParameter("PolicyText", "Invalid repository policy provided")
	}
	if slices.ContainsFunc(parsed.Principals(), s.isUnknown) {
		return nil, invalidParameter("PolicyText", "Principal not found")
	}
	text := withAccountARNs(*in.Text, c.Place().Region.Partition())
	r.policy = &repositoryPolicy{inAnotherOrder(text), parsed}
	return r.policyOutput(), nil
}

// SetPolicy sets the policy of a repository directly, also one with principals
// that do not exist. It keeps the text as it is. An empty text removes the policy.
func (s *Store) SetPolicy(p service.Place, repository, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.registry(p).repositories[repository]
	if r == nil {
		return errors.New(noSuchRepository(repository, p.Account))
	}
	if text == "" {
		r.policy = nil
		return nil
	}
	parsed, err := policy.ParseResource(text)
	if err != nil {
		return err
	}
	r.policy = &repositoryPolicy{text, parsed}
	return nil
}

func (s *Store) isUnknown(principal string) bool {
	return s.PrincipalExists != nil && !s.PrincipalExists(principal)
}

var (
	// principalsPattern matches the principals of the kind AWS in a policy that
	// was parsed: no other element has a member of that name.
	principalsPattern = regexp.MustCompile(`"AWS"\s*:\s*("[^"]*"|\[[^\]]*\])`)
	accountIDPattern  = regexp.MustCompile(`"([0-9]{12})"`)
)

// withAccountARNs returns the text of a policy with the ARNs of accounts that
// are principals, in place of their ids.
func withAccountARNs(text, partition string) string {
	return principalsPattern.ReplaceAllStringFunc(text, func(principals string) string {
		return accountIDPattern.ReplaceAllString(principals, `"arn:`+partition+`:iam::${1}:root"`)
	})
}

// inAnotherOrder returns the text of a policy with each list of principals in
// another order. ECR's order cannot be foreseen. Here the first one comes last,
// so that nobody relies on the order that was sent.
func inAnotherOrder(text string) string {
	return principalsPattern.ReplaceAllStringFunc(text, func(member string) string {
		name, list, _ := strings.Cut(member, ":")
		var principals []json.RawMessage
		if json.Unmarshal([]byte(list), &principals) != nil || len(principals) < 2 {
			return member
		}
		reordered, err := json.Marshal(append(principals[1:], principals[0]))
		if err != nil {
			return member
		}
		return name + ":" + string(reordered)
	})
}

// RemoveRole puts the unique id of a role in place of its ARN, in all policies.
// The ids match no caller, also no new role of the same name.
func (s *Store) RemoveRole(account, name string) {
	s.removePrincipal(account, "role/"+name, func(arn string) string { return service.UniqueID("AROA", arn) })
}

// RemoveUser is RemoveRole for a user. The resource is what its ARN ends in, such
// as user/path/name.
func (s *Store) RemoveUser(account, resource, id string) {
	s.removePrincipal(account, resource, func(string) string { return id })
}

// removePrincipal puts the unique id of an ARN in its place, in all policies.
func (s *Store) removePrincipal(account, resource string, id func(arn string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for place, registry := range s.registries {
		arn := "arn:" + place.Region.Partition() + ":iam::" + account + ":" + resource
		for _, r := range registry.repositories {
			r.policy = r.policy.replacing(arn, id(arn))
		}
	}
}

// replacing returns the policy with another name for a principal.
func (p *repositoryPolicy) replacing(principal, by string) *repositoryPolicy {
	if p == nil || !slices.Contains(p.policy.Principals(), principal) {
		return p
	}
	text := principalsPattern.ReplaceAllStringFunc(p.text, func(principals string) string {
		return strings.ReplaceAll(principals, strconv.Quote(principal), strconv.Quote(by))
	})
	parsed, err := policy.ParseResource(text)
	if err != nil {
		return p
	}
	return &repositoryPolicy{text, parsed}
}

type getRepositoryPolicyInput struct{ RepositoryID }

func (s *Store) getRepositoryPolicy(c *service.Request, in getRepositoryPolicyInput) (any, error) {
	r, err := s.findWithPolicy(c, in)
	if err != nil {
		return nil, err
	}
	return r.policyOutput(), nil
}

type deleteRepositoryPolicyInput struct{ RepositoryID }

// deleteRepositoryPolicy returns the policy that it removes.
func (s *Store) deleteRepositoryPolicy(c *service.Request, in deleteRepositoryPolicyInput) (any, error) {
	r, err := s.findWithPolicy(c, in)
	if err != nil {
		return nil, err
	}
	out := r.policyOutput()
	r.policy = nil
	return out, nil
}

// findWithPolicy returns the repository of an input, which must have a policy.
func (s *Store) findWithPolicy(c *service.Request, in repositoryInput) (*repository, error) {
	r, err := s.find(c, in)
	if err == nil && r.policy == nil {
		err = service.Errorf("RepositoryPolicyNotFoundException", "Repository policy does not exist "+
			"for the repository with name '%s' in the registry with id '%s'", r.name, r.account)
	}
	return r, err
}

// needsToDeletePolicy lets the administrator remove any policy in its own
// account, also one that denies this to everybody. So no repository is locked
// for good.
func (s *Store) needsToDeletePolicy(c *service.Request, in deleteRepositoryPolicyInput) []service.Permission {
	p := s.permission(c, in)
	if c.Session == nil && p.Owner == c.Account {
		p.ResourcePolicy = nil
	}
	return []service.Permission{p}
}
