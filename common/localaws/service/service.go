// Package service has what all services of this AWS share: protocols,
// signatures, sessions, authorization, pages, and the handling of a call.
//
// A service is a value of type Service: a name, a protocol and a table of
// operations. This package knows no service by name. Of the packages in
// localaws it imports only policy.
//
// To add a service, see package localaws. If it speaks a new protocol, write
// that here, beside JSON and Query.
package service

import "sync"

// Service is one of AWS's services.
type Service struct {
	Name       string // "ecr", as in the scope of a signature
	Protocol   Protocol
	Operations []Operation
	// Lock guards the state of the service. A call holds it from its
	// authorization to the end of its work, so that nothing changes between the
	// decision and the work. A FreeRow is different. It is nil in a service
	// without state.
	Lock sync.Locker
}

// Operation is one row of the table of a service. Make it with Row or FreeRow.
type Operation struct {
	Name   string
	free   bool // the work does not hold the lock
	decode func(c *Request, body []byte) (Input, error)
	needs  func(c *Request, in Input) []Permission
	work   func(c *Request, in Input) (any, error)
}

// Input is the decoded input of an operation.
type Input interface {
	// Check returns an error if the input breaks a constraint. It looks at the
	// input and the caller only, and not at the state of the service.
	Check(c *Request) error
}

// Row returns the operation of a name.
//
//   - decode reads the input. It also fills in what only the service can know
//     of the Call, such as its Repository.
//   - needs returns the permissions that the caller must have. All of them
//     must be allowed.
//   - work does the work and returns the answer.
func Row[In Input](
	name string,
	decode func(c *Request, body []byte) (In, error),
	needs func(c *Request, in In) []Permission,
	work func(c *Request, in In) (any, error),
) Operation {
	return Operation{
		Name:   name,
		decode: func(c *Request, body []byte) (Input, error) { return decode(c, body) },
		needs:  func(c *Request, in Input) []Permission { return needs(c, in.(In)) },
		work:   func(c *Request, in Input) (any, error) { return work(c, in.(In)) },
	}
}

// FreeRow is like Row, for work that takes as long as a client sends or reads
// bytes. The lock of the service is held while the call is authorized, and not
// during the work. So the work must lock what it touches.
func FreeRow[In Input](
	name string,
	decode func(c *Request, body []byte) (In, error),
	needs func(c *Request, in In) []Permission,
	work func(c *Request, in In) (any, error),
) Operation {
	operation := Row(name, decode, needs, work)
	operation.free = true
	return operation
}

// find returns the operation of a name.
func (s Service) find(name string) (Operation, error) {
	for _, operation := range s.Operations {
		if operation.Name == name {
			return operation, nil
		}
	}
	return Operation{}, Errorf(codeUnknownAction, "there is no operation %s:%s here", s.Name, name)
}
