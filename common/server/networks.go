package server

import (
	"cmp"
	"net"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// networkOf returns what counts as one client of the listener.
func networkOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return "" // it is not over TCP
	}
	return common.NetworkOf(host)
}

// makeRoom closes a connection for a newcomer of the network.
//
// A network that still has at least as many connections as the newcomer's gives
// one up at once. Otherwise one caller could keep all others out, by
// connections that are never idle or slow for long. Its own newcomers would do
// the same, since others wait behind them. So once they have held up the queue,
// the largest network gives one up for its own newcomers too.
func (l *trackedListener) makeRoom(newcomer string) bool {
	l.mu.Lock()
	own := l.networks[newcomer]
	l.mu.Unlock()
	return l.closeOfLargest(own+2) || l.heldUp && l.closeOfLargest(own) || l.closeOne()
}

// closeOfLargest closes a connection of the largest network that can give one
// up, if that network has as many connections as that at least.
func (l *trackedListener) closeOfLargest(least int) bool {
	for {
		c := l.firstOfLargest(least)
		if c == nil {
			return false
		}
		if c.giveUpIf(func() bool { return c.isFree(time.Now()) }) { // it may have got a request
			c.giveWay()
			return true
		}
	}
}

func (l *trackedListener) firstOfLargest(least int) *trackedConn {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	var first candidate
	for c := range l.conns {
		size := l.networks[c.network]
		if size < least {
			continue
		}
		if found := c.candidate(size, now); found.conn != nil && (first.conn == nil || found.before(first)) {
			first = found
		}
	}
	return first.conn
}

// A candidate is a connection that may be closed for a new one.
type candidate struct {
	conn  *trackedConn
	size  int // of its network
	phase phase
	since time.Time
}

// before tells whether it is to be closed before the other: those of the
// largest network first, of these the idle ones, and of these the longest idle.
func (c candidate) before(other candidate) bool {
	return cmp.Or(other.size-c.size, int(c.phase-other.phase), c.since.Compare(other.since)) < 0
}

// candidate returns nothing if the connection must stay.
func (c *trackedConn) candidate(size int, now time.Time) candidate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || !c.isFree(now) {
		return candidate{}
	}
	return candidate{conn: c, size: size, phase: c.phase, since: c.since}
}

// isFree tells whether no answer gets lost, unless its caller is slow to read
// it. It is called under the lock of the connection.
func (c *trackedConn) isFree(now time.Time) bool {
	switch c.phase {
	case working:
		return false
	case answered:
		return now.Sub(c.since) >= quietTime
	default:
		return true
	}
}
