package iam

import (
	"encoding/xml"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// maxInline is how many characters all inline policies of a user may have
// together. Blanks do not count.
const maxInline = 2048

// maxManaged is the same for a managed policy.
const maxManaged = 6144

// putUserPolicy keeps the text as it is. The case of the names of inline
// policies makes a difference here. AWS does not say whether it does.
func (s *Store) putUserPolicy(c *service.Request, in input) (any, error) {
	text := in.Get(policyDocument.name)
	parsed, err := policy.Parse(text)
	if err != nil {
		return nil, service.Errorf(codeMalformed, "%v", err)
	}
	return nil, s.change(c, in, func(u *user) error {
		u.inline[in.Get(policyName.name)] = document{text, parsed}
		size := 0
		for _, d := range u.inline {
			size += d.size()
		}
		if size > maxInline {
			return service.Errorf(codeLimit, "Maximum policy size of %d bytes exceeded for user %s", maxInline, u.name)
		}
		return nil
	})
}

// size returns how many characters count.
func (d document) size() (n int) {
	for _, r := range d.text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

type getUserPolicyResult struct {
	XMLName    xml.Name `xml:"GetUserPolicyResult"`
	UserName   string   `xml:"UserName"`
	PolicyName string   `xml:"PolicyName"`
	Document   string   `xml:"PolicyDocument"`
}

// getUserPolicy returns the text as RFC 3986 encodes it.
func (s *Store) getUserPolicy(c *service.Request, in input) (any, error) {
	u, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	name := in.Get(policyName.name)
	d, ok := u.inline[name]
	if !ok {
		return nil, noSuchPolicy(name)
	}
	encoded := strings.ReplaceAll(url.QueryEscape(d.text), "+", "%20")
	return getUserPolicyResult{UserName: u.name, PolicyName: name, Document: encoded}, nil
}

func noSuchPolicy(name string) error {
	return service.Errorf(codeNotFound, "The user policy with name %s cannot be found.", name)
}

func (s *Store) deleteUserPolicy(c *service.Request, in input) (any, error) {
	name := in.Get(policyName.name)
	return nil, s.change(c, in, func(u *user) error {
		if _, ok := u.inline[name]; !ok {
			return noSuchPolicy(name)
		}
		delete(u.inline, name)
		return nil
	})
}

type listUserPoliciesResult struct {
	XMLName xml.Name     `xml:"ListUserPoliciesResult"`
	Names   list[string] `xml:"PolicyNames"`
	pageEnd
}

func (s *Store) listUserPolicies(c *service.Request, in input) (any, error) {
	u, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string)
	for name := range u.inline {
		names[name] = name
	}
	shown, end, err := page(s, c, in, names)
	if err != nil {
		return nil, err
	}
	return listUserPoliciesResult{Names: shown, pageEnd: end}, nil
}

type listAttachedUserPoliciesResult struct {
	XMLName  xml.Name            `xml:"ListAttachedUserPoliciesResult"`
	Policies list[shownAttached] `xml:"AttachedPolicies"`
	pageEnd
}

type shownAttached struct {
	Name string `xml:"PolicyName"`
	ARN  string `xml:"PolicyArn"`
}

func (s *Store) listAttachedUserPolicies(c *service.Request, in input) (any, error) {
	u, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	attached := make(map[string]shownAttached)
	for _, m := range u.attached {
		if strings.HasPrefix(m.path, in.Get(pathPrefix.name)) {
			attached[m.path+m.name] = shownAttached{m.name, m.arn(partition(c))}
		}
	}
	shown, end, err := page(s, c, in, attached)
	if err != nil {
		return nil, err
	}
	return listAttachedUserPoliciesResult{Policies: shown, pageEnd: end}, nil
}

func (s *Store) detachUserPolicy(c *service.Request, in input) (any, error) {
	arn := in.Get(policyARN.name)
	m := s.policy(c, arn)
	return nil, s.change(c, in, func(u *user) error {
		i := slices.Index(u.attached, m)
		if i < 0 {
			return service.Errorf(codeNotFound, "Policy %s was not found.", arn)
		}
		u.attached = slices.Delete(u.attached, i, i+1)
		return nil
	})
}

// policy returns the managed policy of an ARN, nil if the account has none of
// that ARN. AWS's own managed policies are not here.
func (s *Store) policy(c *service.Request, arn string) *managed {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := strings.CutPrefix(arn, "arn:"+partition(c)+":iam::"+c.Account+":policy")
	if !ok {
		return nil
	}
	return s.account(c.Account).policies[name]
}
