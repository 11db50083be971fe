package server

import (
	"container/ring"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
)

// When a connection may be closed for a new one.
const (
	quietTime = 100 * time.Millisecond // it was idle for that long: a new one must have time to speak
	slowTime  = 2 * time.Second        // a header, or a piece of an answer, has taken that long
	holdTime  = 100 * time.Millisecond // a new one has held up others for that long
)

// How long Accept waits after an error. The wait grows from the one to the
// other.
const (
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// Accept waits for the next connection, and then for room for it. While there
// is no room, further ones wait in the kernel's queue. That costs a caller or a
// probe less than a refusal would: room comes as soon as a connection ends,
// becomes idle or proves slow, and for a small network at once.
func (l *trackedListener) Accept() (net.Conn, error) {
	accepted, err := l.accept()
	if err != nil {
		return nil, err
	}
	network := networkOf(accepted)
	if !l.waitForRoom(network) {
		accepted.Close()
		return nil, net.ErrClosed
	}
	return l.add(accepted, network), nil
}

// accept repeats what fails until the listener is closed. No error ends the
// service: most of them are of one connection, or pass. If there are too many
// open files, it closes a connection.
func (l *trackedListener) accept() (net.Conn, error) {
	for wait := minAcceptWait; ; wait = min(2*wait, maxAcceptWait) {
		c, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		l.onError(err)
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.closeOne()
		}
		select {
		case <-time.After(wait):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// waitForRoom returns false if the listener is closed before there is room.
func (l *trackedListener) waitForRoom(newcomer string) bool {
	if l.hasRoom() {
		l.heldUp = false
		return true
	}
	l.measures.LimitReached.Inc()
	began := time.Now()
	for !l.hasRoom() && !l.makeRoom(newcomer) {
		select {
		case <-l.freed:
		case <-time.After(pollEvery):
		case <-l.closed:
			return false
		}
		l.heldUp = l.heldUp || time.Since(began) >= holdTime
	}
	return true
}

func (l *trackedListener) hasRoom() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns) < l.max
}

// closeOne closes the connection that has waited longest for a request. If
// every one has a request, it closes one whose caller does not read.
func (l *trackedListener) closeOne() bool {
	now := time.Now()
	l.mu.Lock()
	c := firstToGiveWay(l.waiting, now)
	if c == nil {
		c = firstToGiveWay(l.working, now)
	}
	l.mu.Unlock()
	if c == nil {
		return false
	}
	c.giveWay()
	return true
}

// giveWay closes a connection that was given up. Its phase no longer changes.
func (c *trackedConn) giveWay() {
	reason := api.GaveWaySlow
	switch c.phase {
	case idle:
		reason = api.GaveWayIdle
	case working, answered:
		c.discard()
	}
	c.listener.closedEarly(reason)
	c.Close()
}

func (l *trackedListener) closedEarly(reason api.EarlyClose) {
	l.measures.ClosedEarly.WithLabelValues(string(reason)).Inc()
}

// firstToGiveWay returns the first connection that may be closed. Nothing more
// can be read from it.
func firstToGiveWay(places *ring.Ring, now time.Time) *trackedConn {
	for place := places.Next(); place != places; place = place.Next() {
		c := place.Value.(*trackedConn)
		if c.giveUpIf(func() bool { return c.mayGiveWay(now) }) {
			return c
		}
	}
	return nil
}

// mayGiveWay is called under the lock of the connection.
func (c *trackedConn) mayGiveWay(now time.Time) bool {
	switch c.phase {
	case idle:
		return now.Sub(c.since) >= quietTime
	case working:
		return !c.sending.IsZero() && now.Sub(c.sending) >= slowTime
	default:
		return now.Sub(c.since) >= slowTime
	}
}

func (l *trackedListener) add(accepted net.Conn, network string) *trackedConn {
	if tcp, ok := accepted.(*net.TCPConn); ok { // an error means that the caller has gone
		tcp.SetReadBuffer(bufferSize)
		tcp.SetWriteBuffer(bufferSize)
	}
	c := &trackedConn{Conn: accepted, listener: l, network: network, since: time.Now()}
	c.place = &ring.Ring{Value: c}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	l.networks[network]++
	l.waiting.Prev().Link(c.place)
	l.measures.Open.Set(float64(len(l.conns)))
	return c
}

// move puts the connection at the end of the ring.
func (l *trackedListener) move(c *trackedConn, places *ring.Ring) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[c] {
		c.place.Prev().Unlink(1)
		places.Prev().Link(c.place)
	}
}

func (l *trackedListener) remove(c *trackedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.conns[c] {
		return
	}
	delete(l.conns, c)
	if l.networks[c.network]--; l.networks[c.network] == 0 {
		delete(l.networks, c.network)
	}
	c.place.Prev().Unlink(1)
	l.measures.Open.Set(float64(len(l.conns)))
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// Close makes Accept return. It leaves the connections open.
func (l *trackedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
