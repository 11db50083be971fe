package iam

import (
	"maps"
	"strings"
	"time"
)

// UserNow is a user as the last write has left it, whether that is seen yet or
// not.
type UserNow struct {
	User
	ID      string
	Created time.Time
	Keys    []KeyNow // the oldest first
}

// KeyNow is an access key of a UserNow, with its secret.
type KeyNow struct{ ID, Secret, Status string }

// Now returns the users of an account whose paths begin with that text, by their
// names.
func (s *Store) Now(account, path string) map[string]UserNow {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := map[string]UserNow{}
	for _, h := range s.account(account).users {
		if u := h.newest(); u != nil && strings.HasPrefix(u.path, path) {
			users[u.name] = u.now()
		}
	}
	return users
}

func (u *user) now() UserNow {
	now := UserNow{ID: u.id, Created: u.created, User: User{
		Path: u.path, Name: u.name, Tags: maps.Clone(u.tags), Policies: map[string]string{}, LoginProfile: u.loginProfile,
	}}
	if u.boundary != nil {
		now.Boundary = u.boundary.fullName()
	}
	for name, d := range u.inline {
		now.Policies[name] = d.text
	}
	for _, m := range u.attached {
		now.Attached = append(now.Attached, m.fullName())
	}
	for _, g := range u.groups {
		now.Groups = append(now.Groups, g.name)
	}
	for _, k := range u.keys {
		now.Keys = append(now.Keys, KeyNow{k.id, k.secret, k.status})
	}
	return now
}

// fullName returns the name as AddPolicy takes it.
func (m *managed) fullName() string { return strings.TrimPrefix(m.path+m.name, "/") }
