package program

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startLimited starts the program with a limit of open files.
func startLimited(t *testing.T, files int, env string) *program {
	t.Helper()
	p := &program{t: t, ended: make(chan error, 1), stdout: &output{}, stderr: &output{}}
	p.command = exec.Command("sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$0"`, files), build(t))
	p.command.Env = []string{"HOME=" + t.TempDir(), "API_CONFIG=" + env}
	p.command.Stdout, p.command.Stderr = p.stdout, p.stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.command.Process.Kill() })
	go func() { p.ended <- p.command.Wait() }()
	return p
}

// hold opens n connections, sends the text on each, and never reads.
func (p *program) hold(n int, text string) {
	p.t.Helper()
	p.holdFrom("127.0.0.1", n, text)
}

// holdFrom is hold for a caller at another address of loopback.
func (p *program) holdFrom(address string, n int, text string) {
	p.t.Helper()
	dialer := dialerFrom(address)
	for range n {
		c, err := dialer.Dial("tcp", p.address())
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { c.Close() })
		if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			p.t.Fatal(err)
		}
		go io.WriteString(c, text) // the service may stop reading
	}
}

func dialerFrom(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
}

// statusFrom asks from another address of loopback.
func statusFrom(t *testing.T, address, url string) int {
	t.Helper()
	from := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialerFrom(address).DialContext, DisableKeepAlives: true}}
	answer, err := from.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// value returns the value of a series.
func (p *program) value(series string) float64 {
	p.t.Helper()
	_, metrics := get(p.t, "http://"+p.address()+"/v1/ecr/metrics", "")
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(metrics)
	if line == nil {
		p.t.Fatalf("there is no %s", series)
	}
	value, err := strconv.ParseFloat(line[1], 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

const pingRequest = "GET /v1/ecr/ping HTTP/1.1\r\nHost: here\r\n\r\n"

// More connections than the process may open files leave room for callers,
// probes and AWS.
func TestConnectionsLeaveFilesForAWS(t *testing.T) {
	t.Parallel()
	const files = 128
	for name, text := range map[string]string{"silent": "", "idle": pingRequest, "half a header": "GET /v1/ecr/ping HT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := newAWS(t, nil)
			p := startLimited(t, files, configuration(url, "127.0.0.1:0"))
			p.hold(2*files, text)
			base := "http://" + p.address() + "/v1/ecr/"
			for path, want := range map[string]string{"012345678901/repositories": "[]\n", "ping": "pong", "ready": "ready"} {
				if status, body := get(t, base+path, token(t)); status != http.StatusOK || body != want {
					t.Errorf("%s: %d %q", path, status, body)
				}
			}
			if n := p.value("ecr_api_open_connections"); n > files/2 {
				t.Errorf("%v connections are open, want %d at most", n, files/2)
			}
			if n := p.value(`ecr_api_limits_reached_total{limit="connections"}`); n == 0 {
				t.Error("the limit was not reached")
			}
			if log := p.stderr.String(); strings.Contains(log, "too many open files") {
				t.Errorf("files ran out:\n%s", log)
			}
			p.stop()
			p.wantEnd()
		})
	}
}

func TestMaxConnectionsOverTheFileLimit(t *testing.T) {
	t.Parallel()
	env := with(configuration("http://127.0.0.1:1", "127.0.0.1:0"), `"maxConnections": 65`)
	p := startLimited(t, 128, env)
	const want = "maxConnections is 65, but the process may open only 128 files and needs some for AWS: 64 connections at most; lower maxConnections or raise the limit (ulimit -n)"
	if err := p.waitForEnd(); err == nil || !strings.Contains(p.stderr.String(), want) {
		t.Errorf("%v:\n%s", err, p.stderr)
	}
	p = startLimited(t, 128, strings.Replace(env, "65", "64", 1))
	p.address()
	p.stop()
	p.wantEnd()
}

// Callers who do not read hold few answers of a public path, and only until the
// service sees that these do not move. Meanwhile probes and the other public
// paths are answered. One of these callers holds a quarter of the answers, and
// others still get theirs.
func TestUnreadAnswersOfPublicPaths(t *testing.T) {
	t.Parallel()
	for path, most := range map[string]int{"/v1/ecr/docs/files/swagger-ui-bundle.js": 64, "/v1/ecr/openapi.json": 64, "/metrics": 16} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			_, url := newAWS(t, nil)
			p := start(t, configuration(url, "127.0.0.1:0"))
			requests := strings.Repeat("GET "+path+" HTTP/1.1\r\nHost: here\r\n\r\n", 200)
			p.holdFrom("127.0.0.2", most/4, requests)
			p.waitUntilHeld(most / 4)
			for address, want := range map[string]int{"127.0.0.2": http.StatusServiceUnavailable, "127.0.0.1": http.StatusOK} {
				if status := statusFrom(t, address, "http://"+p.address()+path); status != want {
					t.Errorf("a caller at %s: %d, want %d", address, status, want)
				}
			}
			for _, address := range []string{"127.0.0.3", "127.0.0.4", "127.0.0.5"} {
				p.holdFrom(address, most/4, requests)
			}
			p.waitUntilHeld(most)
			if status := statusFrom(t, "127.0.0.1", "http://"+p.address()+path); status != http.StatusServiceUnavailable {
				t.Errorf("%s: %d, want 503", path, status)
			}
			for _, other := range []string{"ping", "ready", "version", "metrics", "docs"} {
				if status, body := get(t, "http://"+p.address()+"/v1/ecr/"+other, ""); status != http.StatusOK {
					t.Errorf("%s: %d %q", other, status, body)
				}
			}
			if n := p.value(`ecr_api_limits_reached_total{limit="public_requests"}`); n == 0 {
				t.Error("the limit was not reached")
			}
			p.waitUntil("a connection is closed because its answer does not move", func() bool { return p.value(`ecr_api_connections_closed_total{reason="stalled"}`) > 0 })
			waitForStatus(t, "http://"+p.address()+path, http.StatusOK)
		})
	}
}

// waitUntilHeld waits until so many answers do not move.
func (p *program) waitUntilHeld(n int) {
	p.t.Helper()
	inARow := 0
	p.waitUntil("the answers are held", func() bool {
		inARow++
		if p.value("ecr_api_requests_in_flight") <= float64(n) { // this one is in flight too
			inARow = 0
		}
		return inARow == 20
	})
}

func (p *program) waitUntil(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("not so: %s", what)
		}
	}
}

// A request whose end a proxy may see elsewhere is the last on its connection.
func TestConnectionEndsAfterAnUnclearRequest(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := start(t, configuration(url, "127.0.0.1:0"))
	const chunk = "5\r\nhello\r\n0\r\n\r\n"
	for name, request := range map[string]string{
		"both lengths": "POST /v1/ecr/ping HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
		"HTTP/1.0":     "POST /v1/ecr/ping HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
	} {
		c, err := net.Dial("tcp", p.address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request+pingRequest); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(answer.Body); err != nil || !answer.Close {
			t.Errorf("%s: %v; %v", name, answer.Header, err)
		}
		if rest, _ := io.ReadAll(r); len(rest) > 0 {
			t.Errorf("%s: another answer follows: %q", name, rest)
		}
	}
}
