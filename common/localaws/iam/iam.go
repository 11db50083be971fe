// Package iam is AWS Identity and Access Management: users, their access keys
// and their policies. It also holds the managed policies and the IAM groups
// that exist, which no call makes or changes.
//
// IAM is not consistent at once. A write is seen after a delay, which SetDelay
// sets: a version of a user is kept for each write, and who reads gets the
// newest one that is old enough. Writes go to the newest one.
//
// To add an operation, write a function that returns the permissions that it
// needs, and one that does the work. Then add a row to the table in Service,
// with the parameters that it takes. IAM has more operations. Add one here when
// this module calls it.
package iam

import (
	"net/http"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Store holds the users, groups and managed policies of all accounts. It is
// safe for concurrent use.
type Store struct {
	// UserDeleted, if set, is told of each user that was deleted: the path and
	// name that its ARN ends in, such as user/path/name, and its unique id. It
	// is set before the first call.
	UserDeleted func(account, resource, id string)

	now   func() time.Time
	pages service.Pages

	// calls is held by a call from its authorization to the end of its work.
	calls sync.Mutex
	// mu guards what follows. Who holds it takes no other lock. So other
	// services can ask for users while they hold theirs.
	mu       sync.Mutex
	delay    time.Duration
	accounts map[string]*account
	keys     map[string]*keyOwner // all that there were, by access key
}

// New returns a store without users. now gives the time for users that are
// added directly, and for keys that sign calls.
func New(now func() time.Time) *Store {
	return &Store{
		now:      now,
		pages:    service.NewPages(),
		accounts: make(map[string]*account),
		keys:     make(map[string]*keyOwner),
	}
}

// Service returns the service with its table of operations.
func (s *Store) Service() service.Service {
	return service.Service{
		Name: "iam",
		Protocol: service.Query{
			Version:   "2010-05-08",
			Namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
			Statuses: map[string]int{
				codeNotFound: http.StatusNotFound,
				codeExists:   http.StatusConflict,
				codeLimit:    http.StatusConflict,
				codeConflict: http.StatusConflict,
			},
		},
		Lock: &s.calls,
		Operations: []service.Operation{
			row("CreateUser", s.needsToCreate, s.createUser, newUserName, path, optional(boundary), tags),
			row("GetUser", s.onUser, s.getUser, optional(userName)),
			row("ListUsers", s.onAll, s.listUsers, pathPrefix, marker, maxItems),
			row("DeleteUser", s.onUser, s.deleteUser, userName),
			row("TagUser", s.needsToTag, s.tagUser, userName, tags),
			row("PutUserPermissionsBoundary", s.onUserWithNewBoundary, s.putUserPermissionsBoundary, userName, boundary),

			row("CreateAccessKey", s.onUser, s.createAccessKey, optional(userName)),
			row("UpdateAccessKey", s.onUser, s.updateAccessKey, optional(userName), accessKeyID, status),
			row("DeleteAccessKey", s.onUser, s.deleteAccessKey, optional(userName), accessKeyID),
			row("ListAccessKeys", s.onUser, s.listAccessKeys, optional(userName), marker, maxItems),
			row("GetAccessKeyLastUsed", s.onKey, s.getAccessKeyLastUsed, accessKeyID),

			row("PutUserPolicy", s.onUserWithBoundary, s.putUserPolicy, userName, policyName, policyDocument),
			row("GetUserPolicy", s.onUser, s.getUserPolicy, userName, policyName),
			row("DeleteUserPolicy", s.onUserWithBoundary, s.deleteUserPolicy, userName, policyName),
			row("ListUserPolicies", s.onUser, s.listUserPolicies, userName, marker, maxItems),
			row("ListAttachedUserPolicies", s.onUser, s.listAttachedUserPolicies, userName, pathPrefix, marker, maxItems),
			row("DetachUserPolicy", s.onUserWithBoundary, s.detachUserPolicy, userName, policyARN),

			row("ListGroupsForUser", s.onUser, s.listGroupsForUser, userName, marker, maxItems),
			row("RemoveUserFromGroup", s.onGroup, s.removeUserFromGroup, groupName, userName),
		},
	}
}

// row returns an operation that takes the parameters.
func row(
	name string,
	needs func(c *service.Request, in input) []service.Permission,
	work func(c *service.Request, in input) (any, error),
	parameters ...parameter,
) service.Operation {
	decode := func(_ *service.Request, body []byte) (input, error) {
		form, err := service.ParseForm(body)
		return input{form, parameters}, err
	}
	return service.Row(name, decode, needs, work)
}

// The codes of IAM's own errors.
const (
	codeNotFound  = "NoSuchEntity"
	codeExists    = "EntityAlreadyExists"
	codeLimit     = "LimitExceeded"
	codeConflict  = "DeleteConflict"
	codeInvalid   = "InvalidInput"
	codeMalformed = "MalformedPolicyDocument"
	codeParameter = "ValidationError"
)
