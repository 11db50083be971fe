package iam

import (
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Find returns the user of an access key as it is seen now. The store is the
// UserKeys of package service, which says more.
func (s *Store) Find(accessKey string) (session *service.Session, ok bool) {
	owner := s.owner(accessKey)
	if owner == nil {
		return nil, false
	}
	u := s.seen(owner.account, owner.user, s.now())
	if u == nil {
		return nil, true
	}
	k := u.key(accessKey)
	if k == nil || k.status != active {
		return nil, true
	}
	return u.session(k), true
}

// owner returns whose key it is, nil if nobody ever had it.
func (s *Store) owner(accessKey string) *keyOwner {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[accessKey]
}

// session returns the user as the caller that has signed with a key. The ARN is
// that of the partition aws: a key says nothing of the region where it is used.
func (u *user) session(k *accessKey) *service.Session {
	arn := u.arn("aws")
	session := &service.Session{
		Principal: service.Principal{
			Account: u.account, ARN: arn, Identity: arn, UserID: u.id, UserName: u.name, Tags: u.tags,
		},
		Permissions: u.permissions(),
		AccessKey:   k.id,
		Secret:      k.secret,
	}
	if u.boundary != nil {
		session.Boundary = &u.boundary.policy
	}
	return session
}

// UserExists tells whether an account has a user, by its path and name.
func (s *Store) UserExists(account, pathAndName string) bool {
	name := pathAndName[strings.LastIndex(pathAndName, "/")+1:]
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

// permissions returns what a user may do at most: its inline policies, the
// managed policies that are attached to it, and the policies of its groups.
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
