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

// readBody reads the body of a call, which is a POST to the root. A large one
// waits for a place. The caller calls done when it has decoded the body.
func (s *Server) readBody(c *Request) (body []byte, done func(), err error) {
	r := c.http
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, nil, &Error{Code: codeUnknownAction, Status: http.StatusNotFound,
			Message: fmt.Sprintf("a call is a POST to /, not %s %s", r.Method, r.URL)}
	}
	var read bytes.Buffer
	if err := readUpTo(smallBody+1, &read, r.Body); err != nil {
		return nil, nil, err
	}
	if read.Len() <= smallBody {
		return read.Bytes(), func() {}, nil
	}
	if err := s.wait(c); err != nil {
		return nil, nil, err
	}
	done = func() { s.places.Release(1) }
	if err := readLarge(&read, r); err != nil {
		done()
		return nil, nil, err
	}
	return read.Bytes(), done, nil
}

// wait waits for a place. The call begins after that, as if its body had come
// later.
func (s *Server) wait(c *Request) error {
	if err := s.places.Acquire(c.http.Context(), 1); err != nil {
		return &Error{Code: codeServer, Message: err.Error(), NoAnswer: true} // the client has hung up
	}
	c.Now, c.Start = s.o.Now(), time.Now()
	return nil
}

// readLarge reads the rest of a body.
func readLarge(read *bytes.Buffer, r *http.Request) error {
	if more := r.ContentLength - int64(read.Len()); more > 0 {
		read.Grow(int(min(more, maxBody)) + bytes.MinRead) // so that it is not copied again and again
	}
	if err := readUpTo(maxBody+1, read, r.Body); err != nil {
		return err
	}
	if read.Len() > maxBody {
		return &Error{Code: codeRequestTooLarge, Status: http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	}
	return nil
}

// readUpTo reads until a number of bytes are there.
func readUpTo(size int, read *bytes.Buffer, body io.Reader) error {
	_, err := read.ReadFrom(io.LimitReader(body, int64(size-read.Len())))
	if err != nil {
		return Errorf(codeSerialization, "the body could not be read: %v", err)
	}
	return nil
}
