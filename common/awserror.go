package common

import (
	"context"
	"errors"
	"os"
	"regexp"
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

// refusals are the Codes of calls that AWS did not allow.
var refusals = map[Code]bool{RoleRefused: true, DeniedByAWS: true}

// FromAWS turns the error of a call to AWS into an Error. The map has the error
// codes of the service that was called. A code that is neither in the map nor
// in throttles is an internal error. For a refusal the caller gets the given
// sentence, because AWS's message names roles and ARNs. For the other codes of
// the map the caller gets AWS's message, unless it names something of ours. An
// error that is an Error already is returned unchanged.
func FromAWS(err error, codes map[string]Code, refusal string) error {
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
	e.Message = messageFor(e, fault.Message(), refusal)
	e.AWSRequestID = requestID(err)
	if e.Code == "" {
		e.Code = Internal
	}
	if e.AWSRequestID == "" || e.AWSCode == "SerializationError" { // AWS gave no code; this is the SDK's own
		e.AWSCode = ""
	}
	return e
}

func messageFor(e *Error, awsMessage, refusal string) string {
	switch {
	case e.Code == "":
		return "internal error"
	case e.Code == Throttled:
		return "AWS limits how much may be asked of that account, and the limit is reached. Try again later."
	case e.Code == QuotaReached:
		return "A quota of AWS is reached in that account. Delete what is not needed, or have the quota raised. " + AWSWords(e.AWSCode, awsMessage)
	case refusals[e.Code]:
		return refusal
	default:
		return AWSWords(e.AWSCode, awsMessage)
	}
}

// maxAWSWords is how many characters of AWS's message a caller gets. AWS may
// repeat in it what the caller has sent.
const maxAWSWords = 500

// ours matches what AWS's message must not tell callers: the role, its session
// and other identities of ours.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
var ours = regexp.MustCompile(`(?i:arn:[a-z-]+:(iam|sts):)|(?i:assumed-role|federated-user|not authorized to perform|encoded authorization)|` +
	`\b(A3T[A-Z0-9]|ABIA|ACCA|AGPA|AIDA|AIPA|AKIA|ANPA|ANVA|AROA|ASCA|ASIA)[A-Z0-9]{12,}|-ecr-api-[0-9a-f]{16}`)

// AWSWords returns AWS's message for a caller. If the message names something
// of ours, it is in the log only.
func AWSWords(awsCode, message string) string {
	if ours.MatchString(message) {
		return "AWS answered " + awsCode + ". The log has its words: quote the requestId to whoever runs this service."
	}
	return Clip(message, maxAWSWords)
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
