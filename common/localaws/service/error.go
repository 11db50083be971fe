package service

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an error that AWS answers with.
type Error struct {
	Code    string // in the JSON protocol; Query has its own names for a few
	Message string
	Status  int            // HTTP status; 0 means the protocol's own
	Extra   map[string]any // members beside the message: strings and numbers
	// Literal says that the code goes out as it is: no protocol translates it.
	Literal bool
	// NoAnswer says that the connection is closed without an answer.
	NoAnswer bool
}

// Error returns code and message.
func (e *Error) Error() string {
	return e.Code + ": " + e.Message
}

// Errorf returns an error with a code and a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asError returns the Error in err. Any other error becomes the server's own
// failure.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: codeServer, Message: err.Error(), Status: http.StatusInternalServerError}
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
