package common

import (
	"context"
	"errors"
	"os"
)

// awsError is what an error of any AWS SDK service client can tell. Named here
// by its methods, so that this package needs no SDK.
type awsError interface {
	error
	Code() string
	Message() string
}

// throttles are the codes with which AWS services say "slow down", as far as
// STS and ECR may use them (AWS: "Error retries and exponential backoff").
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

// FromAWS turns what an AWS call returned into an Error. The codes are that
// service's own, mapped to ours; a code that is neither there nor a throttle is
// an internal error. AWS's words reach the caller for BadRequest, NotFound and
// Conflict only: those of a refusal name roles and ARNs, and the others are no
// help to a caller. An error that is one of ours already comes back unchanged.
func FromAWS(err error, codes map[string]Code) error {
	var ours *Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	var fault awsError
	if !errors.As(err, &fault) {
		return fromContext(err)
	}
	// The SDK's own words for a context that ended and for an exchange that
	// failed; their cause does not unwrap.
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
	if e.AWSRequestID == "" { // the SDK's own failure, such as no connection: AWS did not answer
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

// fromContext tells a deadline that passed from a caller that left.
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

// Origin returns the error that an error of the SDK is about, which does not
// unwrap, or the error itself.
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
