package service

import "net/http"

// Protocol is how a service speaks on the wire: JSON or Query.
type Protocol interface {
	// maySpeak reports whether the request could be in this protocol.
	maySpeak(r *http.Request) bool
	// operation returns the name of the operation that the request asks for.
	operation(r *http.Request, body []byte) (string, error)
	// translate returns the error with the code and the status of the protocol.
	translate(e *Error) *Error
	// success and failure return the body of an answer.
	success(out any, operation, requestID string) ([]byte, error)
	failure(e *Error, requestID string) []byte
	contentType() string
}

// guessProtocol returns the protocol for the answer if the service is not
// known. It is that of the first service whose protocol fits the request.
func (s *Server) guessProtocol(r *http.Request) Protocol {
	for _, service := range s.o.Services {
		if service.Protocol.maySpeak(r) {
			return service.Protocol
		}
	}
	return JSON{}
}
