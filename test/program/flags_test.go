package program

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

const usage = `Usage of ecr-api:
  -allow-hosts names
    	with -local or -local-aws, also answer requests to the hosts of these names, separated by commas
  -check
    	try what the service does in AWS, in the accounts given as arguments or else in those of the configuration
  -config file
    	read the configuration from this file, unless API_CONFIG is set (default "config/config.json")
  -healthcheck
    	ask the service that runs on this machine with this configuration whether it is ready
  -listen address
    	listen on this address instead of the configured one
  -local
    	run with a local AWS in the same process; this needs no configuration
  -local-aws address
    	run only the local AWS, without repositories, on this address; with -local, run its local AWS there
  -token
    	print an X-Auth-Token for the key of the configuration whose name is the argument, or else for the first key
  -version
    	print the version, the git hash and the build time
`

// inLog returns the line that the log ends with, without its time.
func inLog(message string) string {
	return fmt.Sprintf(`{"level":"fatal","msg":%q,"time":"TIME"}`+"\n", message)
}

var logTime = regexp.MustCompile(`"time":"[^"]+"`)

// A wrong command line ends with 2, and any other error with 1. The reason goes
// to standard error, as the last line of the log if the service was to run.
func TestErrorsAtTheStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	here := taken.Addr().String()
	none := filepath.Join(t.TempDir(), "none.json")
	const missing = "API_CONFIG: bad configuration: account.region is missing; account.role is missing; token is missing; org is missing"
	const remote = "other machines could reach this address, and every caller may do everything. " +
		"Listen on 127.0.0.1, or name with -allow-hosts the hosts by which it is called"
	const elsewhere = ": choose another address with -listen, such as -listen 127.0.0.1:8081"
	limited := limitedKeys("CreateCredentials")
	unknownAction := limitedKeys("PushImage")
	const noAction = "API_CONFIG: bad configuration: token.pipeline.actions[1] (line 1, column 98) " +
		"is not the name of an operation that needs a token; docs/configuration.md has them"
	for name, test := range map[string]struct {
		args   []string
		env    string
		code   int
		stderr string
	}{
		"help":                           {[]string{"-h"}, "", 0, usage},
		"unknown flag":                   {[]string{"-nope"}, "", 2, "flag provided but not defined: -nope\n" + usage},
		"flag without a value":           {[]string{"-listen"}, "", 2, "flag needs an argument: -listen\n" + usage},
		"-token with -local":             {[]string{"-local", "-token"}, "", 1, "ecr-api: -token cannot be used with -local or -local-aws: -local prints its own token\n"},
		"-token with -local-aws":         {[]string{"-local-aws", "127.0.0.1:0", "-token"}, "", 1, "ecr-api: -token cannot be used with -local or -local-aws: -local prints its own token\n"},
		"-token, two names":              {[]string{"-token", "a", "b"}, "", 1, "ecr-api: -token takes the name of one key, after all flags\n"},
		"-token, unknown name":           {[]string{"-token", "b"}, limited, 1, "ecr-api: token in the configuration has no key \"b\": it has platform, pipeline\n"},
		"unknown action":                 {nil, unknownAction, 1, inLog(noAction)},
		"-token, unknown action":         {[]string{"-token"}, unknownAction, 1, "ecr-api: " + noAction + "\n"},
		"-check, unknown action":         {[]string{"-check"}, unknownAction, 1, "ecr-api: " + noAction + "\n"},
		"-healthcheck, unknown action":   {[]string{"-healthcheck"}, unknownAction, 1, "ecr-api: " + noAction + "\n"},
		"-allow-hosts alone":             {[]string{"-allow-hosts", "here"}, "", 1, "ecr-api: -allow-hosts goes with -local or -local-aws\n"},
		"-local-aws for other machines":  {[]string{"-local-aws", ":0"}, "", 1, "ecr-api: -local-aws :0: " + remote + "\n"},
		"-local-aws, no names":           {[]string{"-local-aws", "192.0.2.1:0", "-allow-hosts", ", "}, "", 1, "ecr-api: -local-aws 192.0.2.1:0: " + remote + "\n"},
		"-local, AWS for other machines": {[]string{"-local", "-local-aws", ":0"}, "", 1, inLog("-local-aws :0: " + remote)},
		"-local, AWS's address taken":    {[]string{"-local", "-local-aws", here}, "", 1, inLog("listen tcp " + here + ": bind: address already in use")},
		"-local-aws, no port":            {[]string{"-local-aws", "nowhere"}, "", 1, "ecr-api: -local-aws: address nowhere: missing port in address\n"},
		"-check with -local":             {[]string{"-local", "-check"}, "", 1, "ecr-api: -check cannot be used with -local or -local-aws: run -local-aws beside it, as account.endpoint\n"},
		"-check, bad configuration":      {[]string{"-check"}, "{}", 1, "ecr-api: " + missing + "\n"},
		"argument":                       {[]string{"-local", "config.json"}, "", 1, "ecr-api: unknown argument \"config.json\"\n"},
		"no configuration":               {[]string{"-config", none}, "", 1, inLog("reading the configuration (see -config, or set API_CONFIG): open " + none + ": no such file or directory")},
		"bad configuration":              {nil, "{}", 1, inLog(missing)},
		"-listen, address taken":         {[]string{"-listen", here}, configuration("http://127.0.0.1:1", ":0"), 1, inLog("listen tcp " + here + ": bind: address already in use" + elsewhere)},
		"configured address taken":       {nil, configuration("http://127.0.0.1:1", here), 1, inLog("listen tcp " + here + ": bind: address already in use" + elsewhere)},
		"-local, address taken":          {[]string{"-local", "-listen", here}, "", 1, inLog("listen tcp " + here + ": bind: address already in use" + elsewhere)},
		"-local-aws, address taken":      {[]string{"-local-aws", here}, "", 1, "ecr-api: listen tcp " + here + ": bind: address already in use\n"},
		"pprofAddress taken": {nil, with(configuration("http://127.0.0.1:1", "127.0.0.1:0"), `"pprofAddress": "`+here+`"`), 1,
			inLog("pprofAddress: listen tcp " + here + ": bind: address already in use: choose another pprofAddress, or leave it empty")},
		"-listen, address with no port": {[]string{"-listen", "nowhere"}, configuration("http://127.0.0.1:1", ":0"), 1, inLog("listen tcp: address nowhere: missing port in address")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, test.args...)
			p.waitForEnd()
			if got := p.command.ProcessState.ExitCode(); got != test.code {
				t.Errorf("exit code %d, want %d", got, test.code)
			}
			if diff := cmp.Diff(test.stderr, logTime.ReplaceAllString(p.stderr.String(), `"time":"TIME"`)); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("", p.stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(build(t), "-version").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("ecr-api v1.2.3\ngit hash 4f2a9c1\nbuilt 2026-01-02T03:04:05Z\n", string(out)); diff != "" {
		t.Errorf("with a version from the linker (-want +got):\n%s", diff)
	}
	out, err = exec.Command("go", "run", "-buildvcs=false", "../..", "-version").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("ecr-api unknown\ngit hash unknown\nbuilt unknown\n", string(out)); diff != "" {
		t.Errorf("without a version (-want +got):\n%s", diff)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	p := start(t, configuration("http://127.0.0.1:1", ":0"), "-token")
	p.wantEnd()
	token := strings.TrimSuffix(p.stdout.String(), "\n")
	if err := bcrypt.CompareHashAndPassword([]byte(token), []byte(preShared)); err != nil {
		t.Errorf("%q is not a token: %v", token, err)
	}
}

// limitedKeys returns a configuration with a key that has limits. The action is
// the second of those that it allows.
func limitedKeys(action string) string {
	return `{"token": {"platform": "` + preShared + `", "pipeline": {"key": "another key", "actions": ["ShowImage", "` + action + `"], "notAfter": "2020-01-01T00:00:00Z"}},
		"org": "spindev", "account": {"region": "us-east-1", "role": "ecr-api"}}`
}

func TestTokenOfANamedKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ key, stderr string }{
		"platform": {preShared, ""},
		"pipeline": {"another key", "warning: the key pipeline was good until 2020-01-01T00:00:00Z: the service refuses this token\n"},
	} {
		p := start(t, limitedKeys("CreateCredentials"), "-token", name)
		p.waitForEnd()
		token := strings.TrimSuffix(p.stdout.String(), "\n")
		if err := bcrypt.CompareHashAndPassword([]byte(token), []byte(want.key)); err != nil || p.stderr.String() != want.stderr {
			t.Errorf("%s: %q is not a token: %v; stderr %q", name, token, err, p.stderr)
		}
	}
}

// -healthcheck asks the service at the address in the configuration or, with
// -local, at the address of -listen.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/ecr/ready" || !healthy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(service.Close)
	address := service.Listener.Addr().String()
	variable := "API_CONFIG=" + configuration("http://127.0.0.1:1", address)
	for _, args := range [][]string{{"-healthcheck"}, {"-healthcheck", "-local", "-listen", address}} {
		healthy.Store(true)
		if code, stderr := runToEnd(t, variable, args...); code != 0 || stderr != "" {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
		healthy.Store(false)
		want := "ecr-api: not healthy: " + service.URL + "/v1/ecr/ready answered 503 Service Unavailable\n"
		if code, stderr := runToEnd(t, variable, args...); code != 1 || stderr != want {
			t.Errorf("%v: exit code %d, %q, want 1, %q", args, code, stderr, want)
		}
	}
}

// runToEnd runs the binary until it exits.
func runToEnd(t *testing.T, variable string, args ...string) (code int, stderr string) {
	t.Helper()
	command, _, output := process(t, []string{variable}, args...)
	command.Wait()
	return command.ProcessState.ExitCode(), output.String()
}
