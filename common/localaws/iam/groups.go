package iam

import (
	"encoding/xml"
	"slices"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

type listGroupsForUserResult struct {
	XMLName xml.Name         `xml:"ListGroupsForUserResult"`
	Groups  list[shownGroup] `xml:"Groups"`
	pageEnd
}

type shownGroup struct {
	Path    string `xml:"Path"`
	Name    string `xml:"GroupName"`
	ID      string `xml:"GroupId"`
	ARN     string `xml:"Arn"`
	Created string `xml:"CreateDate"`
}

func (s *Store) listGroupsForUser(c *service.Request, in input) (any, error) {
	u, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	groups := make(map[string]shownGroup)
	for _, g := range u.groups {
		groups[fold(g.name)] = shownGroup{g.path, g.name, g.id, g.arn(partition(c)), date(g.created)}
	}
	shown, end, err := page(s, c, in, groups)
	if err != nil {
		return nil, err
	}
	return listGroupsForUserResult{Groups: shown, pageEnd: end}, nil
}

// removeUserFromGroup finds nothing wrong if the user is not in the group. AWS does
// not document that. Somebody who tried it says so:
// https://github.com/cloud-custodian/cloud-custodian/pull/4730
func (s *Store) removeUserFromGroup(c *service.Request, in input) (any, error) {
	g := s.group(c, in)
	if g == nil {
		return nil, service.Errorf(codeNotFound, "The group with name %s cannot be found.", in.Get(groupName.name))
	}
	return nil, s.change(c, in, func(u *user) error {
		u.groups = slices.DeleteFunc(u.groups, func(of *group) bool { return of == g })
		return nil
	})
}

// group returns the IAM group of a call, nil if there is none of that name. The
// case of the name makes no difference.
func (s *Store) group(c *service.Request, in input) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account(c.Account).groups[fold(in.Get(groupName.name))]
}
