// Package iam makes policy documents, and has the scope for which a session
// policy is made.
package iam

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/YaleSpinup/ecr-api/common"
)

// A Scope is what a session is limited to: in the registry of one account, the
// repositories of one group that belong to the org, or only one of them.
type Scope struct {
	common.Registry
	Org   string
	Group string
	// Name is the repository's name without its group. It is "" unless the
	// policy is about one repository alone: each name makes another policy, and
	// so another session.
	Name string
	// User is the short name of a user of the repository. It is "" unless the
	// policy is about this user alone.
	User string

	Boundary    string // ARN of the permissions boundary of users; empty if there are no users
	FormerGroup string // ARN of the IAM group that users leave; empty if there is none
}

// AllRepositories is the ARN pattern of all repositories of the registry. A
// list needs it: AWS authorizes a DescribeRepositories without names on exactly
// this pattern.
func (s Scope) AllRepositories() string { return s.ARN("*") }

// GroupRepositories is the ARN pattern of the repositories of the group.
func (s Scope) GroupRepositories() string { return s.ARN(s.Group + "/*") }

// Repository is the ARN of the repository Name.
func (s Scope) Repository() string { return s.ARN(s.Group + "/" + s.Name) }

// UserPath is the path in IAM of the users of the repository Name. It shows whose
// they are.
func (s Scope) UserPath() string {
	return "/spinup/" + s.Org + "/" + s.Group + "/" + s.Name + "/"
}

// UserPrefix begins the names in IAM of the users of the repository Name. The
// short name follows.
func (s Scope) UserPrefix() string { return s.Group + "-" + s.Name + "-" }

// UserARN is the ARN of the user User of the repository Name.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
func (s Scope) UserARN() string { return s.UserARNs() + s.UserPrefix() + s.User }

// AllUsers is the ARN pattern of the users of the repository Name. It has the
// beginning of their names too: a star also stands for slashes, and so for the
// paths of other repositories.
func (s Scope) AllUsers() string { return s.UserARNs() + s.UserPrefix() + "*" }

// UserARNs is how the ARNs of the users of the repository Name begin, up to the
// name of the user.
func (s Scope) UserARNs() string {
	return fmt.Sprintf("arn:%s:iam::%s:user%s", s.Partition, s.Account, s.UserPath())
}

// Keys is the ARN pattern of the account's own KMS keys in the region.
func (s Scope) Keys() string {
	return fmt.Sprintf("arn:%s:kms:%s:%s:key/*", s.Partition, s.Region, s.Account)
}

// A Policy is an IAM policy document.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type Policy struct {
	Version   string
	Statement []Statement
}

// A Statement is one statement of a Policy. It has either Action or NotAction,
// and either Resource or NotResource.
type Statement struct {
	Effect      string    // Allow or Deny
	Action      []string  `json:",omitempty"`
	NotAction   []string  `json:",omitempty"` // all actions except these
	Resource    []string  `json:",omitempty"`
	NotResource []string  `json:",omitempty"` // all resources except these
	Condition   Condition `json:",omitempty"`
}

// A Condition has the values to match, by operator and then by condition key.
type Condition map[string]map[string][]string

// NewPolicy returns a policy of these statements in the current version of the
// language.
func NewPolicy(statements ...Statement) Policy {
	return Policy{Version: "2012-10-17", Statement: statements}
}

// Allow returns a statement that allows the actions on the resource.
func Allow(resource string, actions ...string) Statement {
	return Statement{Effect: "Allow", Action: actions, Resource: []string{resource}}
}

// Deny returns a statement that denies the actions on the resource. It is
// stronger than any Allow.
func Deny(resource string, actions ...string) Statement {
	return Statement{Effect: "Deny", Action: actions, Resource: []string{resource}}
}

// DenyOtherActions returns a statement that denies every action except these.
func DenyOtherActions(actions ...string) Statement {
	return Statement{Effect: "Deny", NotAction: actions, Resource: []string{"*"}}
}

// DenyElsewhere returns a statement that denies every action on anything but
// the resource, except these actions. It needs at least one. They are the ones
// without a resource, such as ecr:GetAuthorizationToken, which would be denied
// too.
func DenyElsewhere(resource string, except ...string) Statement {
	return Statement{Effect: "Deny", NotAction: except, NotResource: []string{resource}}
}

// When returns the statement with one more condition. All conditions must hold.
// The same operator and key given twice is a mistake: When panics.
func (s Statement) When(operator, key string, values ...string) Statement {
	if _, twice := s.Condition[operator][key]; twice {
		panic("iam: " + operator + " of " + key + " twice in a statement")
	}
	condition := Condition{}
	for o, keys := range s.Condition {
		condition[o] = keys
	}
	keys := map[string][]string{key: values}
	for k, v := range condition[operator] {
		keys[k] = v
	}
	condition[operator] = keys
	s.Condition = condition
	return s
}

// String returns the policy as compact JSON. STS counts its 2,048 characters in
// this form.
func (p Policy) String() string {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p); err != nil {
		panic(err) // strings and maps of strings always encode
	}
	return string(bytes.TrimSpace(document.Bytes()))
}
