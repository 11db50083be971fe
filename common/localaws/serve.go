package localaws

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxBody is the largest body that is read: an image manifest of 4 MiB, every byte of it escaped in
// JSON.
const maxBody = 10 << 20

// Ends of a call that nobody gets an answer of.
var (
	errDropped    = &apiError{code: CodeDropped}
	errClientGone = &apiError{code: CodeClientGone}
)

// ServeHTTP answers one call of any service, or a request that has to do with faults.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isFaultsPath(r.URL.Path) {
		s.faultsHTTP.ServeHTTP(w, r)
		return
	}
	s.serveCall(w, r)
}

// serveCall answers one call of any service.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request) {
	c := &call{request: r, now: s.now(), protocol: guessProtocol(r)}
	c.Start = time.Now()
	c.RequestID = requestID()

	status := http.StatusOK
	body, err := s.answer(c)
	if err != nil {
		e := c.protocol.translate(asAPIError(err))
		c.ErrorCode = e.code
		body, status = c.protocol.failure(e, c.RequestID), e.status
	}
	c.End = time.Now()
	// Before the answer goes out, so that whoever has it can rely on Watch having been told.
	if s.watch != nil {
		s.watch(c.Call)
	}
	if errors.Is(err, errDropped) || errors.Is(err, errClientGone) {
		panic(http.ErrAbortHandler) // net/http closes the connection without a word
	}
	header := w.Header()
	header.Set("Content-Type", c.protocol.contentType())
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Amzn-Requestid", c.RequestID)
	// Of the clock that createdAt is of: without it net/http tells its own time.
	header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is no error of ours
}

// answer takes a call from its signature to the body of its answer.
func (s *Server) answer(c *call) ([]byte, error) {
	sig, err := parseSignature(c.request.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	c.AccessKey, c.Service, c.Region, c.region = sig.accessKey, sig.service, sig.region, region(sig.region)
	svc, ok := s.services[sig.service]
	if !ok {
		return nil, fail(codeUnknownAction, "there is no service %q here, only ecr and sts", sig.service)
	}
	c.protocol = svc.protocol
	if !c.region.valid() {
		return nil, fail(codeBadSignature, "Credential should be scoped to a valid region.")
	}
	body, err := readBody(c.request)
	if err != nil {
		return nil, err
	}
	if c.Operation, err = svc.protocol.operation(c.request, body); err != nil {
		return nil, err
	}
	op, ok := svc.operations[c.Operation]
	if !ok {
		return nil, fail(codeUnknownAction, "there is no operation %s:%s here", c.Service, c.Operation)
	}
	if err := s.identify(c, sig, body); err != nil {
		return nil, err
	}
	in, err := op.decode(body)
	if err != nil {
		return nil, err
	}
	c.Repository = in.repository()
	out, err := s.performOrMisbehave(c, op, in)
	if err != nil {
		return nil, err
	}
	return c.protocol.success(out, c.Operation, c.RequestID)
}

// readBody reads the body of a call, which is a POST to the root.
func readBody(r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/" || r.URL.RawQuery != "" {
		return nil, &apiError{code: codeUnknownAction, status: http.StatusNotFound,
			message: fmt.Sprintf("calls are a POST to /, not %s %s", r.Method, r.URL)}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, fail(codeSerialization, "the body could not be read: %v", err)
	}
	if len(body) > maxBody {
		return nil, &apiError{code: codeRequestTooLarge, status: http.StatusRequestEntityTooLarge,
			message: fmt.Sprintf("the body is larger than %d bytes", maxBody)}
	}
	return body, nil
}

func (s *Server) performOrMisbehave(c *call, op operation, in input) (any, error) {
	f, ok := s.faults.hit(c.Call)
	if !ok {
		return s.perform(c, op, in)
	}
	if f.AfterWork {
		out, err := s.perform(c, op, in)
		return f.after(c.request.Context(), out, err)
	}
	if err := f.before(c.request.Context()); err != nil {
		return nil, err
	}
	c.now = s.now() // the work is done when the delay is over
	return s.perform(c, op, in)
}

// perform checks the input, then the caller's right, then does the work: in this order, as AWS does,
// and all at one moment.
func (s *Server) perform(c *call, op operation, in input) (any, error) {
	if err := in.check(c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range op.needs(s, c, in) {
		if err := c.authorize(p); err != nil {
			return nil, err
		}
	}
	return op.do(s, c, in)
}

// requestID returns a random UUID.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
