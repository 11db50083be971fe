package iam

import (
	"maps"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const boundaryKey = "iam:PermissionsBoundary"

// onAll is for an operation that can only be allowed on all users.
func (s *Store) onAll(c *service.Request, _ input) []service.Permission {
	return []service.Permission{{Action: "iam:" + c.Operation, Resource: "*"}}
}

// onUser is for an operation that needs one permission: that of its own name on
// the user of the call.
func (s *Store) onUser(c *service.Request, in input) []service.Permission {
	p, _ := s.permission(c, in.user(c))
	return []service.Permission{p}
}

// onUserWithBoundary is onUser for the operations that know the boundary that
// the user has.
func (s *Store) onUserWithBoundary(c *service.Request, in input) []service.Permission {
	p, u := s.permission(c, in.user(c))
	if u != nil && u.boundary != nil {
		p.Context[boundaryKey] = []string{u.boundary.arn(partition(c))}
	}
	return []service.Permission{p}
}

// onUserWithNewBoundary is onUser for the operation that gives the user a
// boundary.
func (s *Store) onUserWithNewBoundary(c *service.Request, in input) []service.Permission {
	p, _ := s.permission(c, in.user(c))
	p.Context[boundaryKey] = []string{in.Get(boundary.name)}
	return []service.Permission{p}
}

// onKey is onUser for the operation that names an access key only. The user of
// a key that is not seen has no name.
func (s *Store) onKey(c *service.Request, in input) []service.Permission {
	p, _ := s.permission(c, s.userOfKey(c, in.Get(accessKeyID.name)))
	return []service.Permission{p}
}

// onGroup is for the operation that needs its permission on the group,
// whichever user it is about.
func (s *Store) onGroup(c *service.Request, in input) []service.Permission {
	p := service.Permission{
		Action:   "iam:" + c.Operation,
		Resource: arn(partition(c), c.Account, "group", "/", in.Get(groupName.name)),
		Owner:    c.Account,
	}
	if g := s.group(c, in); g != nil {
		p.Resource = g.arn(partition(c))
	}
	return []service.Permission{p}
}

func (s *Store) needsToTag(c *service.Request, in input) []service.Permission {
	p, _ := s.permission(c, in.user(c))
	service.AddRequestTags(p.Context, service.TagMap(in.tags()))
	return []service.Permission{p}
}

// permission returns the permission of the operation's own name on the ARN and
// with the tags that the user has, and the user. A user that is not seen has no
// path and no tags, so a policy for the users of one path does not allow it.
// AWS does not say so. It follows from that it can know the path only from the
// user.
func (s *Store) permission(c *service.Request, name string) (service.Permission, *user) {
	p := service.Permission{
		Action:   "iam:" + c.Operation,
		Resource: arn(partition(c), c.Account, "user", "/", name),
		Owner:    c.Account,
		Context:  make(map[string][]string),
	}
	u := s.seen(c.Account, name, c.Now)
	if u != nil {
		p.Resource = u.arn(partition(c))
		addUserTags(p, u.tags)
	}
	return p, u
}

func addUserTags(p service.Permission, tags map[string]string) {
	service.AddTags(p.Context, "aws:ResourceTag/", tags)
	service.AddTags(p.Context, "iam:ResourceTag/", tags)
}

// needsToCreate returns a permission on the path and name of the new user, and
// the permission to tag it if it has tags. These count as the user's own already,
// as AWS documents for aws:ResourceTag. If there is a user of that path and name,
// its tags count.
func (s *Store) needsToCreate(c *service.Request, in input) []service.Permission {
	p := service.Permission{
		Action:   "iam:" + c.Operation,
		Resource: arn(partition(c), c.Account, "user", in.path(), in.user(c)),
		Owner:    c.Account,
		Context:  make(map[string][]string),
	}
	tags := service.TagMap(in.tags())
	service.AddRequestTags(p.Context, tags)
	if u := s.seen(c.Account, in.user(c), c.Now); u != nil && u.arn(partition(c)) == p.Resource {
		addUserTags(p, u.tags)
	} else {
		addUserTags(p, tags)
	}
	tagging := p // which does not know the boundary
	tagging.Action, tagging.Context = "iam:TagUser", maps.Clone(p.Context)
	if in.Has(boundary.name) {
		p.Context[boundaryKey] = []string{in.Get(boundary.name)}
	}
	if len(tags) == 0 {
		return []service.Permission{p}
	}
	return []service.Permission{p, tagging}
}
