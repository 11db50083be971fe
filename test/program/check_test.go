package program

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// -check exits with 0 if all is well, otherwise with 1. Its lines go to
// standard output.
func TestCheck(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	file := filepath.Join(t.TempDir(), "config.json")
	content := with(configuration(url, "127.0.0.1:0"), `"accounts": {"prod": "012345678901", "none": "210987654321"}`)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	const head = "warning: token is under 16 bytes: whoever sees a token could guess the key\n" +
		"identity: arn:aws:iam::012345678901:user/administrator\n"
	for name, test := range map[string]struct {
		env, args      string
		code           int
		stdout, stderr string
	}{
		"the account given": {"", "-config " + file + " -check prod", 0, head + "prod (012345678901): good; docker credentials: set up; image scanning: basic\n", ""},
		"API_CONFIG":        {content, "-check 012345678901", 0, head + "012345678901: good; docker credentials: set up; image scanning: basic\n", ""},
		"all accounts": {"", "-check -config " + file, 1, head + "none (210987654321): AssumeRole of arn:aws:iam::210987654321:role/ecr-api refused: " +
			"the role does not exist, or its trust policy does not allow arn:aws:iam::012345678901:user/administrator with this external id, " +
			"or the policy of arn:aws:iam::012345678901:user/administrator does not allow sts:AssumeRole\nprod (012345678901): good; docker credentials: set up; image scanning: basic\n",
			"ecr-api: 1 of 2 accounts cannot be used\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, strings.Fields(test.args)...)
			p.waitForEnd()
			if got := p.command.ProcessState.ExitCode(); got != test.code {
				t.Errorf("exit code %d, want %d", got, test.code)
			}
			if diff := cmp.Diff([]string{test.stdout, test.stderr}, []string{p.stdout.String(), p.stderr.String()}); diff != "" {
				t.Errorf("stdout and stderr (-want +got):\n%s", diff)
			}
		})
	}
}

// The service starts before STS has answered, and warns once if STS refuses.
func TestSTSAtTheStart(t *testing.T) {
	t.Parallel()
	aws, url := newAWS(t, nil)
	asked, release := make(chan struct{}), make(chan struct{})
	aws.Inject(localaws.Fault{Operation: "sts:GetCallerIdentity", Code: "InvalidClientTokenId", Status: 403, Times: 1,
		When: func(localaws.Call) bool {
			close(asked)
			<-release
			return true
		}})
	p := start(t, configuration(url, "127.0.0.1:0"))
	<-asked
	if status, body := get(t, "http://"+p.address()+"/v1/ecr/012345678901/repositories", token(t)); status != http.StatusOK {
		t.Errorf("before STS has answered: %d %s", status, body)
	}
	close(release)
	p.stderr.waitFor(t, `"error":"GetCallerIdentity failed: AWS does not know the access key of this service .*"level":"warning","msg":"STS cannot be used: `)
	first, _, _ := strings.Cut(p.stderr.String(), "\n")
	if !strings.HasPrefix(first, `{"accounts":"any","githash":"4f2a9c1","keys":1,"level":"info","msg":"listening","org":"spindev","region":"us-east-1","time":"`) ||
		!strings.HasSuffix(first, `,"version":"v1.2.3"}`) {
		t.Errorf("the first line of the log: %s", first)
	}
	p.stop()
	p.wantEnd()
}

// The service stops even if STS has not answered yet.
func TestStopBeforeSTSAnswers(t *testing.T) {
	t.Parallel()
	aws, url := newAWS(t, nil)
	asked, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) })
	aws.Inject(localaws.Fault{Operation: "sts:GetCallerIdentity", When: func(localaws.Call) bool {
		close(asked)
		<-release
		return false
	}})
	p := start(t, configuration(url, "127.0.0.1:0"))
	<-asked
	p.stop()
	p.wantEnd()
	if log := p.stderr.String(); strings.Contains(log, "STS") {
		t.Errorf("it warns of STS:\n%s", log)
	}
}

// The metric tells that the file could not be read again.
func TestFailedReloadIsMeasured(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	file := filepath.Join(t.TempDir(), "config.json")
	content := configuration(url, "127.0.0.1:0")
	reload := func(p *program, content, logged string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if p != nil {
			send(t, p.command, syscall.SIGHUP)
			p.stderr.waitFor(t, logged)
		}
	}
	reload(nil, content, "")
	p := start(t, "", "-config", file)
	want := func(value string) {
		t.Helper()
		_, body := get(t, "http://"+p.address()+"/metrics", "")
		if !strings.Contains(body, "\necr_api_config_last_reload_successful "+value+"\n") {
			t.Errorf("it is not %s in\n%s", value, body)
		}
	}
	want("1")
	reload(p, "{\n\"org\": 5\n}", `org \(line 2, column 1\) must be a string`)
	want("0")
	reload(p, content, "configuration read again")
	want("1")
	p.stop()
	p.wantEnd()
}
