package drain

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A server on a Listener, whose requests wait in the handler until they are let go.
type server struct {
	t        *testing.T
	listener *Listener
	arrived  chan struct{}
	let      chan struct{}
	served   chan error
}

func newServer(t *testing.T) *server {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: Listen(inner), arrived: make(chan struct{}, 10), let: make(chan struct{}), served: make(chan error, 1)}
	h := &http.Server{ConnState: s.listener.ConnState, ConnContext: s.listener.ConnContext}
	h.Handler = s.listener.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.arrived <- struct{}{}
		if r.URL.Path == "/slow" {
			<-s.let
		}
		io.WriteString(w, "answer")
	}))
	t.Cleanup(func() { h.Close() })
	go func() { s.served <- h.Serve(s.listener) }()
	return s
}

// dial opens a connection and sends some of a request.
func (s *server) dial(sent string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, sent); err != nil {
		s.t.Fatal(err)
	}
	return c
}

const (
	fast = "GET /fast HTTP/1.1\r\nHost: here\r\n\r\n"
	slow = "GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	idle := s.dial(fast)
	busy := s.dial(slow)
	begun := s.dial("GET /fast HT") // its header is under way
	silent := s.dial("")
	for range 2 {
		<-s.arrived
	}
	answer := make([]byte, 1024)
	if n, err := idle.Read(answer); err != nil || !strings.HasSuffix(string(answer[:n]), "answer") {
		t.Fatalf("the first answer: %q, %v", answer[:n], err)
	}
	waitFor(t, "the header to be read in part", func() bool { return s.count(func(c *conn) bool { return c.busy }) == 2 })

	drained := make(chan error, 1)
	go func() { drained <- s.listener.Drain(t.Context(), s.served) }()
	for name, c := range map[string]net.Conn{"idle": idle, "silent": silent} {
		if _, err := c.Read(answer); err == nil {
			t.Errorf("the %s connection is open", name)
		}
	}
	if c, err := net.Dial("tcp", s.listener.Addr().String()); err == nil {
		c.Close()
		t.Error("it accepts connections")
	}
	select {
	case err := <-drained:
		t.Fatalf("it ended with requests under way: %v", err)
	default:
	}
	io.WriteString(begun, "TP/1.1\r\nHost: here\r\n\r\n")
	close(s.let)
	for name, c := range map[string]net.Conn{"busy": busy, "begun": begun} {
		if said, err := io.ReadAll(c); !strings.HasSuffix(string(said), "answer") {
			t.Errorf("the %s connection: %q, %v", name, said, err)
		}
	}
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
}

func TestDrainGivesUp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	defer close(s.let)
	s.dial(slow)
	<-s.arrived
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.listener.Drain(ctx, s.served); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
}

// The second of two requests in one packet is in its handler while nothing more is
// read of the connection.
func TestDrainWaitsForAPipelinedRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := s.dial(fast + slow)
	for range 2 {
		<-s.arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.listener.Drain(ctx, s.served); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Drain: %v", err)
	}
	close(s.let)
	if err := s.listener.Drain(t.Context(), closed()); err != nil {
		t.Errorf("Drain once it is answered: %v", err)
	}
	if said, err := io.ReadAll(c); strings.Count(string(said), "answer") != 2 {
		t.Errorf("the answers: %q, %v", said, err)
	}
}

// A pipelined request whose connection was closed as idle is not begun.
func TestNothingIsBegunOnceClosed(t *testing.T) {
	t.Parallel()
	ours, _ := net.Pipe()
	c := &conn{Conn: ours, listener: Listen(nil)}
	c.closeIfIdle()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("it panics with %v", p)
		}
	}()
	r := httptest.NewRequest("POST", "/", nil)
	r = r.WithContext(c.listener.ConnContext(t.Context(), c))
	c.listener.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it is begun") })).ServeHTTP(httptest.NewRecorder(), r)
}

// A connection that was accepted, and is not known yet, is waited for.
func TestDrainWaitsForAccept(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	late := lateListener{inner, make(chan struct{}), make(chan struct{})}
	l := Listen(late)
	h := &http.Server{ConnState: l.ConnState, ConnContext: l.ConnContext}
	h.Handler = l.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answer") }))
	defer h.Close()
	served, drained := make(chan error, 1), make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-late.got
	go func() { drained <- l.Drain(t.Context(), served) }()
	select {
	case err := <-drained:
		t.Fatalf("drained before the connection was known: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(late.let)
	if err := <-drained; err != nil {
		t.Errorf("Drain: %v", err)
	}
	if n := l.closeIdle(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// lateListener tells when it has accepted, and waits before it hands that out.
type lateListener struct {
	net.Listener
	got, let chan struct{}
}

func (l lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		close(l.got)
		<-l.let
	}
	return c, err
}

func closed() <-chan error {
	c := make(chan error)
	close(c)
	return c
}

// What was about to be read when the connection was closed as idle is not read.
func TestNothingIsReadOnceClosed(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	slow := &slowConn{Conn: ours, read: make(chan struct{}), hand: make(chan struct{})}
	c := &conn{Conn: slow, listener: Listen(nil)}
	result := make(chan error, 1)
	go func() {
		n, err := c.Read(make([]byte, 10))
		if n > 0 {
			err = errors.New("it has read something")
		}
		result <- err
	}()
	io.WriteString(theirs, "GET")
	<-slow.read // the bytes have left the wire, and nobody has them yet
	if !c.closeIfIdle() {
		t.Fatal("it is busy before anything was handed out")
	}
	close(slow.hand)
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
}

// slowConn tells when it has read, and waits before it hands that out.
type slowConn struct {
	net.Conn
	read, hand chan struct{}
}

func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	close(c.read)
	<-c.hand
	return n, err
}

func (s *server) count(is func(*conn) bool) (n int) {
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	for c := range s.listener.conns {
		c.mu.Lock()
		if is(c) {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
