package program

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			command, stdout, stderr := process(t, nil, "-local", "-listen", "127.0.0.1:0")
			url := stdout.waitFor(t, `^ecr-api listens on (\S+)\n(?s:.*)Ctrl-C ends both.\n$`)
			wantExit(t, command, signal)
			if !strings.Contains(stderr.String(), "stopping") {
				t.Errorf("the log does not say that the service stops: %s", stderr)
			}
			wantNoAnswer(t, url)
		})
	}
}

// A second signal ends the process at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	env := with(configuration(url, "127.0.0.1:0"), `"shutdownDelay": "5m"`)
	command, _, stderr := process(t, []string{"API_CONFIG=" + env})
	stderr.waitFor(t, listening)
	send(t, command, syscall.SIGTERM)
	stderr.waitFor(t, `"msg":"stopping: `)
	send(t, command, syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the exit code is 0")
		}
	case <-time.After(patience):
		t.Error("the process still runs")
	}
}

// The service still answers during the delay, so that load balancers notice
// that it is not ready any more.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := start(t, with(configuration(url, "127.0.0.1:0"), `"shutdownDelay": "1500ms"`))
	base := "http://" + p.address() + "/v1/ecr/"
	if status, body := get(t, base+"ready", ""); status != http.StatusOK || body != "ready" {
		t.Errorf("ready: %d %q", status, body)
	}
	p.stop()
	p.stderr.waitFor(t, `"msg":"stopping: `)
	waitForStatus(t, base+"ready", http.StatusServiceUnavailable)
	if status, body := get(t, base+"012345678901/repositories", token(t)); status != http.StatusOK {
		t.Errorf("a request in the delay: %d %q", status, body)
	}
	p.wantEnd()
	waitUntilClosed(t, p.address())
}

func waitForStatus(t *testing.T, url string, want int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		status, body := get(t, url, "")
		if status == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %d %q, want %d", url, status, body, want)
		}
	}
}

// A request that is under way gets its answer. New connections are refused.
func TestStopWaitsForRequests(t *testing.T) {
	t.Parallel()
	local, url := newAWS(t, nil)
	arrived, release := make(chan struct{}), make(chan struct{})
	local.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", When: func(localaws.Call) bool {
		close(arrived)
		<-release
		return true
	}})
	p := start(t, configuration(url, "127.0.0.1:0"))
	address := p.address()
	var request sync.WaitGroup
	request.Go(func() {
		status, body := get(t, "http://"+address+"/v1/ecr/012345678901/repositories", token(t))
		if status != http.StatusOK || body != "[]\n" {
			t.Errorf("answer %d %q", status, body)
		}
	})
	<-arrived
	p.stop()
	p.stderr.waitFor(t, `"msg":"stopping: `)
	waitUntilClosed(t, address)
	select {
	case err := <-p.ended:
		t.Errorf("the program ended before the request was answered: %v", err)
		p.ended <- nil
	default:
	}
	close(release)
	request.Wait()
	p.wantEnd()
}

// SIGHUP makes the service read its configuration again.
func TestHangup(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := configuration(url, "127.0.0.1:0")
	write(first)
	command, _, stderr := process(t, nil, "-config", file)
	list := "http://" + stderr.waitFor(t, listening) + "/v1/ecr/012345678901/repositories"
	want := func(when, key string, want int) {
		t.Helper()
		if status, body := get(t, list, tokenOf(t, key)); status != want {
			t.Errorf("%s: the key %q: status %d, want %d: %s", when, key, status, want, body)
		}
	}
	hangup := func(logged string) {
		t.Helper()
		send(t, command, syscall.SIGHUP)
		stderr.waitFor(t, logged)
	}
	want("at first", preShared, 200)
	want("at first", "the next", 403)

	write(strings.Replace(first, fmt.Sprintf("%q", preShared), fmt.Sprintf(`{"next": "the next", "old": %q}`, preShared), 1))
	hangup(`"changed":\["token.default removed","token.next added","token.old added"\],"keys":2,"level":"info","msg":"configuration read again"`)
	want("with both keys", preShared, 200)
	want("with both keys", "the next", 200)

	write(`{"token": "` + secretKey)
	hangup("the configuration is broken: nothing changes")
	want("after a broken file", preShared, 200)

	write(strings.Replace(first, fmt.Sprintf("%q", preShared), `{"next": "the next"}`, 1))
	hangup(`"changed":\["token.old removed"\],"keys":1,"level":"info","msg":"configuration read again"`)
	want("without the old key", preShared, 403)
	want("without the old key", "the next", 200)

	write(strings.Replace(first, fmt.Sprintf("%q", preShared), `{"next": {"key": "the next", "actions": ["ListEverything"]}}`, 1))
	hangup(`token.next.actions\[0\] \(line [0-9]+, column [0-9]+\) is not the name of an operation.*nothing changes`)
	want("after an unknown operation", "the next", 200)

	write(strings.Replace(first, fmt.Sprintf("%q", preShared), `{"next": {"key": "the next", "actions": ["ShowImage"]}}`, 1))
	hangup(`"changed":\["token.next.actions changed"\],"keys":1,"level":"info","msg":"configuration read again"`)
	want("with a limit", "the next", 403)

	write(strings.Replace(strings.Replace(first, preShared, "the next", 1), `"role": "ecr-api"`, `"role": "another"`, 1))
	hangup(`"needRestart":\["account"\]`)
	if log := stderr.String(); strings.Contains(log, secretKey) || strings.Contains(log, preShared) || strings.Contains(log, "the next") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
	wantExit(t, command, os.Interrupt)
}
