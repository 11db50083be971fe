package service

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxBody is the size of the largest body, in bytes. It has room for an image
	// manifest of 4 MiB with every byte escaped in JSON, and for 20 MiB of a layer
	// in base64.
	maxBody = 28 << 20
	// smallBody is the size of the largest body that needs no place. Only
	// manifests and parts of layers have larger ones.
	smallBody = 1 << 20
	// largeBodies is how many large bodies may be in memory at a time. Whoever
	// sends one need not have a good signature.
	largeBodies = 4
)

// readBody reads the body of a call, which is a POST to the root. The caller
// calls done when it has decoded the body.
func (s *Server) readBody(c *Request) (body []byte, done func(), err error) {
	r := c.http
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, nil, &Error{Code: codeUnknownAction, Status: http.StatusNotFound,
			Message: fmt.Sprintf("a call is a POST to /, not %s %s", r.Method, r.URL)}
	}
	if body, done, err = s.readUpTo(r, maxBody); err != nil {
		return nil, nil, err
	}
	if len(body) > smallBody {
		c.Now, c.Start = s.o.Now(), time.Now() // the call begins after the wait for a place
	}
	return body, done, nil
}

// ReadBody reads the body of the request if it has no more bytes than the limit.
// A large one waits until it has a place among the large bodies in memory. The
// caller calls done when it has done with the body. An error is an Error.
func (l *Login) ReadBody(limit int) (body []byte, done func(), err error) {
	return l.server.readUpTo(l.http, limit)
}

// readUpTo is ReadBody. The limit is not less than smallBody.
func (s *Server) readUpTo(r *http.Request, limit int) (body []byte, done func(), err error) {
	var read bytes.Buffer
	if err := fill(&read, r, smallBody+1); err != nil {
		return nil, nil, err
	}
	if read.Len() <= smallBody {
		return read.Bytes(), func() {}, nil
	}
	if err := s.places.Acquire(r.Context(), 1); err != nil {
		return nil, nil, &Error{Code: codeServer, Message: err.Error(), NoAnswer: true} // the client has hung up
	}
	done = func() { s.places.Release(1) }
	if err := readLarge(&read, r, limit); err != nil {
		done()
		return nil, nil, err
	}
	return read.Bytes(), done, nil
}

// readLarge reads the rest of a large body.
func readLarge(read *bytes.Buffer, r *http.Request, limit int) error {
	if more := r.ContentLength - int64(read.Len()); more > 0 {
		read.Grow(int(min(more, int64(limit))) + bytes.MinRead) // once, and not again and again
	}
	if err := fill(read, r, limit+1); err != nil {
		return err
	}
	if read.Len() > limit {
		return &Error{Code: codeRequestTooLarge, Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the body is larger than %d bytes", limit)}
	}
	return nil
}

// fill reads until as many bytes are there as the size says, or the body ends.
func fill(read *bytes.Buffer, r *http.Request, size int) error {
	_, err := read.ReadFrom(io.LimitReader(r.Body, int64(size-read.Len())))
	if err != nil {
		return Errorf(codeSerialization, "the body could not be read: %v", err)
	}
	return nil
}
