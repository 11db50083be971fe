package service

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
)

// Options of NewServer. All are needed except UserKeys and Watch.
type Options struct {
	Services []Service
	Sessions *Sessions
	UserKeys UserKeys // nil if there are no users
	// Now tells the time.
	Now func() time.Time
	// Watch is called for every call, before its answer is sent.
	Watch func(Call)
	// FaultFor returns the fault that hits a call, nil if there is none.
	FaultFor func(Call) Fault
}

// Fault is something that goes wrong with one call.
type Fault interface {
	// Before runs before the work. If it returns an error, the work is not
	// done.
	Before(ctx context.Context) error
	// Flow returns the bytes of a layer that the call receives or sends. If
	// reading them fails, no more bytes flow.
	Flow(ctx context.Context, layer io.Reader) io.Reader
	// After takes the outcome of the work and returns what to answer instead.
	After(ctx context.Context, out any, err error) (any, error)
}

// Server serves the calls of all services.
type Server struct {
	o      Options
	places *semaphore.Weighted // for large bodies
}

// NewServer returns a server of the services given.
func NewServer(o Options) *Server {
	if o.UserKeys == nil {
		o.UserKeys = noUsers{}
	}
	return &Server{o, semaphore.NewWeighted(largeBodies)}
}

// OperationNames returns the operations of all services, such as
// "ecr:DescribeRepositories", sorted.
func (s *Server) OperationNames() (names []string) {
	for _, service := range s.o.Services {
		for _, operation := range service.Operations {
			names = append(names, service.Name+":"+operation.Name)
		}
	}
	slices.Sort(names)
	return names
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := s.newRequest(r)
	c.protocol = s.guessProtocol(r)
	body, err := s.answer(c)
	status, closed := http.StatusOK, false
	if err != nil {
		e := c.protocol.translate(asError(err))
		c.ErrorCode = e.Code
		body, status, closed = c.protocol.failure(e, c.RequestID), e.Status, e.NoAnswer
	}
	s.end(c)
	if closed {
		panic(http.ErrAbortHandler) // net/http closes the connection and logs nothing
	}
	s.write(w, c, status, body)
}

func (s *Server) newRequest(r *http.Request) *Request {
	c := &Request{http: r, Now: s.o.Now(), sessions: s.o.Sessions}
	c.Start = time.Now()
	c.RequestID = NewID()
	return c
}

// end shows the call to Watch. That is before the answer is sent, so that a test
// that has the answer can rely on it.
func (s *Server) end(c *Request) {
	c.End = time.Now()
	if s.o.Watch != nil {
		s.o.Watch(c.Call)
	}
}

func (s *Server) write(w http.ResponseWriter, c *Request, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", c.protocol.contentType())
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Amzn-Requestid", c.RequestID)
	// Without this, net/http would use the machine's clock. The times in the
	// body are of the server's clock.
	header.Set("Date", s.o.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has hung up
}

// answer checks and performs a call, and returns the body of its answer.
func (s *Server) answer(c *Request) ([]byte, error) {
	work, err := s.read(c)
	if err != nil {
		return nil, err
	}
	out, err := s.performWithFault(c, work)
	if err != nil {
		return nil, err
	}
	return c.protocol.success(out, c.Operation, c.RequestID)
}

// read reads a call and checks its signature. It returns what is to be done.
func (s *Server) read(c *Request) (work func() (any, error), err error) {
	sig, err := parseSignature(c.http.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	service, err := s.route(c, sig)
	if err != nil {
		return nil, err
	}
	body, done, err := s.readBody(c)
	if err != nil {
		return nil, err
	}
	defer done()
	if c.Operation, err = service.Protocol.operation(c.http, body); err != nil {
		return nil, err
	}
	operation, err := service.find(c.Operation)
	if err != nil {
		return nil, err
	}
	if err := s.identify(c, sig, body); err != nil {
		return nil, err
	}
	in, err := operation.decode(c, body)
	if err != nil {
		return nil, err
	}
	return func() (any, error) { return service.perform(c, operation, in) }, nil
}

// route returns the service that the call is signed for.
func (s *Server) route(c *Request, sig signature) (Service, error) {
	c.AccessKey, c.Service, c.Region = sig.accessKey, sig.service, sig.region
	service, err := s.named(sig.service)
	if err != nil {
		return service, err
	}
	c.protocol = service.Protocol
	if !Region(sig.region).Valid() {
		return Service{}, Errorf(codeBadSignature, "Credential should be scoped to a valid region.")
	}
	return service, nil
}

// named returns the service of a name.
func (s *Server) named(name string) (Service, error) {
	var names []string
	for _, service := range s.o.Services {
		if service.Name == name {
			return service, nil
		}
		names = append(names, service.Name)
	}
	return Service{}, Errorf(codeUnknownAction, "there is no service %q here, only %s", name, strings.Join(names, " and "))
}

func (s *Server) performWithFault(c *Request, perform func() (any, error)) (any, error) {
	c.fault = s.o.FaultFor(c.Call)
	if c.fault == nil {
		return perform()
	}
	ctx := c.http.Context()
	if err := c.fault.Before(ctx); err != nil {
		return nil, err
	}
	c.Now = s.o.Now() // the fault may have delayed the call
	out, err := perform()
	return c.fault.After(ctx, out, err)
}

// perform checks the input, then the caller's permissions, and then does the
// work, in the same order as AWS.
func (s Service) perform(c *Request, operation Operation, in Input) (any, error) {
	if err := in.Check(c); err != nil {
		return nil, err
	}
	if operation.free {
		if err := s.authorize(c, operation, in); err != nil {
			return nil, err
		}
		return operation.work(c, in)
	}
	defer s.lock()()
	if err := c.authorizeAll(operation.needs(c, in)); err != nil {
		return nil, err
	}
	return operation.work(c, in)
}

// authorize checks the caller's permissions. The lock is held meanwhile, and no
// longer.
func (s Service) authorize(c *Request, operation Operation, in Input) error {
	defer s.lock()()
	return c.authorizeAll(operation.needs(c, in))
}

// lock locks the service, and returns a function that unlocks it.
func (s Service) lock() (unlock func()) {
	if s.Lock == nil {
		return func() {}
	}
	s.Lock.Lock()
	return s.Lock.Unlock
}

// NewID returns a random UUID.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
