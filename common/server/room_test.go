package server

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// room is how many connections the servers of these tests take.
const room = 3

// A connection that holds no request gives way to a new one. So does one whose
// request was answered, but whose caller does not read or send.
func TestNewConnectionTakesThePlaceOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text   string
		reason api.EarlyClose
	}{
		"silent ones":               {"", api.GaveWayIdle},
		"idle ones":                 {fast, api.GaveWayIdle},
		"half a header":             {"GET /fast HT", api.GaveWaySlow},
		"half a second header":      {fast + "GET /fast HT", api.GaveWayIdle}, // read with the first
		"unread answers":            {"GET /big HTTP/1.1\r\nHost: here\r\n\r\n", api.GaveWaySlow},
		"unread pipelined answers":  {strings.Repeat(fast, 5000), api.GaveWaySlow},
		"a body that does not come": {"POST /fast HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n", api.GaveWaySlow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, track(listenLocally(t), room), nil)
			var conns []net.Conn
			for range room {
				c := s.dial("")
				go io.WriteString(c, test.text) // the server may stop reading
				conns = append(conns, c)
			}
			for _, c := range conns {
				s.waitUntil("nothing more happens", func() bool { return s.isStill(c) })
			}
			for range 2 * room {
				s.wantAnswer(s.dial(fast))
			}
			s.wantOpen(room)
			if n := testutil.ToFloat64(s.listener.measures.ClosedEarly.WithLabelValues(string(test.reason))); n == 0 {
				t.Errorf("no connection gave way because it was %s", test.reason)
			}
		})
	}
}

func TestNewConnectionTakesThePlaceOfATLSHandshakeAndNothingMore(t *testing.T) {
	t.Parallel()
	issuer := httptest.NewTLSServer(nil)
	defer issuer.Close()
	s := serve(t, track(listenLocally(t), room), issuer.TLS)
	dial := func() *tls.Conn {
		return tls.Client(s.dial(""), &tls.Config{InsecureSkipVerify: true})
	}
	for range room {
		if err := dial().Handshake(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 * room {
		c := dial()
		io.WriteString(c, fast)
		s.wantAnswer(c)
	}
	s.wantOpen(room)
}

func TestLongestIdleConnectionGivesWay(t *testing.T) {
	t.Parallel()
	s := serve(t, track(listenLocally(t), room), nil)
	var conns []net.Conn
	for range room {
		c := s.dial(fast)
		s.wantAnswer(c)
		s.waitUntil("it may be closed", func() bool { return s.mayGiveWay(c, idle) })
		conns = append(conns, c)
	}
	io.WriteString(conns[0], fast)
	s.wantAnswer(conns[0])
	s.waitUntil("it may be closed", func() bool { return s.mayGiveWay(conns[0], idle) }) // the second is now idle for longest
	s.wantAnswer(s.dial(fast))
	if _, err := conns[1].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the one that was idle for longest: %v, want EOF", err)
	}
	for _, c := range []net.Conn{conns[0], conns[2]} {
		io.WriteString(c, fast)
		s.wantAnswer(c)
	}
}

// An answer that does not move is given up only if no connection is idle.
func TestIdleConnectionGivesWayBeforeAnUnreadAnswer(t *testing.T) {
	t.Parallel()
	s := serve(t, track(listenLocally(t), room), nil)
	unread := s.dial("GET /big HTTP/1.1\r\nHost: here\r\n\r\n")
	s.waitUntil("the answer may be given up", func() bool { return s.mayGiveWay(unread, working) })
	for range room - 1 {
		c := s.dial(fast)
		s.wantAnswer(c)
		s.waitUntil("it may be closed", func() bool { return s.mayGiveWay(c, idle) })
	}
	s.wantAnswer(s.dial(fast))
	if n, err := io.CopyN(io.Discard, unread, 16<<20); err != nil {
		t.Errorf("%d bytes of the answer came: %v", n, err)
	}
}

// A request that is being answered is not lost. A new connection waits, and is
// served as soon as there is room.
func TestRequestsBeingAnsweredDoNotGiveWay(t *testing.T) {
	t.Parallel()
	s := serve(t, track(listenLocally(t), room), nil)
	var busy []net.Conn
	for range room {
		busy = append(busy, s.dial(slow))
	}
	for range room {
		<-s.arrived
	}
	waiting := s.dial(fast)
	time.Sleep(2 * quietTime)
	s.wantOpen(room)
	close(s.release)
	s.wantAnswer(waiting)
	for _, c := range busy {
		s.wantAnswer(c)
	}
}

// If there is room after all, no connection is closed.
func TestNoConnectionGivesWayOnceThereIsRoom(t *testing.T) {
	t.Parallel()
	l := track(listenLocally(t), room)
	var leaving *trackedConn
	l.measures.LimitReached = hookedCounter{l.measures.LimitReached, func() { leaving.Close() }}
	s := serve(t, l, nil)
	for range room {
		c := s.dial(fast)
		s.wantAnswer(c)
		s.waitUntil("it may be closed", func() bool { return s.mayGiveWay(c, idle) })
		leaving = s.tracked(c)
	}
	if !l.waitForRoom("") {
		t.Error("there is no room")
	}
	s.wantOpen(room - 1)
}

// hookedCounter calls the hook whenever it counts.
type hookedCounter struct {
	prometheus.Counter
	hook func()
}

func (c hookedCounter) Inc() {
	c.Counter.Inc()
	c.hook()
}

// A listener that is closed while a connection waits for room does not serve
// that connection.
func TestDrainWhileAConnectionWaitsForRoom(t *testing.T) {
	t.Parallel()
	s := serve(t, track(listenLocally(t), room), nil)
	for range room {
		s.dial(slow)
		<-s.arrived
	}
	waiting := s.dial(fast)
	s.waitUntil("the limit is reached", s.limitReached)
	drained := make(chan error, 1)
	go func() { drained <- s.listener.drain(t.Context(), s.served) }()
	if said, err := io.ReadAll(waiting); len(said) > 0 {
		t.Errorf("the waiting connection: %q, %v", said, err)
	}
	close(s.release)
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// No error of accept ends the service. If there are too many open files, an
// idle connection is closed.
func TestErrorsOfAccept(t *testing.T) {
	t.Parallel()
	failing := &failingListener{Listener: listenLocally(t)}
	var said []string
	l := track(failing, 10)
	l.onError = func(err error) { said = append(said, err.Error()) }
	s := serve(t, l, nil)
	idle := s.dial(fast)
	s.wantAnswer(idle)
	time.Sleep(2 * quietTime)
	s.waitUntil("it waits for a connection", failing.isWaiting)
	failing.fail(syscall.EMFILE, syscall.EPROTO, errors.New("another"))
	s.wantAnswer(s.dial(fast)) // accepted before the first error
	s.wantAnswer(s.dial(fast)) // accepted after the last
	if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the idle connection: %v, want EOF", err)
	}
	s.waitUntil("it waits for a connection", failing.isWaiting)
	failing.fail(slices.Repeat([]error{syscall.ENFILE}, 1000)...)
	s.wantAnswer(s.dial(fast))
	if err := l.drain(t.Context(), s.served); err != nil {
		t.Errorf("drain while accept fails: %v", err)
	}
	want := []string{"too many open files", "protocol error", "another"}
	if len(said) < 3 || !slices.Equal(said[:3], want) {
		t.Errorf("errors: %q, want %q first", said, want)
	}
}

// wantAnswer reads one answer.
func (s *drainServer) wantAnswer(c net.Conn) {
	s.t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.t.Errorf("no answer: %v", err)
		return
	}
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "answer" {
		s.t.Errorf("answer %q, %v", body, err)
	}
}

