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
	longEnd   = 35 * time.Second // requests under way get 30
	longStart = 30 * time.Second
)

// What a request may take. It is short where AWS stalls, so that this does not
// take hours, and long where a deadline that passes is the machine's fault.
const (
	shortTimeout = "5s"
	longTimeout  = "25s"
)

// configuration of the service, for API_CONFIG.
func configuration(awsURL, timeout string) string {
	text, err := json.Marshal(map[string]any{
		"listenAddress": "127.0.0.1:0",
		"token":         key,
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
		panic(err) // strings and numbers always encode
	}
	return string(text)
}

// newToken returns a token that is quick to check, as it is after every start.
func newToken() (string, error) {
	token, err := bcrypt.GenerateFromPassword([]byte(key), bcrypt.MinCost)
	return string(token), err
}

// build makes the service's binary in the folder.
func build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "ecr-api")
	out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "github.com/YaleSpinup/ecr-api").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the service: %w: %s", err, out)
	}
	return binary, nil
}

// A process is one run of the service.
type process struct {
	address string
	command *exec.Cmd
	ended   chan struct{} // closed when it has exited and its log is read
	err     error         // of its exit, once it has ended
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
	case <-time.After(longStart):
	}
	if p.address == "" {
		p.kill()
		return nil, fmt.Errorf("the service did not start: %v", p.err)
	}
	return p, nil
}

// stop asks the process to end, and says what is wrong with how it does.
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
	case <-time.After(longEnd):
		p.kill()
		return fmt.Errorf("it did not end within %v of SIGTERM", longEnd)
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

// A fleet is the process that requests go to, replaced from time to time.
type fleet struct {
	start func() (*process, error)

	mu      sync.Mutex
	present *process
	changed chan struct{} // closed when another becomes present
}

func newFleet(start func() (*process, error)) (*fleet, error) {
	p, err := start()
	if err != nil {
		return nil, err
	}
	return &fleet{start: start, present: p, changed: make(chan struct{})}, nil
}

// errCrashed is a service that ended without having been asked to.
var errCrashed = errors.New("the service ended on its own")

// other returns the present process, once it is another than the one that could
// not be reached.
func (f *fleet) other(ctx context.Context, than *process) (*process, error) {
	for {
		f.mu.Lock()
		present, changed := f.present, f.changed
		f.mu.Unlock()
		if present != than {
			return present, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (f *fleet) replace() error {
	p, err := f.start()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.present = p
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

// restart ends the present process and starts another: before, as a rolling
// update does, or after. What is wrong with how it ended is told apart from the
// error, which is that none could be started.
func (f *fleet) restart(rolling bool) (wrong, err error) {
	old := f.present // nobody else replaces it
	if old.hasEnded() {
		return nil, errCrashed
	}
	if rolling {
		err = f.replace()
		return old.stop(), err
	}
	wrong = old.stop()
	return wrong, f.replace()
}
