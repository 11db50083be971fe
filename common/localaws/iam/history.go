package iam

import (
	"slices"
	"strings"
	"time"
)

// account is what an account has. Its users and groups are found by their names
// without regard to case, and its policies by path and name.
type account struct {
	users    map[string]history
	groups   map[string]*group
	policies map[string]*managed
}

// version is a user as a write has left it. Nobody changes it after that.
type version struct {
	from time.Time // when it is seen
	user *user     // nil if the user was deleted
}

// history is all versions of a user that somebody may see, the oldest first.
type history []version

// newest returns the user as the last write has left it, nil if there is none.
func (h history) newest() *user {
	if len(h) == 0 {
		return nil
	}
	return h[len(h)-1].user
}

// seen returns the user as it is seen at a time, nil if it is not.
func (h history) seen(now time.Time) *user {
	for _, v := range slices.Backward(h) {
		if !now.Before(v.from) {
			return v.user
		}
	}
	return nil
}

// trimmed returns the history without what nobody sees any more.
func (h history) trimmed(now time.Time) history {
	for i, v := range slices.Backward(h) {
		if !now.Before(v.from) {
			h = h[i:]
			break
		}
	}
	if len(h) == 1 && h[0].user == nil {
		return nil
	}
	return h
}

// account returns the state of an account. mu is locked.
func (s *Store) account(id string) *account {
	a := s.accounts[id]
	if a == nil {
		a = &account{
			users:    make(map[string]history),
			groups:   make(map[string]*group),
			policies: make(map[string]*managed),
		}
		s.accounts[id] = a
	}
	return a
}

// fold returns a name in the form by which it is unique.
func fold(name string) string { return strings.ToLower(name) }

// seen returns a user as it is seen at a time, nil if it is not. The case of
// the name makes no difference. AWS says so of the names of new users only.
// That a call finds a user by a name in another case is a guess.
func (s *Store) seen(account, name string, now time.Time) *user {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(account).users[fold(name)].seen(now)
}

// newest returns a user as the last write has left it, nil if there is none.
func (s *Store) newest(account, name string) *user {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(account).users[fold(name)].newest()
}

// count returns how many users an account has.
func (s *Store) count(account string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.account(account).users {
		if h.newest() != nil {
			n++
		}
	}
	return n
}

// allSeen returns the users of an account that are seen at a time, by their
// names without case.
func (s *Store) allSeen(account string, now time.Time) map[string]*user {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := s.account(account).users
	seen := make(map[string]*user)
	for name, h := range users {
		if u := h.seen(now); u != nil {
			seen[name] = u
		} else if h.trimmed(now) == nil {
			delete(users, name) // the delay of its deletion is over
		}
	}
	return seen
}

// put makes a new version of a user, which is seen after the delay. Without one
// the user is deleted.
func (s *Store) put(account, name string, u *user, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(account, name, version{now.Add(s.delay), u}, now)
}

// putNow is put without a delay.
func (s *Store) putNow(account, name string, u *user, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(account, name, version{now, u}, now)
}

// add adds a version. mu is locked.
func (s *Store) add(account, name string, v version, now time.Time) {
	if v.user != nil {
		for _, k := range v.user.keys {
			if s.keys[k.id] == nil {
				s.keys[k.id] = &keyOwner{account: account, user: name}
			}
		}
	}
	users := s.account(account).users
	if h := append(users[fold(name)], v).trimmed(now); h != nil {
		users[fold(name)] = h
	} else {
		delete(users, fold(name))
	}
}

// SetDelay says after how long a write is seen, from now on.
func (s *Store) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}
