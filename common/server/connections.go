package server

import (
	"container/ring"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
)

// bufferSize is how much the kernel may keep for each direction of a
// connection. Linux doubles it. Left alone, it would keep up to 4 MiB of an
// answer that nobody reads.
const bufferSize = 128 << 10

// trackedListener accepts connections for one http.Server, at most max at once.
// It knows which of them may be closed without losing a request that is being
// answered: to make room for a new one, and to end the server.
type trackedListener struct {
	net.Listener
	max      int
	measures *api.Connections
	onError  func(error) // is told why a connection could not be accepted

	freed  chan struct{} // gets a value when there may be room
	closed chan struct{} // is closed with the listener
	once   sync.Once
	heldUp bool // new connections have held up others since there was room; for Accept

	mu       sync.Mutex
	conns    map[*trackedConn]bool
	networks map[string]int // how many connections each has
	waiting  *ring.Ring     // the connections without a whole request, longest first
	working  *ring.Ring     // the others, oldest request first
}

// trackConnections wraps a listener. TLS must go around the result, not inside.
func trackConnections(inner net.Listener, maxConnections int, measures *api.Connections, onError func(error)) *trackedListener {
	return &trackedListener{
		Listener: inner, max: maxConnections, measures: measures, onError: onError,
		freed: make(chan struct{}, 1), closed: make(chan struct{}),
		conns: map[*trackedConn]bool{}, networks: map[string]int{}, waiting: ring.New(1), working: ring.New(1),
	}
}

// attach makes the server tell the listener about its connections. It must be
// called before the server serves.
func (l *trackedListener) attach(s *http.Server) {
	s.ConnState = l.connState
	s.ConnContext = l.connContext
	s.Handler = l.wrap(s.Handler)
}

// connState is called by the server when the state of a connection changes.
func (l *trackedListener) connState(c net.Conn, state http.ConnState) {
	if tracked, ok := withoutTLS(c).(*trackedConn); ok && state == http.StateIdle {
		tracked.setIdle()
	}
}

type connKey struct{}

// connContext keeps the connection in the context of its requests, for wrap.
func (l *trackedListener) connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, withoutTLS(c))
}

func withoutTLS(c net.Conn) net.Conn {
	if secured, ok := c.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return c
}

// wrap keeps the connection of a request open until the request is answered.
//
// With pipelining, the server may have read a request before it answered the
// previous one, and the connection may have been closed as idle after that
// answer. The handler is not called for such a request.
func (l *trackedListener) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*trackedConn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		if !c.setWorking() {
			panic(http.ErrAbortHandler)
		}
		defer c.setAnswered()
		next.ServeHTTP(w, r)
	})
}

// A phase is what a connection is doing.
type phase int

const (
	idle     phase = iota // nothing was read since it was accepted, or since its last answer
	reading               // something was read: a part of a TLS handshake or of a request
	working               // the handler answers a request
	answered              // the handler has returned, and the server ends the answer
)

// trackedConn knows what it is doing, and how long it has been doing that.
type trackedConn struct {
	net.Conn
	listener *trackedListener
	network  string     // of the caller
	place    *ring.Ring // in waiting or working of the listener, under its lock

	mu        sync.Mutex
	phase     phase
	since     time.Time // when the phase began
	sending   time.Time // when the piece that is being sent began to be; zero if there is none
	answerEnd time.Time // the server's own deadline; zero for none
	failed    error     // of the last piece
	closed    bool      // by the listener, and not by the server
}

// Read returns nothing once the connection is closed, even if the bytes arrived
// before that.
func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	if n > 0 && c.phase == idle {
		c.phase, c.since = reading, time.Now()
	}
	return n, err
}

// Close closes the connection.
func (c *trackedConn) Close() error {
	c.listener.remove(c)
	return c.Conn.Close()
}

// setWorking returns false if the connection is already closed.
func (c *trackedConn) setWorking() bool {
	c.listener.move(c, c.listener.working)
	return c.set(working)
}

// setAnswered is called after the handler. The server may still have to send
// the end of the answer, and to read the rest of the request's body.
func (c *trackedConn) setAnswered() { c.set(answered) }

func (c *trackedConn) setIdle() {
	c.set(idle)
	c.listener.move(c, c.listener.waiting)
}

// set returns false if the connection is already closed. Then its phase stays.
func (c *trackedConn) set(p phase) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.phase, c.since = p, time.Now()
	}
	return !c.closed
}

func (c *trackedConn) closeIfIdle() bool {
	return c.closeIf(func() bool { return c.phase == idle })
}

// closeIf closes the connection if the condition holds. No request that is read
// after that reaches its handler. closeIf calls the condition under the lock of
// the connection.
func (c *trackedConn) closeIf(condition func() bool) bool {
	if !c.giveUpIf(condition) {
		return false
	}
	c.Close()
	return true
}

func (c *trackedConn) giveUpIf(condition func() bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !condition() {
		return false
	}
	c.closed = true
	return true
}

// CloseWrite ends what is sent, if the connection can do that. net/http uses it
// to end an answer before it closes a connection from which it has not read
// everything. Otherwise the caller could lose the end of the answer.
func (c *trackedConn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
