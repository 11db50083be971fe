package server

import (
	"context"
	"time"
)

// pollEvery is how often the listener looks again at its connections while it
// waits for one of them.
const pollEvery = 10 * time.Millisecond

// drain stops accepting connections and waits until the server's Serve has
// returned; served then gets a value. After that it closes each connection as
// soon as the connection is idle. The service should already answer with
// "Connection: close". drain returns nil when all connections are closed, and
// the context's error if the context ends first.
func (l *trackedListener) drain(ctx context.Context, served <-chan error) error {
	l.Close() // an error says that it is closed already
	<-served  // from here on there are no new connections
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