// mayGiveWay tells whether the other end of c is in the phase and may be closed
// for a new connection.
func (s *drainServer) mayGiveWay(c net.Conn, p phase) bool {
	tracked := s.tracked(c)
	if tracked == nil {
		return false
	}
	tracked.mu.Lock()
	defer tracked.mu.Unlock()
	return tracked.phase == p && tracked.mayGiveWay(time.Now())
}

// isStill tells whether the other end of c has done the same for long.
func (s *drainServer) isStill(c net.Conn) bool {
	tracked := s.tracked(c)
	if tracked == nil {
		return false
	}
	tracked.mu.Lock()
	defer tracked.mu.Unlock()
	return time.Since(tracked.since) >= 2*quietTime
}

// open returns how many connections there are, as the metric says.
func (s *drainServer) open() float64 { return testutil.ToFloat64(s.listener.measures.Open) }

func (s *drainServer) limitReached() bool {
	return testutil.ToFloat64(s.listener.measures.LimitReached) > 0
}

func (s *drainServer) wantOpen(want float64) {
	s.t.Helper()
	if n := s.open(); n != want {
		s.t.Errorf("%v connections are open, want %v", n, want)
	}
}

func (s *drainServer) waitUntil(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not so: %s", what)
		}
	}
}

// failingListener fails with these errors, one after another.
type failingListener struct {
	net.Listener
	mu      sync.Mutex
	errors  []error
	waiting bool // for a connection, which comes before the next error
}

// isWaiting tells whether the listener waits for a connection.
func (l *failingListener) isWaiting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

func (l *failingListener) fail(errs ...error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errors = errs
}

func (l *failingListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	if len(l.errors) > 0 {
		err := l.errors[0]
		l.errors = l.errors[1:]
		l.mu.Unlock()
		return nil, err
	}
	l.waiting = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.waiting = false
		l.mu.Unlock()
	}()
	return l.Listener.Accept()
}
