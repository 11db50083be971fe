package iam

import (
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// UserExists tells whether an account has a user, by its path and name.
func (s *Store) UserExists(account, pathAndName string) bool {
	_, name, err := splitName(pathAndName, 64)
	if err != nil {
		return false
	}
	u := s.seen(account, name, s.now())
	return u != nil && u.path+u.name == pathAndName
}

// Used notes that a call to a service was made with an access key.
func (s *Store) Used(accessKey, service, region string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.keys[accessKey]; k != nil {
		k.lastUsed, k.service, k.region = now, service, region
	}
}

// permissions returns what a user may do at most: its inline policies, the managed
// policies that are attached to it, and the policies of its groups.
func (u *user) permissions() (all []policy.Policy) {
	for _, d := range u.inline {
		all = append(all, d.policy)
	}
	for _, m := range u.attached {
		all = append(all, m.policy)
	}
	for _, g := range u.groups {
		all = append(all, g.policies...)
	}
	return all
}
