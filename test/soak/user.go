package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// What IAM has in each account.
const (
	boundaryName = "ecr-api-users"
	formerGroup  = "former" // of the users of the earlier service
	otherGroup   = "admins" // of which the service knows nothing
	otherPolicy  = "other"  // a managed policy
)

// user is an IAM user of a repository, as IAM has it.
type user struct {
	Name     string // the short one
	ID       string
	Bounded  bool   // whether it has the boundary of the configuration
	Policies string // the inline ones: pull, push, or whatever else is there
	Attached []string
	Groups   []string
	Tags     map[string]string
	Keys     []accessKey
}

// accessKey is an access key of a user.
type accessKey struct{ ID, Status string }

// Accesses of users.
const (
	toPull = "pull"
	toPush = "push"
)

// access returns what an answer says of the user's access.
func (u user) access() string {
	if u.Bounded && len(u.Groups) == 0 && (u.Policies == toPull || u.Policies == toPush) {
		return u.Policies
	}
	return ""
}

// lostPolicy tells whether somebody has taken the policy of one of the service's
// users away.
func (u user) lostPolicy() bool { return u.Bounded && len(u.Groups) == 0 && u.access() == "" }

func (u user) keyIDs() (ids []string) {
	for _, k := range u.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}

// minus returns what the one list has and the other does not.
func minus(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// findUser returns nil if the name is not there.
func findUser(users []user, name string) *user {
	i := slices.IndexFunc(users, func(u user) bool { return u.Name == name })
	if i < 0 {
		return nil
	}
	return &users[i]
}

func userNames(users []user) []string {
	names := []string{}
	for _, u := range users {
		names = append(names, u.Name)
	}
	return names
}

func (r *repository) userPath() string   { return "/spinup/" + org + "/" + r.group + "/" + r.name + "/" }
func (r *repository) userPrefix() string { return r.group + "-" + r.name + "-" }

// usersOf returns the users of a repository in IAM, by their names. What was
// written counts, whether IAM shows it yet or not.
func (a *faultyAWS) usersOf(r *repository) []user {
	var users []user
	present := a.UsersNow(r.account, r.userPath())
	for _, name := range slices.Sorted(maps.Keys(present)) {
		if present[name].Path == r.userPath() {
			users = append(users, newUser(r, present[name]))
		}
	}
	return users
}

func newUser(r *repository, now localaws.UserNow) user {
	u := user{
		Name: strings.TrimPrefix(now.Name, r.userPrefix()), ID: now.ID, Bounded: now.Boundary == boundaryName,
		Policies: describePolicies(r, now.Policies), Attached: now.Attached, Groups: now.Groups, Tags: now.Tags,
	}
	slices.Sort(u.Groups)
	for _, k := range now.Keys {
		u.Keys = append(u.Keys, accessKey{k.ID, k.Status})
	}
	return u
}

// describePolicies returns pull or push for the service's one policy, and the
// texts of any others.
func describePolicies(r *repository, policies map[string]string) string {
	if len(policies) == 1 {
		for _, access := range []string{toPull, toPush} {
			if sameJSON(policies["ecr-api"], userPolicy(r, access)) {
				return access
			}
		}
	}
	if len(policies) == 0 {
		return ""
	}
	text, _ := json.Marshal(policies) // does not fail for strings
	return string(text)
}

func sameJSON(a, b string) bool {
	var valueA, valueB any
	return json.Unmarshal([]byte(a), &valueA) == nil && json.Unmarshal([]byte(b), &valueB) == nil && reflect.DeepEqual(valueA, valueB)
}

const (
	pullActions = `"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"`
	pushActions = `"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
		"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"`
	policyPattern = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]},
		{"Effect": "Allow", "Action": [ACTIONS], "Resource": ["REPOSITORY"], "Condition": {"StringEquals": {"aws:ResourceTag/spinup:org": ["ORG"]}}},
		{"Effect": "Deny", "Action": [ACTIONS], "Resource": ["*"], "Condition": {"StringNotEquals": {"aws:ResourceTag/spinup:org": ["ORG"]}}},
		{"Effect": "Deny", "NotAction": ["ecr:GetAuthorizationToken", ACTIONS], "Resource": ["*"]},
		{"Effect": "Deny", "NotAction": ["ecr:GetAuthorizationToken"], "NotResource": ["REPOSITORY"]}]}`
)

// userPolicy returns the one inline policy of a user with that access.
func userPolicy(r *repository, access string) string {
	actions := map[string]string{toPull: pullActions, toPush: pushActions}[access]
	arn := "arn:aws:ecr:" + region + ":" + r.account + ":repository/" + r.fullName()
	return strings.NewReplacer("ACTIONS", actions, "REPOSITORY", arn, "ORG", org).Replace(policyPattern)
}

// userTags returns the tags that the service sets on a user, and more.
func (r *repository) userTags(name string, more map[string]string) map[string]string {
	tags := map[string]string{
		"Name": r.userPrefix() + name, "spinup:org": org, "spinup:spaceid": r.group, "ResourceName": r.fullName(),
	}
	maps.Copy(tags, more)
	return tags
}
