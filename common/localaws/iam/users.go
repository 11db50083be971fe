package iam

import (
	"crypto/rand"
	"encoding/xml"
	"maps"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// maxUsers is how many users an account may have.
const maxUsers = 5000

// shownUser is a user in an answer. A list of users has neither the tags nor
// the boundary.
type shownUser struct {
	Path     string         `xml:"Path"`
	Name     string         `xml:"UserName"`
	ID       string         `xml:"UserId"`
	ARN      string         `xml:"Arn"`
	Created  string         `xml:"CreateDate"`
	Boundary *shownBoundary `xml:"PermissionsBoundary"`
	Tags     []service.Tag  `xml:"Tags>member"`
}

type shownBoundary struct {
	Type string `xml:"PermissionsBoundaryType"`
	ARN  string `xml:"PermissionsBoundaryArn"`
}

func (u *user) show(c *service.Request) shownUser {
	return shownUser{Path: u.path, Name: u.name, ID: u.id, ARN: u.arn(partition(c)), Created: date(u.created)}
}

func (u *user) showWhole(c *service.Request) shownUser {
	shown := u.show(c)
	shown.Tags = service.TagList(u.tags)
	if u.boundary != nil {
		shown.Boundary = &shownBoundary{"PermissionsBoundaryPolicy", u.boundary.arn(partition(c))}
	}
	return shown
}

// date returns a time as IAM writes it.
func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

type createUserResult struct {
	XMLName xml.Name  `xml:"CreateUserResult"`
	User    shownUser `xml:"User"`
}

// createUser decides by the newest versions, so a name is not free while its
// user is not seen yet.
func (s *Store) createUser(c *service.Request, in input) (any, error) {
	name := in.user(c)
	if s.newest(c.Account, name) != nil {
		return nil, service.Errorf(codeExists, "User with name %s already exists.", name)
	}
	if s.count(c.Account) >= maxUsers {
		return nil, exceeds("UsersPerAccount", maxUsers)
	}
	u := newUser(c.Account, in.path(), name, c.Now)
	u.tags = service.TagMap(in.tags())
	if in.Has(boundary.name) {
		var err error
		if u.boundary, err = s.boundary(c, in); err != nil {
			return nil, err
		}
	}
	s.put(c.Account, name, u, c.Now)
	return createUserResult{User: u.showWhole(c)}, nil
}

// newUser returns a user with a new unique id.
func newUser(account, path, name string, created time.Time) *user {
	return &user{
		account: account, path: path, name: name, id: newID("AIDA"), created: created,
		tags: make(map[string]string), inline: make(map[string]document),
	}
}

// newID returns the unique id of a user or group, which no other has.
func newID(prefix string) string { return service.UniqueID(prefix, rand.Text()) }

// boundary returns the managed policy that is the permissions boundary of a
// call.
func (s *Store) boundary(c *service.Request, in input) (*managed, error) {
	arn := in.Get(boundary.name)
	if m := s.policy(c, arn); m != nil {
		return m, nil
	}
	return nil, service.Errorf(codeNotFound, "Scope ARN: %s does not exist or is not attachable.", arn)
}

func exceeds(quota string, limit int) error {
	return service.Errorf(codeLimit, "Cannot exceed quota for %s: %d", quota, limit)
}

type getUserResult struct {
	XMLName xml.Name  `xml:"GetUserResult"`
	User    shownUser `xml:"User"`
}

func (s *Store) getUser(c *service.Request, in input) (any, error) {
	u, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	return getUserResult{User: u.showWhole(c)}, nil
}

type listUsersResult struct {
	XMLName xml.Name        `xml:"ListUsersResult"`
	Users   list[shownUser] `xml:"Users"`
	pageEnd
}

func (s *Store) listUsers(c *service.Request, in input) (any, error) {
	shown := make(map[string]shownUser)
	for name, u := range s.allSeen(c.Account, c.Now) {
		if strings.HasPrefix(u.path, in.Get(pathPrefix.name)) {
			shown[name] = u.show(c)
		}
	}
	users, end, err := page(s, c, in, shown)
	if err != nil {
		return nil, err
	}
	return listUsersResult{Users: users, pageEnd: end}, nil
}

// deleteUser refuses a user that still has something. Nothing is removed with
// it.
func (s *Store) deleteUser(c *service.Request, in input) (any, error) {
	if _, err := s.find(c, in); err != nil {
		return nil, err
	}
	u := s.newest(c.Account, in.user(c))
	if u == nil {
		return nil, noSuchUser(in.user(c))
	}
	if must := u.inTheWay(); must != "" {
		return nil, service.Errorf(codeConflict, "Cannot delete entity, must %s first.", must)
	}
	s.put(c.Account, u.name, nil, c.Now)
	if s.UserDeleted != nil {
		s.UserDeleted(u.account, "user"+u.path+u.name, u.id)
	}
	return nil, nil
}

// inTheWay returns what must be done before a user can be deleted, "" if it
// can.
func (u *user) inTheWay() string {
	switch {
	case len(u.keys) > 0:
		return "delete access keys"
	case len(u.inline) > 0:
		return "delete policies"
	case len(u.attached) > 0:
		return "detach all policies"
	case len(u.groups) > 0:
		return "remove users from group"
	case u.loginProfile:
		return "delete login profile"
	}
	return ""
}

// maxTags is how many tags a user may have.
const maxTags = 50

// tagUser adds tags to a user. A tag whose key differs from another one only in
// case replaces it.
func (s *Store) tagUser(c *service.Request, in input) (any, error) {
	return nil, s.change(c, in, func(u *user) error {
		for _, t := range in.tags() {
			maps.DeleteFunc(u.tags, func(key, _ string) bool { return strings.EqualFold(key, t.Key) })
			u.tags[t.Key] = t.Value
		}
		if len(u.tags) > maxTags {
			return exceeds("TagsPerUser", maxTags)
		}
		return nil
	})
}

func (s *Store) putUserPermissionsBoundary(c *service.Request, in input) (any, error) {
	m, err := s.boundary(c, in)
	if err != nil {
		return nil, err
	}
	return nil, s.change(c, in, func(u *user) error {
		u.boundary = m
		return nil
	})
}
