package program

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// A loggedProgram is a program whose log the test reads or not.
type loggedProgram struct {
	program
	url string
	log *bufio.Reader
	end *os.File // of the pipe
}

// startLogged starts the program and reads its log until it listens. Nobody
// reads the log after that, unless the test does.
func startLogged(t *testing.T, awsURL string) *loggedProgram {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(build(t))
	command.Env = []string{"HOME=" + t.TempDir(), "API_CONFIG=" + configuration(awsURL, "127.0.0.1:0")}
	command.Stderr = write
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	t.Cleanup(func() {
		command.Process.Kill()
		read.Close()
	})
	p := &loggedProgram{program: program{t: t, command: command, stderr: &output{}, ended: make(chan error, 1)}, log: bufio.NewReader(read), end: read}
	go func() { p.ended <- command.Wait() }()
	p.url = "http://" + p.readUntil(listening) + "/v1/ecr/"
	return p
}

// readUntil reads lines of the log until one matches the pattern. It returns
// what the last group of the pattern matched.
func (p *loggedProgram) readUntil(pattern string) string {
	p.t.Helper()
	p.end.SetReadDeadline(time.Now().Add(patience))
	wanted := regexp.MustCompile(pattern)
	for {
		line, err := p.log.ReadString('\n')
		if err != nil {
			p.t.Fatalf("no %s in the log: %v", pattern, err)
		}
		if match := wanted.FindStringSubmatch(line); match != nil {
			return match[len(match)-1]
		}
	}
}

// flood sends n requests, and fails the test unless each gets that status.
func (p *loggedProgram) flood(n int, path, token string, status int) {
	p.t.Helper()
	requests := make(chan struct{}, n)
	for range n {
		requests <- struct{}{}
	}
	close(requests)
	kept := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: patience}
	defer kept.CloseIdleConnections()
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range requests {
				r, _ := http.NewRequest(http.MethodGet, p.url+path, nil)
				r.Header.Set("X-Auth-Token", token)
				answer, err := kept.Do(r)
				if err != nil {
					p.t.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode != status {
					p.t.Errorf("%s: status %d, want %d", path, answer.StatusCode, status)
				}
			}
		})
	}
	senders.Wait()
}

// lost returns how many lines of that kind the service has lost.
func (p *loggedProgram) lost(kind string) int {
	p.t.Helper()
	_, body := get(p.t, p.url+"metrics", "")
	match := regexp.MustCompile(`(?m)^ecr_api_log_lines_lost_total\{lines="` + kind + `"\} (\d+)$`).FindStringSubmatch(body)
	if match == nil {
		p.t.Fatalf("no number of lost lines in:\n%s", body)
	}
	n, _ := strconv.Atoi(match[1])
	return n
}

// waitForLost waits until at least n lines of that kind are lost.
func (p *loggedProgram) waitForLost(kind string, n int) {
	p.t.Helper()
	for end := time.Now().Add(patience); p.lost(kind) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%d %s lines are lost, want %d", p.lost(kind), kind, n)
		}
	}
}

const repositories = "012345678901/repositories"

// create makes a repository, and fails the test if that is not answered 200.
func (p *loggedProgram) create(name string) {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.url+repositories+"/g", strings.NewReader(fmt.Sprintf(`{"RepositoryName": %q}`, name)))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token(p.t))
	if status, body := do(p.t, r); status != http.StatusOK {
		p.t.Errorf("create: %d %s", status, body)
	}
}

// A log that nobody reads delays no request. The service says that it is not
// ready, and how many lines are lost. Callers without a token take no room from
// audit lines.
func TestLogThatNobodyReads(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := startLogged(t, url)
	valid := token(t)
	p.flood(500, repositories, valid, http.StatusOK)
	p.flood(4000, repositories, "", http.StatusForbidden)
	p.waitForLost("other", 1)
	p.create("a")
	if n := p.lost("audit"); n != 0 {
		t.Errorf("%d audit lines are lost", n)
	}
	waitForStatus(t, p.url+"ready", http.StatusServiceUnavailable)
	if _, body := get(t, p.url+"ready", ""); !strings.Contains(body, "This copy of the service cannot write its audit log. Ask another.") {
		t.Errorf("ready: %s", body)
	}
	p.create("b")

	p.readUntil(`"msg":"audit","name":"a"`)
	p.readUntil(`"lostAuditLines":0,"lostOtherLines":[1-9]\d*,"msg":"[1-9]\d* log lines were lost: they could not be written"`)
	p.end.SetReadDeadline(time.Time{})
	go io.Copy(io.Discard, p.log)
	waitForStatus(t, p.url+"ready", http.StatusOK)
	p.stop()
	p.wantEnd()
}

// The service ends although its log cannot be written.
func TestStopWhileNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := startLogged(t, url)
	p.flood(1000, repositories, "", http.StatusForbidden)
	p.stop()
	p.wantEnd()
}

// The service lives on when the reader of its log dies. It stops as always.
func TestReaderOfTheLogDies(t *testing.T) {
	t.Parallel()
	local, url := newAWS(t, nil)
	p := startLogged(t, url)
	p.end.Close()
	p.flood(100, repositories, token(t), http.StatusOK)
	p.waitForLost("other", 100)
	waitForStatus(t, p.url+"ready", http.StatusServiceUnavailable)
	p.create("a")
	p.waitForLost("audit", 1)

	arrived, release := make(chan struct{}), make(chan struct{})
	local.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Times: 1, When: func(localaws.Call) bool {
		close(arrived)
		<-release
		return true
	}})
	var request sync.WaitGroup
	request.Go(func() {
		if status, body := get(t, p.url+repositories, token(t)); status != http.StatusOK {
			t.Errorf("a request while the service stops: %d %s", status, body)
		}
	})
	<-arrived
	send(t, p.command, syscall.SIGTERM)
	waitUntilClosed(t, strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/v1/ecr/"))
	close(release)
	request.Wait()
	p.wantEnd()
}
