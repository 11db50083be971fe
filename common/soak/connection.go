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

// patience is how long an answer is waited for: longer than the service may take.
const patience = time.Minute

// A connection is a kept-alive one to one process of the service. net/http's
// client would repeat some requests on its own, and hide to which process one
// went.
type connection struct {
	to     *process
	conn   net.Conn
	reader *bufio.Reader
}

// An answer is all that a caller gets.
type answer struct {
	status int
	body   []byte
}

// dial fails where nobody listens any more.
func dial(to *process) (*connection, error) {
	conn, err := net.Dial("tcp", to.address)
	if err != nil {
		return nil, err
	}
	if conn.LocalAddr().String() == conn.RemoteAddr().String() {
		conn.Close()
		return nil, errors.New("nobody listens, and TCP connected the port with itself")
	}
	return &connection{to: to, conn: conn, reader: bufio.NewReader(conn)}, nil
}

// send returns the answer, or nil where none came. A caller that hangs up does so
// after that time, unless it is 0. It reports whether it did, before an answer.
func (c *connection) send(r *http.Request, hangUp time.Duration) (got *answer, hungUp bool) {
	c.conn.SetDeadline(time.Now().Add(patience))
	if hangUp > 0 {
		left := make(chan struct{})
		timer := time.AfterFunc(hangUp, func() { c.conn.Close(); close(left) })
		defer func() {
			if !timer.Stop() {
				<-left
				c.close()
				hungUp = got == nil
			}
		}()
	}
	var request bytes.Buffer
	r.Write(&request) // a buffer takes everything
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
	return &answer{response.StatusCode, body}
}

// close makes the connection one that usable calls unusable.
func (c *connection) close() {
	c.conn.Close()
	c.reader = nil
}

func (c *connection) usable() bool { return c != nil && c.reader != nil }
