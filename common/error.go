package common

import (
	"errors"
	"fmt"
)

// A Code says what kind of error an Error is. Callers see it as the code of a
// problem document and act on it, so a Code never changes. Package api maps each
// Code to one HTTP status. An error without a Code is an internal error.
type Code string

// The Codes. docs/api.md and the OpenAPI document list them for callers.
const (
	BadRequest         Code = "bad-request"          // the caller's input is wrong
	TokenMissing       Code = "token-missing"        // there is no token
	TokenRefused       Code = "token-refused"        // the token is not a hash of a key
	KeyLimited         Code = "key-limited"          // the request is outside the limits of the caller's key
	RoleRefused        Code = "role-refused"         // AWS does not let the service assume the role
	DeniedByAWS        Code = "denied-by-aws"        // AWS denies a call in the role's session
	OtherOrg           Code = "other-org"            // the repository is another org's, or nobody's
	PathUnknown        Code = "path-unknown"         // there is no such path
	AccountUnknown     Code = "account-unknown"      // the configuration does not have the account
	RepositoryNotFound Code = "repository-not-found" // there is no such repository
	ImageNotFound      Code = "image-not-found"      // there is no such image
	LifecycleNotFound  Code = "lifecycle-not-found"  // the repository has no lifecycle policy
	PreviewNotFound    Code = "preview-not-found"    // nobody has asked for a preview of a lifecycle policy
	UsersOff           Code = "users-off"            // the configuration has no users in that account
	UserNotFound       Code = "user-not-found"       // the repository has no such user
	AccessKeyNotFound  Code = "access-key-not-found" // the user has no such access key
	MethodNotAllowed   Code = "method-not-allowed"   // the path is right, the method is not
	RepositoryExists   Code = "repository-exists"    // the name of a create is taken
	RepositoryNotEmpty Code = "repository-not-empty" // AWS does not delete it while it has images
	ImageInIndex       Code = "image-in-index"       // an index that is there names the image, so it cannot be deleted
	TagMoved           Code = "tag-moved"            // another image has got the tag of which AWS did not say whether it is deleted
	ImageIsIndex       Code = "image-is-index"       // an index cannot be scanned, its parts can
	ScannedByRegistry  Code = "scanned-by-registry"  // the registry scans by itself, and not on demand
	PreviewUnderWay    Code = "preview-under-way"    // AWS makes a preview of another lifecycle policy
	SharingChanged     Code = "sharing-changed"      // somebody changed the repository's policy at the same time
	PrincipalGone      Code = "principal-gone"       // AWS refuses the repository's policy because of a principal that is gone
	UserExists         Code = "user-exists"          // the name of a user is taken
	UserConflict       Code = "user-conflict"        // something of the user that is not the service's is in the way, or somebody else changes it
	TwoAccessKeys      Code = "two-access-keys"      // the user has two access keys, which is AWS's limit
	BodyTooLarge       Code = "body-too-large"       // the body is over the limit
	Throttled          Code = "throttled"            // AWS throttles, or the service holds back sessions so that AWS need not
	QuotaReached       Code = "quota-reached"        // a quota of the account is reached
	Canceled           Code = "canceled"             // the caller has hung up
	Internal           Code = "internal"             // everything else
	TooManyRequests    Code = "too-many-requests"    // the service answers too many requests already
	TooManyTokens      Code = "too-many-tokens"      // the service checks too many new tokens already
	Stopping           Code = "stopping"             // this copy of the service is stopping
	CannotLog          Code = "cannot-log"           // this copy cannot write its audit log
	Timeout            Code = "timeout"              // the deadline of the request passed
)

// OtherOrgMessage is what a caller is told about another org's repository.
const OtherOrgMessage = "That repository belongs to another org, or to none. " +
	"Only repositories whose tag " + OrgTag + " is this service's org can be used."

// An Error is for the caller and for the log. The caller sees all fields except
// Cause and LostPolicy. Only the log has these.
type Error struct {
	Code    Code
	Message string // a sentence that says what to do
	Cause   error  // may be nil

	AWSCode      string // AWS's own error code, such as RepositoryNotFoundException
	AWSRequestID string // AWS's id of the failed call

	// Applied are the parts of a failed change that are done all the same.
	// Unknown are the parts that may be done: AWS did not say. A part in
	// neither list is not done.
	Applied, Unknown []string
	LostPolicy       string // a policy of others that the change has deleted and could not write back; only the log has it
	Advice           string // sentences that say what to do about these parts; empty: what most changes need
}

// Errorf returns an Error with that code. The message is made as by
// fmt.Sprintf.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithOutcome returns the error of a change with the parts that are applied and
// those that are unknown. An error that is not an Error becomes an internal
// error.
func WithOutcome(err error, applied, unknown []string) *Error {
	changed := Error{Code: Internal, Message: "internal error", Cause: err}
	if e := new(Error); errors.As(err, &e) {
		changed = *e
	}
	changed.Applied, changed.Unknown = applied, unknown
	return &changed
}

// Error returns the message with the cause. It is for the log.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the Code of an error. It is empty for nil, and Internal for an
// error that has none.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return Internal
	}
}
