package server

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
)

const (
	pieceSize = 64 << 10         // of an answer is sent under one deadline
	stallTime = 10 * time.Second // in which the caller must make room for a piece
)

// Write sends in pieces. It fails if the caller reads too little, even if there
// is time left for the whole answer. After that the connection is of no use.
func (c *trackedConn) Write(b []byte) (sent int, err error) {
	for first := true; err == nil && (first || sent < len(b)); first = false {
		var n int
		n, err = c.send(b[sent:min(len(b), sent+pieceSize)])
		sent += n
	}
	return sent, err
}

func (c *trackedConn) send(piece []byte) (int, error) {
	if err := c.beginPiece(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(piece)
	c.endPiece(err)
	return n, err
}

// beginPiece returns the error of an earlier piece. Otherwise TLS would try to
// send more on a connection that does not move.
func (c *trackedConn) beginPiece() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	c.sending = time.Now()
	end := c.sending.Add(stallTime)
	if !c.answerEnd.IsZero() && c.answerEnd.Before(end) {
		end = c.answerEnd
	}
	return c.Conn.SetWriteDeadline(end)
}

func (c *trackedConn) endPiece(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending, c.failed = time.Time{}, err
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.listener.closedEarly(api.Stalled)
		c.discard()
	}
}

// discard makes Close forget what is not sent yet. Otherwise the kernel would
// keep it, and offer it to the caller for minutes.
func (c *trackedConn) discard() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // an error means that the caller has gone
	}
}

// SetWriteDeadline sets the deadline of the whole answer.
func (c *trackedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answerEnd = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline sets the deadline of reads, and of the whole answer.
func (c *trackedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
