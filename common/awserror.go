package common

import (
	"context"
	"errors"
	"os"
)

// awsError has the methods that an error of any client of the AWS SDK has. It
// is declared here so that this package does not import the SDK.
type awsError interface {
	error
	Code() string
	Message() string
}

// throttles are the error codes with which AWS services throttle (AWS: "Error
// retries and exponential backoff").
var throttles = map[string]bool{
	"BandwidthLimitExceeded":    true,
	"RequestLimitExceeded":      true,
	"RequestThrottled":          true,
	"RequestThrottledException": true,
	"SlowDown":                  true,
	"ThrottledException":        true,
	"Throttling":                true,
	"ThrottlingException":       true,
	"TooManyRequestsException":  true,
}

// FromAWS turns the error of a call to AWS into an Error. The map has the error
// codes of the service that was called. A code that is neither in the map nor
// in throttles is an internal error. The caller gets AWS's message for
// BadRequest, NotFound and Conflict only: the message of a refusal names roles
// and ARNs, and other messages do not help a caller. An error that is an Error
// already is returned unchanged.
func FromAWS(err error, codes map[string]Code) error {
	var ours *Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	var fault awsError
	if !errors.As(err, &fault) {
		return fromContext(err)
	}
	// An ended context and a failed connection are errors of the SDK itself.
	// The SDK has its own codes for them, and errors.As does not reach their
	// cause.
	switch cause := Origin(fault); {
	case fault.Code() == "RequestCanceled":
		return fromContext(cause)
	case os.IsTimeout(cause):
		return timeout(err)
	}
	e := &Error{Code: codes[fault.Code()], AWSCode: fault.Code(), Cause: err}
	if throttles[fault.Code()] {
		e.Code = Throttled
	}
	e.Message = messageFor(e.Code, fault.Message())
	e.AWSRequestID = requestID(err)
	if e.Code == "" {
		e.Code = Internal
	}
	if e.AWSRequestID == "" || e.AWSCode == "SerializationError" { // AWS gave no code; this is the SDK's own
		e.AWSCode = ""
	}
	return e
}

func messageFor(code Code, awsMessage string) string {
	switch code {
	case BadRequest, NotFound, Conflict:
		return awsMessage
	case Forbidden:
		return "AWS refused this with the role of that account. Check the role's trust and permissions, and that the repository belongs to this org."
	case Throttled:
		return "AWS limits how much may be asked of that account, and the limit is reached. Try again later."
	default:
		return "internal error"
	}
}

// fromContext returns a Timeout if a deadline has passed, a Canceled if the
// caller has hung up, and an internal error otherwise.
func fromContext(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return timeout(err)
	case errors.Is(err, context.Canceled):
		return &Error{Code: Canceled, Message: "The request was cancelled.", Cause: err}
	default:
		return &Error{Code: Internal, Message: "internal error", Cause: err}
	}
}

func timeout(cause error) error {
	return &Error{Code: Timeout, Message: "AWS did not answer in time.", Cause: cause}
}

// Origin returns the cause of an error of the SDK, which errors.Unwrap does not
// reach. Without a cause it returns the error itself.
func Origin(err error) error {
	var wrapped interface{ OrigErr() error }
	for errors.As(err, &wrapped) && wrapped.OrigErr() != nil {
		err = wrapped.OrigErr()
	}
	return err
}

func requestID(err error) string {
	var answered interface{ RequestID() string }
	if errors.As(err, &answered) {
		return answered.RequestID()
	}
	return ""
}
