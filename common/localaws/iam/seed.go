package iam

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// User is a user to add directly. Every field but Name may be empty.
type User struct {
	Path     string // "/" if empty
	Name     string
	Tags     map[string]string
	Boundary string            // a managed policy of the account
	Policies map[string]string // inline policies, by name
	Attached []string          // managed policies of the account
	Groups   []string          // IAM groups of the account, without their paths
	// LoginProfile says that the user has a password for the console. Only the
	// console removes it, and with it the user cannot be deleted.
	LoginProfile bool
}

// AddPolicy adds a managed policy directly. The name has its path before it, if
// it has one: /path/name.
func (s *Store) AddPolicy(account, name, text string) error {
	m := &managed{account: account}
	parsed, err := policy.Parse(text)
	if err == nil {
		m.path, m.name, err = splitName(name)
	}
	if err != nil {
		return fmt.Errorf("policy %s: %w", name, err)
	}
	if m.document = (document{text, parsed}); m.size() > maxManaged {
		return fmt.Errorf("policy %s has more than %d characters", name, maxManaged)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	policies := s.account(account).policies
	if policies[m.path+m.name] != nil {
		return fmt.Errorf("there is a policy %s in %s", name, account)
	}
	policies[m.path+m.name] = m
	return nil
}

// AddGroup adds an IAM group directly, with its policies. The name has its path
// before it, if it has one: /path/name.
func (s *Store) AddGroup(account, name string, policies ...string) error {
	g := &group{account: account, id: newID("AGPA"), created: s.now()}
	var err error
	if g.path, g.name, err = splitName(name); err != nil {
		return fmt.Errorf("group %s: %w", name, err)
	}
	for _, text := range policies {
		parsed, err := policy.Parse(text)
		if err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
		g.policies = append(g.policies, parsed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := s.account(account).groups
	if groups[fold(g.name)] != nil {
		return fmt.Errorf("there is a group %s in %s", name, account)
	}
	groups[fold(g.name)] = g
	return nil
}

// splitName returns the path and the name of /path/name. A name without a slash
// has the path "/".
func splitName(text string) (before, name string, err error) {
	i := strings.LastIndex(text, "/") + 1
	before, name = "/"+strings.TrimPrefix(text[:i], "/"), text[i:]
	return before, name, checkName(before, name, policyName.most) // that of a group has the same length
}

func checkName(before, name string, most int) error {
	if !path.pattern.MatchString(before) {
		return fmt.Errorf("the path %s does not begin and end with a slash", before)
	}
	if !namePattern.MatchString(name) || len(name) > most {
		return fmt.Errorf("the name %q does not satisfy %s, or is longer than %d characters", name, namePattern, most)
	}
	return nil
}

// AddUser adds a user directly, and it is seen at once.
func (s *Store) AddUser(account string, given User) error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.newest(account, given.Name) != nil {
		return fmt.Errorf("there is a user %s in %s", given.Name, account)
	}
	u, err := s.complete(account, given)
	if err != nil {
		return fmt.Errorf("user %s: %w", given.Name, err)
	}
	s.putNow(account, u.name, u, s.now())
	return nil
}

// complete returns the user that is given.
func (s *Store) complete(account string, given User) (*user, error) {
	before := cmp.Or(given.Path, "/")
	if err := checkName(before, given.Name, newUserName.most); err != nil {
		return nil, err
	}
	u := newUser(account, before, given.Name, s.now())
	u.loginProfile = given.LoginProfile
	if err := service.CheckTagKeys(codeInvalid, service.TagList(given.Tags)); err != nil {
		return nil, err
	}
	maps.Copy(u.tags, given.Tags)
	for name, text := range given.Policies {
		parsed, err := policy.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		u.inline[name] = document{text, parsed}
	}
	return u, s.join(u, given)
}

// join gives a user the policies and groups that are given.
func (s *Store) join(u *user, given User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(u.account)
	named := func(name string) *managed { return a.policies["/"+strings.TrimPrefix(name, "/")] }
	if u.boundary = named(given.Boundary); u.boundary == nil && given.Boundary != "" {
		return fmt.Errorf("there is no policy %s", given.Boundary)
	}
	for _, name := range given.Attached {
		if named(name) == nil {
			return fmt.Errorf("there is no policy %s", name)
		}
		u.attached = append(u.attached, named(name))
	}
	for _, name := range given.Groups {
		g := a.groups[fold(name)]
		if g == nil {
			return fmt.Errorf("there is no group %s", name)
		}
		u.groups = append(u.groups, g)
	}
	return nil
}

// AddKey adds an access key to a user directly. It makes an id if that is empty.
func (s *Store) AddKey(account, name, wanted string) (id, secret string, err error) {
	s.calls.Lock()
	defer s.calls.Unlock()
	newest := s.newest(account, name)
	if newest == nil {
		return "", "", fmt.Errorf("there is no user %s in %s", name, account)
	}
	if len(newest.keys) >= maxKeys {
		return "", "", fmt.Errorf("the user %s has %d keys", name, maxKeys)
	}
	u, k := newest.clone(), newKey(s.now())
	if wanted != "" {
		k.id = wanted
	}
	if s.owner(k.id) != nil {
		return "", "", fmt.Errorf("there is or was an access key %s", k.id)
	}
	u.keys = append(u.keys, k)
	s.putNow(account, u.name, u, s.now())
	return k.id, k.secret, nil
}
