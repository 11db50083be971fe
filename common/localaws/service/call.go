package service

import (
	"net/http"
	"time"
)

// Call is one call as the server sees it. If a call fails early, the fields
// that are not known yet are empty.
type Call struct {
	Service, Operation string    // "ecr", "CreateRepository"
	AccessKey          string    // the key that signed
	Principal          string    // ARN, such as arn:aws:sts::012345678901:assumed-role/ecr-api/NAME
	SourceIdentity     string    // of the principal
	Policy             string    // session policy of the principal
	Account, Region    string    // the principal's account, and the region of the signature
	Repository         string    // the repository that the call is about, the first of several
	ErrorCode          string    // "" if the call succeeded
	RequestID          string    // as in the answer
	Start, End         time.Time // of the machine's clock, not of the server's
}

// Request is a Call while it is being answered.
type Request struct {
	Call
	// Now is the time of the work, by the server's clock.
	Now time.Time
	// Caller is the principal whose ARN is in the Call.
	Caller Principal
	// Session is the session of a role or the user whose key signed the call. It
	// is nil for the administrator.
	Session *Session

	http     *http.Request
	protocol Protocol
	sessions *Sessions
	fault    Fault // that hits the call, nil if there is none
}

// Place is an account in a region.
type Place struct {
	Account string
	Region  Region
}

// Host returns the host and the port by which the caller reaches this server.
func (c *Request) Host() string { return c.http.Host }

// Place returns the caller's account and the region of the call.
func (c *Request) Place() Place {
	return Place{c.Account, Region(c.Region)}
}
