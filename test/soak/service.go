package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	key       = "local"
	startTime = 30 * time.Second // how long the service may take to start
	stopTime  = 35 * time.Second // how long it may take to stop; requests under way get 30 seconds
)

// The requestTimeout of the service. With faults it is short, because AWS
// stalls and a run would take hours. Without faults it is long, so that it
// passes only on a machine that is too slow.
const (
	shortTimeout = "5s"
	longTimeout  = "25s"
)

// configuration returns the configuration of the service, for API_CONFIG.
func configuration(awsURL, timeout string) string {
	text, err := json.Marshal(map[string]any{
		"listenAddress": "127.0.0.1:0",
		"token":         map[string]any{"all": key, "limited": limits},
		"users":         map[string]string{"boundary": boundaryName, "formerGroup": formerGroup},
		"org":           org,
		"account": map[string]string{
			"region": region, "akid": "service", "secret": "local", "externalId": "local", "role": "ecr-api", "endpoint": awsURL,
		},
		"requestTimeout":        timeout,
		"shutdownDelay":         "0s",
		"maxInFlight":           512,
		"maxInFlightPerAccount": 128,
	})
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	return string(text)
}

// newToken returns a token of the lowest cost, because the service verifies it
// again after each start.
func newToken(key string) (string, error) {
	token, err := bcrypt.GenerateFromPassword([]byte(key), bcrypt.MinCost)
	return string(token), err
}

// build builds the service in the folder and returns the name of the binary.
func build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "ecr-api")
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "github.com/YaleSpinup/ecr-api").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the service: %w: %s", err, out)
	}
	return binary, nil
}

// process is one run of the service.
type process struct {
	address string
	command *exec.Cmd
	ended   chan struct{} // closed once the process has exited and its log is read
	err     error         // the error of its exit, once it has ended
}

// startProcess starts the service and waits until it listens.
func startProcess(binary, config string, log *logbook) (*process, error) {
	command := exec.Command(binary)
	command.Env = append(os.Environ(), "API_CONFIG="+config)
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	p := &process{command: command, ended: make(chan struct{})}
	listens := make(chan string, 1)
	go func() {
		log.read(stderr, listens)
		p.err = command.Wait()
		close(p.ended)
	}()
	select {
	case url := <-listens:
		p.address = strings.TrimPrefix(url, "http://")
	case <-time.After(startTime):
	}
	if p.address == "" {
		p.kill()
		return nil, fmt.Errorf("the service did not start: %v", p.err)
	}
	return p, nil
}

// stop sends SIGTERM and waits until the process has ended. It returns an error
// if the process did not end as it should.
func (p *process) stop() error {
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("SIGTERM: %w", err)
	}
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("after SIGTERM: %w", p.err)
		}
		return nil
	case <-time.After(stopTime):
		p.kill()
		return fmt.Errorf("the service did not end within %v after SIGTERM", stopTime)
	}
}

func (p *process) kill() {
	p.command.Process.Kill()
	<-p.ended
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// currentProcess holds the process that gets the requests. A restart replaces
// the process.
type currentProcess struct {
	start func() (*process, error)

	mu       sync.Mutex
	current  *process
	replaced chan struct{} // closed when another process becomes current
}

func newCurrentProcess(start func() (*process, error)) (*currentProcess, error) {
	p, err := start()
	if err != nil {
		return nil, err
	}
	return &currentProcess{start: start, current: p, replaced: make(chan struct{})}, nil
}

// errCrashed means that the service ended without a signal.
var errCrashed = errors.New("the service ended on its own")

// waitForOther returns the current process as soon as it is not the unreachable
// one, which may be nil.
func (c *currentProcess) waitForOther(ctx context.Context, unreachable *process) (*process, error) {
	for {
		c.mu.Lock()
		current, replaced := c.current, c.replaced
		c.mu.Unlock()
		if current != unreachable {
			return current, nil
		}
		select {
		case <-replaced:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// replace starts a process and makes it the current one.
func (c *currentProcess) replace() error {
	p, err := c.start()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = p
	close(c.replaced)
	c.replaced = make(chan struct{})
	return nil
}

// restart stops the current process and starts another one. If rolling is true,
// it starts the new process before it stops the old one, as a rolling update
// does. stopErr says that the old process did not stop well. err says that no
// process could be started.
func (c *currentProcess) restart(rolling bool) (stopErr, err error) {
	old := c.current // only restart replaces it
	if old.hasEnded() {
		return nil, errCrashed
	}
	if rolling {
		err = c.replace()
		return old.stop(), err
	}
	stopErr = old.stop()
	return stopErr, c.replace()
}
