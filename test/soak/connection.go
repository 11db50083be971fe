package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// patience is how long a caller waits for an answer. It is longer than the
// service may take.
const patience = time.Minute

// connection is a keep-alive connection to one process of the service. The
// client of net/http cannot be used: it repeats some requests itself, and does
// not say to which process a request went.
type connection struct {
	process *process
	conn    net.Conn
	reader  *bufio.Reader // nil once the connection is closed
}

// answer is what a caller gets.
type answer struct {
	status int
	link   string // the header Link
	body   []byte
}

// dial returns an error if the process does not listen any more.
func dial(p *process) (*connection, error) {
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return nil, err
	}
	if conn.LocalAddr().String() == conn.RemoteAddr().String() {
		conn.Close()
		return nil, errors.New("nothing listens: TCP connected the port with itself")
	}
	return &connection{process: p, conn: conn, reader: bufio.NewReader(conn)}, nil
}

// send sends a request and returns its answer, or nil if there is none. The
// caller hangs up after hangUpAfter, unless that is 0. hungUp says whether the
// caller did so before the answer came.
func (c *connection) send(r *http.Request, hangUpAfter time.Duration) (got *answer, hungUp bool) {
	c.conn.SetDeadline(time.Now().Add(patience))
	if hangUpAfter > 0 {
		closed := make(chan struct{})
		timer := time.AfterFunc(hangUpAfter, func() { c.conn.Close(); close(closed) })
		defer func() {
			if !timer.Stop() {
				<-closed
				c.close()
				hungUp = got == nil
			}
		}()
	}
	var request bytes.Buffer
	r.Write(&request) // writing to a buffer does not fail
	if _, err := c.conn.Write(request.Bytes()); err != nil {
		c.close()
		return nil, false
	}
	return c.receive(r), false
}

func (c *connection) receive(r *http.Request) *answer {
	response, err := http.ReadResponse(c.reader, r)
	if err != nil {
		c.close()
		return nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.close()
		return nil
	}
	if response.Close {
		c.close()
	}
	return &answer{response.StatusCode, response.Header.Get("Link"), body}
}

func (c *connection) close() {
	c.conn.Close()
	c.reader = nil
}

// isOpen returns false for nil, too.
func (c *connection) isOpen() bool { return c != nil && c.reader != nil }
