package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// pollEvery is how often drain checks for connections that have become idle.
const pollEvery = 10 * time.Millisecond

// trackedListener accepts connections for one http.Server. It can end that
// server so that every request whose header was read gets its answer.
//
// http.Server.Shutdown does not do that. It may close a connection as idle
// although a request has just been read from it. Then the handler runs and
// makes its change, but the caller sees a broken connection. A trackedListener
// closes a connection only while nothing has been read from it since its last
// answer.
type trackedListener struct {
	net.Listener

	mu    sync.Mutex
	conns map[*trackedConn]bool
}

// trackConnections wraps a listener. TLS must go around the result, not inside.
func trackConnections(inner net.Listener) *trackedListener {
	return &trackedListener{Listener: inner, conns: map[*trackedConn]bool{}}
}

// attach makes the server tell the listener about its connections. It must be
// called before the server serves.
func (l *trackedListener) attach(s *http.Server) {
	s.ConnState = l.connState
	s.ConnContext = l.connContext
	s.Handler = l.wrap(s.Handler)
}

// Accept waits for the next connection.
func (l *trackedListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &trackedConn{Conn: accepted, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	return c, nil
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
// previous one, and drain may have closed the connection as idle after that
// answer. The handler is not called for such a request.
func (l *trackedListener) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*trackedConn); ok && !c.setBusy() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

// drain stops accepting connections and waits until the server's Serve has
// returned; served then gets a value. After that it closes each connection as
// soon as the connection is idle. The service should already answer with
// "Connection: close". drain returns nil when all connections are closed, and
// the context's error if the context ends first.
func (l *trackedListener) drain(ctx context.Context, served <-chan error) error {
	l.Listener.Close() // an error says that it is closed already
	<-served           // from here on there are no new connections
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for l.closeIdle() > 0 {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// closeIdle closes the idle connections and returns how many others there are.
func (l *trackedListener) closeIdle() int {
	l.mu.Lock()
	var conns []*trackedConn
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	busy := 0
	for _, c := range conns {
		if !c.closeIfIdle() {
			busy++
		}
	}
	return busy
}

// trackedConn knows whether something was read from it since its last answer.
type trackedConn struct {
	net.Conn
	listener *trackedListener

	mu           sync.Mutex
	busy         bool
	closedAsIdle bool
}

// Read returns nothing once the connection is closed as idle, even if the bytes
// arrived before that.
func (c *trackedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closedAsIdle {
		return 0, net.ErrClosed
	}
	c.busy = c.busy || n > 0
	return n, err
}

// Close closes the connection.
func (c *trackedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// setBusy returns false if the connection is already closed as idle.
func (c *trackedConn) setBusy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = true
	return !c.closedAsIdle
}

func (c *trackedConn) setIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
}

func (c *trackedConn) closeIfIdle() bool {
	c.mu.Lock()
	if c.busy {
		c.mu.Unlock()
		return false
	}
	c.closedAsIdle = true
	c.mu.Unlock()
	c.Close()
	return true
}
