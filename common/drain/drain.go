// Package drain ends an HTTP server so that no request whose header was read
// goes without an answer.
//
// http.Server.Shutdown closes connections that it takes for idle, and a request
// that has just been read from one of them is handled with nobody to tell: the
// change is made, and the caller sees a broken connection. Here a connection is
// closed only while nothing has been read from it since its last answer.
package drain

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// pollEvery is how often the end looks for connections that have become idle.
const pollEvery = 10 * time.Millisecond

// Listener accepts connections for one http.Server, whose ConnState and
// ConnContext must be the Listener's, and whose handler must be wrapped by Handler.
type Listener struct {
	net.Listener

	mu    sync.Mutex
	conns map[*conn]bool
}

// Listen wraps a listener. TLS goes around the result, not inside.
func Listen(inner net.Listener) *Listener {
	return &Listener{Listener: inner, conns: map[*conn]bool{}}
}

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	return c, nil
}

// ConnState is told by the server what becomes of its connections.
func (l *Listener) ConnState(c net.Conn, state http.ConnState) {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	if ours, ok := c.(*conn); ok && state == http.StateIdle {
		ours.setIdle()
	}
}

type connKey struct{}

// ConnContext lets Handler know the connection of a request.
func (l *Listener) ConnContext(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// Handler keeps the connection of a request open until it is answered. Its first
// bytes may have been read before the last answer (pipelining), and its connection
// closed as idle since: such a request is not begun.
func (l *Listener) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok && !c.setBusy() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

// Drain stops accepting, waits until the server's Serve has returned, which tells
// served, closes the idle connections, and the others when they have become idle.
// The server should by now answer with Connection: close. It returns nil when all
// are closed, and the context's error when that ends first.
func (l *Listener) Drain(ctx context.Context, served <-chan error) error {
	l.Listener.Close() // an error is that it is closed already
	<-served           // so that no connection comes any more
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

// closeIdle returns how many connections are left.
func (l *Listener) closeIdle() int {
	l.mu.Lock()
	var conns []*conn
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	left := 0
	for _, c := range conns {
		if !c.closeIfIdle() {
			left++
		}
	}
	return left
}

// conn is a connection that knows whether something was read from it since its
// last answer.
type conn struct {
	net.Conn
	listener *Listener

	mu     sync.Mutex
	busy   bool
	closed bool // as idle
}

// Read reads nothing any more once the connection was closed as idle, also if it
// was about to.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	c.busy = c.busy || n > 0
	return n, err
}

// Close closes the connection.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// setBusy returns false where the connection was closed as idle.
func (c *conn) setBusy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = true
	return !c.closed
}

func (c *conn) setIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
}

func (c *conn) closeIfIdle() bool {
	c.mu.Lock()
	if c.busy {
		c.mu.Unlock()
		return false
	}
	c.closed = true
	c.mu.Unlock()
	c.Close()
	return true
}
