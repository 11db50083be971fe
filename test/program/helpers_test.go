// Package program tests the whole program: the binary, its flags, signals and
// exit codes, and the lines to paste that the README and the program print.
package program

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/test/openapi"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

// patience is how long a test waits for something.
const patience = 20 * time.Second

// output can be written and read at the same time.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// waitFor waits until the output matches the pattern. It returns what the last
// group of the pattern matched.
func (o *output) waitFor(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if match := wanted.FindStringSubmatch(o.String()); match != nil {
			return match[len(match)-1]
		}
	}
	t.Fatalf("no %s in the output:\n%s", pattern, o)
	return ""
}

// listening matches the log line that says where the service listens.
const listening = `"msg":"listening".*"url":"http://([^"]+)"`

// program is a running program.
type program struct {
	t              *testing.T
	command        *exec.Cmd
	stdout, stderr *output
	ended          chan error // gets the result of Wait
}

// start runs the program with this value of API_CONFIG.
func start(t *testing.T, env string, args ...string) *program {
	t.Helper()
	p := &program{t: t, ended: make(chan error, 1)}
	p.command, p.stdout, p.stderr = process(t, []string{"API_CONFIG=" + env}, args...)
	go func() { p.ended <- p.command.Wait() }()
	return p
}

// stop sends SIGTERM.
func (p *program) stop() {
	p.t.Helper()
	send(p.t, p.command, syscall.SIGTERM)
}

// address returns where the service listens, as its log says.
func (p *program) address() string {
	p.t.Helper()
	return p.stderr.waitFor(p.t, listening)
}

// wantEnd waits until the program ends. An exit code other than 0 fails the
// test.
func (p *program) wantEnd() {
	p.t.Helper()
	if err := p.waitForEnd(); err != nil {
		p.t.Errorf("the program ended with %v:\n%s", err, p.stderr)
	}
}

// waitForEnd waits until the program ends, and returns its exit code as an
// error.
func (p *program) waitForEnd() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		p.t.Fatal("the program did not end")
		return nil
	}
}

// binary is the program, built once as a release is.
var binary struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

func build(t *testing.T) (path string) {
	t.Helper()
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "ecr-api"); binary.err != nil {
			return
		}
		const in = "-X github.com/YaleSpinup/ecr-api/common."
		args := append([]string{"build", "-buildvcs=false", "-o", filepath.Join(binary.dir, "ecr-api"), "-ldflags",
			"-s -w " + in + "version=v1.2.3 " + in + "githash=4f2a9c1 " + in + "buildstamp=2026-01-02T03:04:05Z"}, buildFlags...)
		out, err := exec.Command("go", append(args, "../..")...).CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "ecr-api")
}

// process starts the binary. Its environment has only these variables and an
// empty HOME, so that the SDK finds no other credentials. A process that is
// killed leaves the layers of its images in TMPDIR.
func process(t *testing.T, variables []string, args ...string) (command *exec.Cmd, stdout, stderr *output) {
	t.Helper()
	command = exec.Command(build(t), args...)
	command.Env = append([]string{"HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, variables...)
	stdout, stderr = &output{}, &output{}
	command.Stdout, command.Stderr = stdout, stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	return command, stdout, stderr
}

func send(t *testing.T, command *exec.Cmd, signal os.Signal) {
	t.Helper()
	if err := command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// wantExit sends a signal. The test fails unless the process then exits with 0.
func wantExit(t *testing.T, command *exec.Cmd, signal os.Signal) {
	t.Helper()
	send(t, command, signal)
	alarm := time.AfterFunc(patience, func() { command.Process.Kill() })
	defer alarm.Stop()
	if err := command.Wait(); err != nil {
		t.Errorf("after %v: %v", signal, err)
	}
}

// newAWS starts a local AWS with the role in one account. It calls watch after
// each call, if watch is not nil.
func newAWS(t *testing.T, watch func(localaws.Call)) (aws *localaws.Server, url string) {
	t.Helper()
	aws, err := localaws.New(localaws.Options{
		Watch: watch,
		Roles: []localaws.Role{{Account: "012345678901", Name: "ecr-api", Trust: config.TrustPolicy, Permissions: []string{config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy, config.UsersPolicy}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	return aws, server.URL
}

const (
	preShared = "hush, hush"
	secretKey = "tell nobody"
)

// configuration returns a configuration for that AWS, as JSON.
func configuration(awsURL, listen string) string {
	return fmt.Sprintf(`{"listenAddress": %q, "token": %q, "org": "spindev", "account": {"region": "us-east-1",
		"akid": "AKID", "secret": %q, "externalId": "local", "role": "ecr-api", "endpoint": %q}}`, listen, preShared, secretKey, awsURL)
}

// with adds keys, as JSON, to a configuration.
func with(configuration, keys string) string {
	return strings.Replace(configuration, "{", "{"+keys+", ", 1)
}

// token returns a valid X-Auth-Token.
func token(t *testing.T) string {
	t.Helper()
	return tokenOf(t, preShared)
}

func tokenOf(t *testing.T, key string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(key), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// client keeps no connections open, because a server would wait for them when
// it stops.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// document is the OpenAPI document. Every answer must agree with it.
var document = sync.OnceValue(func() *openapi.Document {
	config, err := local.Config()
	if err != nil {
		panic(err)
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	service, err := api.New(api.Options{Config: config, Log: quiet})
	if err != nil {
		panic(err)
	}
	recorder := httptest.NewRecorder()
	service.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/v1/ecr/openapi.json", nil))
	d, err := openapi.Parse(recorder.Body.Bytes())
	if err != nil {
		panic(err)
	}
	return d
})

func do(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	// These paths belong to the local AWS and to the profiler, so they are not
	// in the document.
	if path := r.URL.Path; !strings.HasPrefix(path, "/faults") && !strings.HasPrefix(path, "/debug/") {
		if err := document().Check(answer); err != nil {
			t.Error(err)
		}
	}
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, string(content)
}

func get(t *testing.T, url, token string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token)
	return do(t, r)
}

// wantNoAnswer fails the test if something answers at the URL.
func wantNoAnswer(t *testing.T, url string) {
	t.Helper()
	if answer, err := client.Get(url); err == nil {
		answer.Body.Close()
		t.Errorf("%s still answers", url)
	}
}

// waitUntilClosed waits until the address accepts no more connections.
func waitUntilClosed(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		connection.Close()
	}
	t.Errorf("%s still accepts connections", address)
}
