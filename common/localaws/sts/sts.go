// Package sts is the AWS Security Token Service: AssumeRole and
// GetCallerIdentity. It also holds the roles that exist.
//
// To add an operation, write the type of its input with a method Check, a
// function that returns the permissions that it needs, and one that does the
// work. Then add a row to the table in New. The sessions that AssumeRole makes
// are kept in package service, which authorizes every call.
package sts

import (
	"encoding/xml"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// sts is the state: all roles, and all sessions.
type sts struct {
	roles    roles
	sessions *service.Sessions
}

// New returns the service with the roles that it can assume. The sessions that
// it makes are added to those given.
func New(list []Role, sessions *service.Sessions) (service.Service, error) {
	roles, err := parseRoles(list)
	if err != nil {
		return service.Service{}, err
	}
	s := &sts{roles: roles, sessions: sessions}
	return service.Service{
		Name:     "sts",
		Protocol: service.Query{Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"},
		Operations: []service.Operation{
			service.Row("AssumeRole", decodeAssumeRole, needsToAssumeRole, s.assumeRole),
			service.Row("GetCallerIdentity", decodeNothing, needsNothing, getCallerIdentity),
		},
	}, nil
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
