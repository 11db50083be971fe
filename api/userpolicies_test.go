package api

import (
	"fmt"
	"maps"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
)

// The places where a user or an IAM group may be, relative to the scope of a
// session. A scope that names no repository or no user is taken for that of
// the user "builder" of the repository "a".
const (
	theUser       = "the user of the scope"
	ofRepository  = "another user of the repository"
	otherUser     = "a user elsewhere"
	formerGroup   = "the group of the earlier service's users"
	otherIAMGroup = "another IAM group"
)

// strayed is the owner of a user of our org whose tags are those of another
// repository.
const strayed = "our org's, with the tag of another repository"

// userResources returns resources of IAM. A user is ours if its tags are as the
// service sets them, and nobody's if it has none.
func userResources(s iam.Scope) (list []resource) {
	if s.Name == "" {
		s.Name = "a"
	}
	if s.User == "" {
		s.User = "builder"
	}
	add := func(where, whose, arn string, tags map[string]string) {
		context := map[string][]string{}
		for k, v := range tags {
			context["aws:ResourceTag/"+k], context["iam:ResourceTag/"+k] = []string{v}, []string{v}
		}
		list = append(list, resource{where, whose, arn, context})
	}
	full := s.Group + "/" + s.Name
	tags := map[string]string{common.OrgTag: s.Org, spaceTag: s.Group, resourceTag: full}
	add(theUser, ours, s.UserARN(), tags)
	add(theUser, noOrg, s.UserARN(), nil)
	add(theUser, others, s.UserARN(), map[string]string{common.OrgTag: otherOrg, spaceTag: s.Group, resourceTag: full})
	add(theUser, strayed, s.UserARN(), map[string]string{common.OrgTag: s.Org, spaceTag: s.Group, resourceTag: s.Group + "/b"})
	for _, arn := range []string{s.UserARN() + "2", s.UserARNs() + s.UserPrefix() + "other"} {
		add(ofRepository, ours, arn, tags)
		add(ofRepository, noOrg, arn, nil)
	}
	account := fmt.Sprintf("arn:%s:iam::%s:", s.Partition, s.Account)
	name := s.UserPrefix() + s.User
	for _, arn := range []string{
		account + "user/" + name, // as IAM authorizes a call about a missing user
		account + "user/spinup/" + s.Org + "/" + s.Group + "/b/" + name,
		account + "user/spinup/" + s.Org + "/" + s.Group + "/a2/" + name,
		account + "user/spinup/" + s.Org + "/other/" + s.Name + "/" + name,
		account + "user/spinup/" + otherOrg + "/" + full + "/" + name,
		account + "user/elsewhere/" + full + "/" + name,
		account + "role/spinup/" + s.Org + "/" + full + "/" + name,
		strings.Replace(s.UserARN(), s.Account, account2, 1),
		account + "policy/ecr-api-users",
	} {
		add(otherUser, ours, arn, tags)
		add(otherUser, noOrg, arn, nil)
	}
	add(formerGroup, noOrg, account+"group/former", nil)
	for _, arn := range []string{account + "group/former2", account + "group/a/former", account + "group/admins", strings.Replace(account, s.Account, account2, 1) + "group/former"} {
		add(otherIAMGroup, noOrg, arn, nil)
	}
	return list
}

// The tags that a request about users may have. With ourOrg they are as the
// service sets them. The boundary of a request is here under the name of its
// condition key.
const (
	noBoundary    = "our org, without a boundary"
	otherBoundary = "our org, with another boundary"
	otherFullName = "our org, and another repository"
	otherSpace    = "our org, and another group"
	noResource    = "our org, and no repository"
	otherOrgTag   = "another org, with the boundary"
	onlyBoundary  = "no tags, but the boundary"
	resourceOnly  = "ResourceName"
	resourceLower = "ResourceName in small letters"
	otherTags     = "tags like none of the service's"
)

func userRequests(s iam.Scope) map[string]map[string]string {
	boundary := "arn:" + s.Partition + ":iam::" + s.Account + ":policy/ecr-api-users"
	tagged := func(org, group, resource, boundary string) map[string]string {
		tags := map[string]string{common.OrgTag: org, nameTag: "x", spaceTag: group, resourceTag: resource, boundaryKey: boundary}
		maps.DeleteFunc(tags, func(_, value string) bool { return value == "" })
		return tags
	}
	return map[string]map[string]string{
		noBoundary:    tagged(s.Org, s.Group, s.Group+"/a", ""),
		otherBoundary: tagged(s.Org, s.Group, s.Group+"/a", boundary+"2"),
		otherFullName: tagged(s.Org, s.Group, s.Group+"/b", boundary),
		otherSpace:    tagged(s.Org, "other", s.Group+"/a", boundary),
		noResource:    tagged(s.Org, s.Group, "", boundary),
		otherOrgTag:   tagged(otherOrg, s.Group, s.Group+"/a", boundary),
		onlyBoundary:  {boundaryKey: boundary},
		resourceOnly:  {resourceTag: s.Group + "/a"},
		resourceLower: {"resourcename": s.Group + "/a"},
		otherTags:     {"Application": "x"},
	}
}
