package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/prometheus/client_golang/prometheus"
)

// drainServer is a server with a trackedListener. Its handler holds requests
// for /slow until release is closed. Its answer to /endless ends when a piece
// of it cannot be sent.
type drainServer struct {
	t        *testing.T
	listener *trackedListener
	arrived  chan struct{} // gets a value for each request that is in the handler
	release  chan struct{}
	served   chan error
}

func newDrainServer(t *testing.T) *drainServer {
	return serve(t, track(listenLocally(t), 100), nil)
}

// serve starts a server with this listener. It speaks TLS if there is a
// configuration for that.
func serve(t *testing.T, l *trackedListener, secured *tls.Config) *drainServer {
	s := &drainServer{t: t, listener: l, arrived: make(chan struct{}, 1<<16), release: make(chan struct{}), served: make(chan error, 1)}
	h := &http.Server{Handler: http.HandlerFunc(s.answer)}
	l.attach(h)
	t.Cleanup(func() { h.Close() })
	var outer net.Listener = l
	if secured != nil {
		outer = tls.NewListener(l, secured)
	}
	go func() { s.served <- h.Serve(outer) }()
	return s
}

func (s *drainServer) answer(w http.ResponseWriter, r *http.Request) {
	s.arrived <- struct{}{}
	switch r.URL.Path {
	case "/slow":
		<-s.release
	case "/big":
		w.Write(make([]byte, 16<<20))
		return
	case "/endless":
		writeEndlessly(w)
		return
	}
	io.WriteString(w, "answer")
}

func listenLocally(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// track wraps a listener whose errors are of no interest.
func track(inner net.Listener, most int) *trackedListener {
	limits := prometheus.NewCounter(prometheus.CounterOpts{})
	return trackConnections(inner, most, api.NewConnections(limits), func(error) {})
}

// writeEndlessly has a deadline instead of the server's WriteTimeout.
func writeEndlessly(w http.ResponseWriter) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Second))
	piece := make([]byte, 64<<10)
	for err := error(nil); err == nil; {
		_, err = w.Write(piece)
	}
}

// dial opens a connection and sends a text, such as a part of a request.
func (s *drainServer) dial(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

const (
	fast = "GET /fast HTTP/1.1\r\nHost: here\r\n\r\n"
	slow = "GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"

	endless = "GET /endless HTTP/1.1\r\nHost: here\r\n\r\n"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	s := newDrainServer(t)
	idle := s.dial(fast)
	busy := s.dial(slow)
	begun := s.dial("GET /fast HT") // half of a header
	silent := s.dial("")
	for range 2 {
		<-s.arrived
	}
	answer := make([]byte, 1024)
	if n, err := idle.Read(answer); err != nil || !strings.HasSuffix(string(answer[:n]), "answer") {
		t.Fatalf("the first answer: %q, %v", answer[:n], err)
	}
	s.waitUntilRead(begun)

	drained := make(chan error, 1)
	go func() { drained <- s.listener.drain(t.Context(), s.served) }()
	for name, c := range map[string]net.Conn{"idle": idle, "silent": silent} {
		if _, err := c.Read(answer); err == nil {
			t.Errorf("the %s connection is open", name)
		}
	}
	if c, err := net.Dial("tcp", s.listener.Addr().String()); err == nil {
		c.Close()
		t.Error("the listener accepts connections")
	}
	select {
	case err := <-drained:
		t.Fatalf("drain returned while requests were under way: %v", err)
	default:
	}
	io.WriteString(begun, "TP/1.1\r\nHost: here\r\n\r\n")
	close(s.release)
	for name, c := range map[string]net.Conn{"busy": busy, "begun": begun} {
		if said, err := io.ReadAll(c); !strings.HasSuffix(string(said), "answer") {
			t.Errorf("the %s connection: %q, %v", name, said, err)
		}
	}
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newDrainServer(t)
	defer close(s.release)
	s.dial(slow)
	<-s.arrived
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.listener.drain(ctx, s.served); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain: %v", err)
	}
}

