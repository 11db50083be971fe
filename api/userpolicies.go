package api

import (
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
)

// The names of the sessions that call IAM. Each is for one user, but for the one
// that lists users, and those that read users or delete all of a repository.
const (
	toListUsers   = "to list users"
	toReadUsers   = "to read users"
	toCreateUser  = "to create a user"
	toChangeUser  = "to change a user"
	toMakeKeys    = "to make access keys"
	toSwitchKeys  = "to switch access keys on and off"
	toDeleteKeys  = "to delete access keys"
	toDeleteUser  = "to delete a user"
	toDeleteUsers = "to delete all users of a repository"
)

// The further sessions of each row of users.
var (
	listUsersSessions = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy}
	showUserSessions  = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toReadUsers: readUsersPolicy}

	createUserSessions  = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toCreateUser: createUserPolicy}
	deleteUserSessions  = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toDeleteUser: deleteUserPolicy}
	deleteUsersSessions = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toDeleteUsers: deleteUsersPolicy}

	changeUserSessions = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toChangeUser: changeUserPolicy, toMakeKeys: makeKeysPolicy}
	switchKeySessions  = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toSwitchKeys: switchKeysPolicy}
	deleteKeySessions  = map[string]func(iam.Scope) iam.Policy{toListUsers: listUsersPolicy, toDeleteKeys: deleteKeysPolicy}
)

// Condition keys of IAM.
const (
	boundaryKey  = "iam:PermissionsBoundary"
	userOrg      = resourceOrg
	userResource = "aws:ResourceTag/" + resourceTag
)

// The reads of a user, and of its access keys.
var (
	keyReads  = []string{"iam:GetAccessKeyLastUsed", "iam:ListAccessKeys"}
	userReads = append([]string{"iam:GetUser", "iam:GetUserPolicy", "iam:ListGroupsForUser"}, keyReads...)
)

// listUsersPolicy is for all rows. IAM limits a list to no path, so no other
// session may list, and this one may do nothing else.
func listUsersPolicy(iam.Scope) iam.Policy {
	return iam.NewPolicy(iam.Allow("*", "iam:ListUsers"))
}

// readUsersPolicy is for all users of the repository, so that their reads share one
// session.
func readUsersPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(iam.Allow(s.AllUsers(), userReads...))
}

// createUserPolicy allows to create the user under the boundary, with the tags on
// which its rights depend. IAM demands TagUser for a CreateUser with tags. The
// conditions on the user's own tags keep the session from changing them later. See
// ifTagged for why they do not ask for none. The deletions undo a create that has
// failed. The boundary is in a Deny, because the document would be too long with
// it in each Allow.
func createUserPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(
		iam.Allow(s.UserARN(), "iam:DeleteUser", "iam:DeleteUserPolicy", "iam:GetUser", "iam:PutUserPolicy"),
		iam.Allow(s.UserARN(), "iam:CreateUser", "iam:TagUser").
			When("StringEquals", "aws:RequestTag/"+common.OrgTag, s.Org).
			When("StringEquals", "aws:RequestTag/"+spaceTag, s.Group).
			When("StringEquals", "aws:RequestTag/"+resourceTag, s.Group+"/"+s.Name).
			When(ifTagged, userOrg, s.Org).
			When(ifTagged, userResource, s.Group+"/"+s.Name),
		iam.Deny("*", "iam:CreateUser", "iam:DeleteUserPolicy", "iam:PutUserPolicy").
			When("StringNotEquals", boundaryKey, s.Boundary), // also without one
	)
}

// underBoundary allows actions on the user if its boundary is the one of the
// configuration, or becomes that one.
func underBoundary(s iam.Scope, actions ...string) iam.Statement {
	return iam.Allow(s.UserARN(), actions...).When("StringEquals", boundaryKey, s.Boundary)
}

// changeUserPolicy allows to make a user of the earlier service one of ours, and
// to set tags, but not those that the service sets.
func changeUserPolicy(s iam.Scope) iam.Policy {
	statements := []iam.Statement{
		iam.Allow(s.UserARN(), append([]string{"iam:TagUser"}, userReads...)...),
		underBoundary(s, "iam:PutUserPermissionsBoundary", "iam:PutUserPolicy"),
		iam.Deny("*", "iam:TagUser").When("ForAnyValue:StringEqualsIgnoreCase", "aws:TagKeys", nameTag, common.OrgTag, spaceTag, resourceTag),
	}
	return iam.NewPolicy(append(statements, leaveFormerGroup(s)...)...)
}

// leaveFormerGroup allows to take users out of the earlier service's group.
func leaveFormerGroup(s iam.Scope) []iam.Statement {
	if s.FormerGroup == "" {
		return nil
	}
	return []iam.Statement{iam.Allow(s.FormerGroup, "iam:RemoveUserFromGroup")}
}

// makeKeysPolicy allows to make keys of a user whose tags confine it to the
// repository. The reads of the user are there so that most requests for a key need
// no other session. The deletion is for a key whose secret was lost, and for those
// that a new one replaces.
func makeKeysPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(
		iam.Allow(s.UserARN(), append([]string{"iam:DeleteAccessKey"}, userReads...)...),
		iam.Allow(s.UserARN(), "iam:CreateAccessKey").
			When("StringEquals", userOrg, s.Org).
			When("StringEquals", userResource, s.Group+"/"+s.Name),
	)
}

func switchKeysPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(iam.Allow(s.UserARN(), append([]string{"iam:UpdateAccessKey"}, keyReads...)...))
}

func deleteKeysPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(iam.Allow(s.UserARN(), append([]string{"iam:DeleteAccessKey"}, keyReads...)...))
}

func deleteUserPolicy(s iam.Scope) iam.Policy { return deletionPolicy(s.UserARN(), s) }

func deleteUsersPolicy(s iam.Scope) iam.Policy { return deletionPolicy(s.AllUsers(), s) }

func deletionPolicy(users string, s iam.Scope) iam.Policy {
	actions := append([]string{
		"iam:DeleteAccessKey", "iam:DeleteUser", "iam:DeleteUserPolicy", "iam:DetachUserPolicy",
		"iam:ListAttachedUserPolicies", "iam:ListUserPolicies",
	}, userReads...)
	return iam.NewPolicy(append([]iam.Statement{iam.Allow(users, actions...)}, leaveFormerGroup(s)...)...)
}
