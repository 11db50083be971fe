package server

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// One address cannot keep others out, although its connections are never idle
// or slow for long, and more of them wait.
func TestActiveConnectionsOfOneAddressKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const places = 20 // so many that the address has the most at any time
	s := serve(t, track(listenLocally(t), places), nil)
	s.attack(2 * places)
	s.waitUntil("the limit is reached", s.limitReached)
	for range places {
		probe := s.dial(fast)
		s.wantAnswer(probe)
		probe.Close()
	}
}

// attack keeps as many connections of another address active until the test
// ends.
func (s *drainServer) attack(connections int) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for ctx.Err() == nil {
				s.stayActive(ctx)
			}
		})
	}
	s.t.Cleanup(func() { cancel(); all.Wait() })
}

// stayActive sends request after request, each in two pieces, until the
// connection is closed.
func (s *drainServer) stayActive(ctx context.Context) {
	c, err := dialFrom(ctx, "127.0.0.2", s.listener.Addr().String())
	if err != nil {
		return
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	answer := make([]byte, 1024)
	for err == nil {
		io.WriteString(c, fast[:1])
		time.Sleep(quietTime / 2)
		io.WriteString(c, fast[1:])
		_, err = c.Read(answer)
	}
}

func dialFrom(ctx context.Context, local, address string) (net.Conn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	return dialer.DialContext(ctx, "tcp", address)
}

// fresh is a time at which no connection is idle or slow for long yet.
var fresh = time.Now().Add(time.Hour)

func TestWhichConnectionMakesRoom(t *testing.T) {
	t.Parallel()
	type open struct {
		network string
		phase   phase
		since   time.Time
	}
	for name, test := range map[string]struct {
		open   []open
		heldUp bool
		gone   int // the one that a newcomer of network "new" closes; -1 for none
	}{
		"idle before others":                  {[]open{{"a", reading, fresh}, {"a", idle, fresh.Add(1)}}, false, 1},
		"the longest idle":                    {[]open{{"a", idle, fresh.Add(1)}, {"a", idle, fresh}}, false, 1},
		"the longest reading":                 {[]open{{"a", reading, fresh.Add(1)}, {"a", working, fresh}, {"a", reading, fresh}}, false, 2},
		"of the largest network":              {[]open{{"a", reading, fresh}, {"b", idle, fresh}, {"b", idle, fresh}, {"a", reading, fresh.Add(1)}, {"a", reading, fresh.Add(2)}}, false, 0},
		"of the next if the largest has none": {[]open{{"a", working, fresh}, {"a", working, fresh}, {"a", working, fresh}, {"b", reading, fresh.Add(1)}, {"b", reading, fresh}}, false, 4},
		"an answer that has had time":         {[]open{{"a", answered, time.Time{}}, {"a", working, fresh}, {"b", idle, time.Time{}}}, false, 0},
		"no answer that has just begun":       {[]open{{"a", answered, fresh}, {"a", working, fresh}}, false, -1},
		"no request":                          {[]open{{"a", working, fresh}, {"a", working, fresh}}, true, -1},
		"none of a network that is as large":  {[]open{{"a", idle, fresh}, {"a", idle, fresh}, {"new", idle, fresh}}, false, -1},
		"none of the own network":             {[]open{{"new", idle, fresh}, {"new", reading, fresh}}, false, -1},
		"one of the own if others wait":       {[]open{{"new", reading, fresh}, {"new", reading, fresh.Add(1)}, {"a", idle, time.Time{}}}, true, 0},
		"as before if none has more":          {[]open{{"a", idle, time.Time{}.Add(1)}, {"b", idle, time.Time{}}}, false, 0}, // the rings have them in this order
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := track(nil, len(test.open))
			l.heldUp = test.heldUp
			var conns []*trackedConn
			for _, o := range test.open {
				ours, _ := net.Pipe()
				c := l.add(ours, o.network)
				if o.phase == working || o.phase == answered {
					c.setWorking()
				}
				c.phase, c.since = o.phase, o.since
				conns = append(conns, c)
			}
			if made := l.makeRoom("new"); made != (test.gone >= 0) {
				t.Errorf("room was made: %t", made)
			}
			for i, c := range conns {
				if l.conns[c] == (i == test.gone) {
					t.Errorf("connection %d is open: %t", i, l.conns[c])
				}
			}
		})
	}
}

func TestConnectionsOfANetworkAreCounted(t *testing.T) {
	t.Parallel()
	s := serve(t, track(listenLocally(t), 2*room), nil)
	for range room {
		s.wantAnswer(s.dial(fast))
	}
	s.waitUntil("all are counted", func() bool { return s.countOf("127.0.0.1") == room })
	s.waitUntil("all are closed", func() bool { return s.listener.closeIdle() == 0 })
	if len(s.listener.networks) > 0 {
		t.Errorf("networks without a connection are kept: %v", s.listener.networks)
	}
}

func (s *drainServer) countOf(network string) int {
	s.listener.mu.Lock()
	defer s.listener.mu.Unlock()
	return s.listener.networks[network]
}
