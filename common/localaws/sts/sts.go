// Package sts is the AWS Security Token Service: AssumeRole and
// GetCallerIdentity. It also holds the roles that exist.
//
// To add an operation, write the type of its input with a method Check, a
// function that returns the permissions that it needs, and one that does the
// work. Then add a row to the table in Service. The sessions that AssumeRole makes
// are kept in package service, which authorizes every call.
package sts

import (
	"encoding/xml"
	"sync"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Store holds all roles, and all sessions. It is safe for concurrent use.
type Store struct {
	mu       sync.Mutex // guards roles; a call holds it, as in ecr.Store
	roles    roles
	sessions *service.Sessions
}

// New returns a store with the roles that can be assumed. The sessions that it
// makes are added to those given.
func New(list []Role, sessions *service.Sessions) (*Store, error) {
	roles, err := parseRoles(list)
	if err != nil {
		return nil, err
	}
	return &Store{roles: roles, sessions: sessions}, nil
}

// Service returns the service with its table of operations.
func (s *Store) Service() service.Service {
	return service.Service{
		Name:     "sts",
		Protocol: service.Query{Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"},
		Lock:     &s.mu,
		Operations: []service.Operation{
			service.Row("AssumeRole", decodeAssumeRole, needsToAssumeRole, s.assumeRole),
			service.Row("GetCallerIdentity", decodeNothing, needsNothing, getCallerIdentity),
		},
	}
}

// noInput is the input of operations that take no parameters.
type noInput struct{}

func decodeNothing(*service.Request, []byte) (noInput, error) { return noInput{}, nil }

func (noInput) Check(*service.Request) error { return nil }

func needsNothing(*service.Request, noInput) []service.Permission { return nil }

// getCallerIdentityResult is the answer of GetCallerIdentity.
type getCallerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string   `xml:"Account"`
}

func getCallerIdentity(c *service.Request, _ noInput) (any, error) {
	return getCallerIdentityResult{ARN: c.Caller.ARN, UserID: c.Caller.UserID, Account: c.Caller.Account}, nil
}
