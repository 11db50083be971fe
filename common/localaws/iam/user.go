package iam

import (
	"maps"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// user is a version of a user. It is not changed: a write makes a copy.
type user struct {
	account, path, name, id string

	created      time.Time
	tags         map[string]string
	boundary     *managed            // nil if there is none
	inline       map[string]document // by the name of the policy
	attached     []*managed
	groups       []*group
	keys         []accessKey
	loginProfile bool // it has a password for the console
}

// document is the text of a policy, and what it says.
type document struct {
	text   string
	policy policy.Policy
}

// managed is a managed policy.
type managed struct {
	account, path, name string
	document
}

// group is an IAM group.
type group struct {
	account, path, name, id string

	created  time.Time
	policies []policy.Policy
}

// accessKey is an access key of a user.
type accessKey struct {
	id, secret, status string
	created            time.Time
}

const (
	active   = "Active"
	inactive = "Inactive"
)

// clone returns a copy that can be changed.
func (u *user) clone() *user {
	c := *u
	c.tags, c.inline = maps.Clone(u.tags), maps.Clone(u.inline)
	c.attached, c.groups, c.keys = slices.Clone(u.attached), slices.Clone(u.groups), slices.Clone(u.keys)
	return &c
}

// key returns the access key of an id, nil if the user has none of that id.
func (u *user) key(id string) *accessKey {
	i := slices.IndexFunc(u.keys, func(k accessKey) bool { return k.id == id })
	if i < 0 {
		return nil
	}
	return &u.keys[i]
}

// arn returns the ARN of something in IAM, in a partition. The kind is user,
// group or policy.
func arn(partition, account, kind, path, name string) string {
	return "arn:" + partition + ":iam::" + account + ":" + kind + path + name
}

func (u *user) arn(partition string) string { return arn(partition, u.account, "user", u.path, u.name) }

func (g *group) arn(partition string) string {
	return arn(partition, g.account, "group", g.path, g.name)
}

func (m *managed) arn(partition string) string {
	return arn(partition, m.account, "policy", m.path, m.name)
}

// change replaces a user by a copy that the function has changed. The user must
// be seen, and must not have been deleted in the meantime.
func (s *Store) change(c *service.Request, in input, change func(*user) error) error {
	if _, err := s.find(c, in); err != nil {
		return err
	}
	name := in.user(c)
	newest := s.newest(c.Account, name)
	if newest == nil {
		return noSuchUser(name)
	}
	changed := newest.clone()
	if err := change(changed); err != nil {
		return err
	}
	s.put(c.Account, changed.name, changed, c.Now)
	return nil
}

// find returns the user of a call as it is seen.
func (s *Store) find(c *service.Request, in input) (*user, error) {
	u := s.seen(c.Account, in.user(c), c.Now)
	if u == nil {
		return nil, noSuchUser(in.user(c))
	}
	return u, nil
}

func noSuchUser(name string) error {
	return service.Errorf(codeNotFound, "The user with name %s cannot be found.", name)
}

func partition(c *service.Request) string { return c.Place().Region.Partition() }
