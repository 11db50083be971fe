package localaws

import (
	"errors"
	"fmt"
	"net/http"
)

// apiError is an error that AWS answers with.
type apiError struct {
	code    string // of ECR; the query protocol has its own names for a few
	message string
	status  int               // 0 means 400
	extra   map[string]string // members beside the message
	literal bool              // the code is the service's own already: a fault's
}

// Error returns code and message.
func (e *apiError) Error() string {
	return e.code + ": " + e.message
}

func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

// asAPIError makes any error one that can be answered.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return &apiError{code: codeServer, message: err.Error(), status: http.StatusInternalServerError}
}

// Codes that all services share, by their names in the JSON protocol.
const (
	codeAccessDenied    = "AccessDeniedException"
	codeExpiredToken    = "ExpiredTokenException"
	codeMissingAuth     = "MissingAuthenticationTokenException"
	codeUnknownClient   = "UnrecognizedClientException"
	codeBadSignature    = "InvalidSignatureException"
	codeIncomplete      = "IncompleteSignatureException"
	codeServer          = "ServerException"
	codeUnknownAction   = "UnknownOperationException"
	codeSerialization   = "SerializationException"
	codeRequestTooLarge = "RequestEntityTooLargeException"
)

// invalidParameter is ECR's answer to an input that breaks a constraint.
func invalidParameter(parameter, constraint string) *apiError {
	return fail("InvalidParameterException",
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", parameter, constraint)
}