// A caller that vanishes in the middle of an answer, or no longer reads it, does
// not keep drain from ending.
func TestDrainEndsInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	s := newDrainServer(t)
	vanishing := s.dial(endless)
	s.dial(endless) // is never read
	for range 2 {
		<-s.arrived
	}
	if _, err := vanishing.Read(make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
	vanishing.Close()
	if err := s.listener.drain(t.Context(), s.served); err != nil {
		t.Errorf("drain: %v", err)
	}
}

// Two requests come in one packet. The second is in its handler although
// nothing has been read from the connection since the first answer.
func TestDrainWaitsForAPipelinedRequest(t *testing.T) {
	t.Parallel()
	s := newDrainServer(t)
	c := s.dial(fast + slow)
	for range 2 {
		<-s.arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.listener.drain(ctx, s.served); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain: %v", err)
	}
	close(s.release)
	served := make(chan error)
	close(served)
	if err := s.listener.drain(t.Context(), served); err != nil {
		t.Errorf("drain after the answer: %v", err)
	}
	if said, err := io.ReadAll(c); strings.Count(string(said), "answer") != 2 {
		t.Errorf("the answers: %q, %v", said, err)
	}
}

// A pipelined request does not reach its handler if its connection is already
// closed as idle.
func TestNoHandlerAfterClose(t *testing.T) {
	t.Parallel()
	ours, _ := net.Pipe()
	c := &trackedConn{Conn: ours, listener: track(nil, 100)}
	c.closeIfIdle()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("the panic is %v, want %v", p, http.ErrAbortHandler)
		}
	}()
	r := httptest.NewRequest("POST", "/", nil)
	r = r.WithContext(c.listener.connContext(t.Context(), c))
	c.listener.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler is called") })).ServeHTTP(httptest.NewRecorder(), r)
}

// drain waits for a connection that is accepted but not yet in the list.
func TestDrainWaitsForAccept(t *testing.T) {
	t.Parallel()
	inner := listenLocally(t)
	late := lateListener{inner, make(chan struct{}), make(chan struct{})}
	l := track(late, 100)
	h := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answer") })}
	l.attach(h)
	defer h.Close()
	served, drained := make(chan error, 1), make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-late.accepted
	go func() { drained <- l.drain(t.Context(), served) }()
	select {
	case err := <-drained:
		t.Fatalf("drain returned before the connection was known: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(late.release)
	if err := <-drained; err != nil {
		t.Errorf("drain: %v", err)
	}
	if n := l.closeIdle(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// lateListener closes accepted when it has a connection, and returns the
// connection once release is closed.
type lateListener struct {
	net.Listener
	accepted, release chan struct{}
}

func (l lateListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		close(l.accepted)
		<-l.release
	}
	return c, err
}

// Read returns nothing if the connection is closed as idle while Read waits.
func TestNoReadAfterClose(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	slow := &slowConn{Conn: ours, read: make(chan struct{}), release: make(chan struct{})}
	c := &trackedConn{Conn: slow, listener: track(nil, 100)}
	result := make(chan error, 1)
	go func() {
		n, err := c.Read(make([]byte, 10))
		if n > 0 {
			err = errors.New("Read returned bytes")
		}
		result <- err
	}()
	io.WriteString(theirs, "GET")
	<-slow.read // the bytes are read and not yet returned
	if !c.closeIfIdle() {
		t.Fatal("the connection is busy before Read returned")
	}
	close(slow.release)
	if err := <-result; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
}

// slowConn closes read when it has read, and returns once release is closed.
type slowConn struct {
	net.Conn
	read, release chan struct{}
}

func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	close(c.read)
	<-c.release
	return n, err
}

// waitUntilRead waits until the server has read from the other end of c.
func (s *drainServer) waitUntilRead(c net.Conn) {
	s.t.Helper()
	for end := time.Now().Add(patience); !s.isBusy(c); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("the server has read nothing")
		}
	}
}

func (s *drainServer) isBusy(c net.Conn) bool {
	tracked := s.tracked(c)
	if tracked == nil {
		return false
	}
	tracked.mu.Lock()
	defer tracked.mu.Unlock()
	return tracked.phase != idle
}

// tracked returns the other end of c, or nil.
func (s *drainServer) tracked(c net.Conn) *trackedConn {
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	for tracked := range s.listener.conns {
		if tracked.RemoteAddr().String() == c.LocalAddr().String() {
			return tracked
		}
	}
	return nil
}
