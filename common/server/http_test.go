package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for something.
const patience = 20 * time.Second

func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := newHTTPServer(http.NotFoundHandler(), newLogger("error", io.Discard))
	for name, limit := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "body": s.ReadTimeout, "answer": s.WriteTimeout, "idle connection": s.IdleTimeout,
	} {
		if limit <= 0 || limit > 2*time.Minute {
			t.Errorf("the time limit of the %s is %s", name, limit)
		}
	}
	if s.MaxHeaderBytes != 16<<10 {
		t.Errorf("headers have at most %d bytes, want 16 KiB", s.MaxHeaderBytes)
	}
}

// A header that is too large or broken gets an answer, or a closed connection.
func TestBadHeaders(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newHTTPServer(http.NotFoundHandler(), newLogger("error", io.Discard))
	t.Cleanup(func() { s.Close() })
	go s.Serve(listener)
	for name, test := range map[string]struct{ request, want string }{
		"too large": {"GET /v1/ecr/ping HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"half":      {"GET /v1/ecr/ping HTTP/1.1\r\nHost", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connection, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			io.WriteString(connection, test.request) // fails if the server closes the connection early
			answer, err := io.ReadAll(connection)
			cutOff := err != nil && len(answer) == 0 // the connection was closed before the answer could be read
			if !cutOff && !strings.HasPrefix(string(answer), test.want) {
				t.Errorf("answer %q, %v; want %s", answer, err, test.want)
			}
		})
	}
}
