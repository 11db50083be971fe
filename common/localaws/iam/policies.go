package iam

import (
	"strings"
	"unicode"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// maxInline is how many characters all inline policies of a user may have
// together. Blanks do not count.
const maxInline = 2048

// putUserPolicy keeps the text as it is. The case of the names of inline policies
// makes a difference here. AWS does not say whether it does.
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

// policy returns the managed policy of an ARN, nil if the account has none of that
// ARN. AWS's own managed policies are not here.
func (s *Store) policy(c *service.Request, arn string) *managed {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := strings.CutPrefix(arn, "arn:"+partition(c)+":iam::"+c.Account+":policy")
	if !ok {
		return nil
	}
	return s.account(c.Account).policies[name]
}
