package common

import (
	"errors"
	"fmt"
)

// A Code says what kind of error an Error is. Package api maps each Code to one
// HTTP status. An error without a Code is an internal error.
type Code string

// The Codes.
const (
	BadRequest       Code = "bad request"        // the caller's input is wrong
	Forbidden        Code = "forbidden"          // no good token, a role that AWS refuses, another org's repository
	NotFound         Code = "not found"          // what the path names does not exist
	MethodNotAllowed Code = "method not allowed" // the path is right, the method is not
	Conflict         Code = "conflict"           // AWS cannot do it in the present state
	TooLarge         Code = "too large"          // the body is over the limit
	Throttled        Code = "throttled"          // AWS throttles, or a quota is reached
	Unavailable      Code = "unavailable"        // the service is at a limit, or it is stopping
	Timeout          Code = "timeout"            // the deadline of the request passed
	Canceled         Code = "canceled"           // the caller has hung up
	Internal         Code = "internal error"     // everything else
)

// An Error is for the caller and for the log. The caller sees all fields except
// Cause. Only the log has Cause.
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
}

// Errorf returns an Error with that code. The message is made as by
// fmt.Sprintf.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithOutcome returns the error of a change with the parts that are applied and
// those that are unknown. An error that is not an Error becomes an internal
// error.
func WithOutcome(err error, applied, unknown []string) error {
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
