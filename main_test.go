package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/openapitest"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

// patience is how long anything here may take.
const patience = 20 * time.Second

// output can be written and read concurrently.
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

// waitFor returns what the pattern's group matched, once it does.
func (o *output) waitFor(t *testing.T, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if found := wanted.FindStringSubmatch(o.String()); found != nil {
			return found[len(found)-1]
		}
	}
	t.Fatalf("no %s in the output:\n%s", pattern, o)
	return ""
}

// listening is the line of the log that says where the service listens.
const listening = `"msg":"listening".*"url":"http://([^"]+)"`

// A program is run, under way.
type program struct {
	t              *testing.T
	stdout, stderr output
	stop           context.CancelFunc
	ended          chan error
}

func start(t *testing.T, env string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{t: t, stop: cancel, ended: make(chan error, 1)}
	go func() { p.ended <- run(ctx, args, env, &p.stdout, &p.stderr) }()
	t.Cleanup(cancel)
	return p
}

// address is where the service listens, by its log.
func (p *program) address() string {
	p.t.Helper()
	return p.stderr.waitFor(p.t, listening)
}

// wantEnd waits until run returns nil.
func (p *program) wantEnd() {
	p.t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Errorf("it ended with: %v", err)
		}
	case <-time.After(patience):
		p.t.Error("it did not end")
	}
}

// newAWS is a local AWS with the role in one account. It calls watch after each call.
func newAWS(t *testing.T, watch func(localaws.Call)) (aws *localaws.Server, url string) {
	t.Helper()
	aws, err := localaws.New(localaws.Options{
		Watch: watch,
		Roles: []localaws.Role{{Account: "012345678901", Name: "ecr-api", Trust: config.TrustPolicy, Permissions: config.RolePolicy}},
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

// configuration is one for that AWS.
func configuration(awsURL, listen string) string {
	return fmt.Sprintf(`{"listenAddress": %q, "token": %q, "org": "spindev", "account": {"region": "us-east-1",
		"akid": "AKID", "secret": %q, "externalId": "local", "role": "ecr-api", "endpoint": %q}}`, listen, preShared, secretKey, awsURL)
}

func token(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(preShared), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// client keeps no connections, which would make the end of a server wait.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// document is the OpenAPI document that the service serves. Every answer has to fit
// it.
var document = sync.OnceValue(func() *openapitest.Document {
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
	d, err := openapitest.Parse(recorder.Body.Bytes())
	if err != nil {
		panic(err)
	}
	return d
})

// checked passes requests on to the service, and holds its answers against the
// specification.
func checked(t *testing.T, service string) (address string) {
	t.Helper()
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", service },
		ModifyResponse: func(answer *http.Response) error {
			if err := document().Check(answer); err != nil {
				t.Error(err)
			}
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

func do(t *testing.T, r *http.Request) (status int, body string) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer answer.Body.Close()
	if path := r.URL.Path; !strings.HasPrefix(path, "/faults") && !strings.HasPrefix(path, "/debug/") { // the local AWS's, the profiler's
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

const usage = `Usage of ecr-api:
  -config file
    	read the configuration from this file, unless API_CONFIG is set (default "config/config.json")
  -healthcheck
    	ask the service that runs here with this configuration whether it is ready
  -listen address
    	listen on this address instead of the configured one
  -local
    	run with an AWS of its own on loopback, with no configuration
  -local-aws address
    	run only that AWS, empty, on this address
  -token
    	print an X-Auth-Token for the first key of the configuration
  -version
    	print version, git hash and build time
`

func TestRunErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	here := taken.Addr().String()
	none := filepath.Join(t.TempDir(), "none.json")
	const missing = "API_CONFIG: bad configuration: account.region is missing; account.role is missing; token is missing; org is missing"
	for name, test := range map[string]struct {
		args         []string
		env          string
		want, stderr string
	}{
		"help":                 {[]string{"-h"}, "", flag.ErrHelp.Error(), usage},
		"unknown flag":         {[]string{"-nope"}, "", errUsage.Error(), "flag provided but not defined: -nope\n" + usage},
		"flag without a value": {[]string{"-listen"}, "", errUsage.Error(), "flag needs an argument: -listen\n" + usage},
		"token of -local":      {[]string{"-local", "-token"}, "", "-token goes with a configuration: -local prints a token of its own", ""},
		"argument":             {[]string{"-local", "config.json"}, "", `unknown argument "config.json"`, ""},
		"no configuration": {[]string{"-config", none}, "",
			"reading the configuration (see -config, or set API_CONFIG): open " + none + ": no such file or directory", ""},
		"bad configuration":      {nil, "{}", missing, ""},
		"address taken":          {[]string{"-listen", here}, configuration("http://127.0.0.1:1", ":0"), "listen tcp " + here + ": bind: address already in use", ""},
		"configured one taken":   {nil, configuration("http://127.0.0.1:1", here), "listen tcp " + here + ": bind: address already in use", ""},
		"local, address taken":   {[]string{"-local", "-listen", here}, "", "listen tcp " + here + ": bind: address already in use", ""},
		"local AWS, no address":  {[]string{"-local-aws", "nowhere"}, "", "listen tcp: address nowhere: missing port in address", ""},
		"local AWS, taken":       {[]string{"-local-aws", here}, "", "listen tcp " + here + ": bind: address already in use", ""},
		"listen address, no use": {[]string{"-listen", "nowhere"}, configuration("http://127.0.0.1:1", ":0"), "listen tcp: address nowhere: missing port in address", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, test.args...)
			select {
			case err := <-p.ended:
				if err == nil {
					t.Fatal("no error")
				}
				if diff := cmp.Diff(test.want, err.Error()); diff != "" {
					t.Errorf("error (-want +got):\n%s", diff)
				}
				if errors.Is(err, flag.ErrHelp) != (test.want == flag.ErrHelp.Error()) {
					t.Errorf("%v: is it flag.ErrHelp?", err)
				}
			case <-time.After(patience):
				t.Fatal("it runs")
			}
			if diff := cmp.Diff(test.stderr, p.stderr.String()); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("", p.stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
		})
	}
}

// -local does what its banner says, in the words of the banner.
func TestLocal(t *testing.T) {
	t.Parallel()
	p := start(t, "", "-local", "-listen", "127.0.0.1:0")
	p.stdout.waitFor(t, "Ctrl-C ends both.\n$")
	banner := p.stdout.String()
	vars := exports(t, banner)
	if want := "http://" + p.address() + "/v1/ecr/012345678901/repositories"; vars["API"] != want {
		t.Errorf("API is %s, and it listens on %s", vars["API"], want)
	}

	const dasher = `{"CreatedAt": "TIME", "EncryptionType": "AES256", "KmsKeyId": "", "ScanOnPush": "true", "ImageTagMutability": "MUTABLE",
		"RegistryId": "012345678901", "RepositoryArn": "arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/dasher",
		"RepositoryName": "spindev-00001/dasher", "RepositoryUri": "012345678901.dkr.ecr.us-east-1.amazonaws.com/spindev-00001/dasher",
		"Tags": [%s{"Key": "Name", "Value": "spindev-00001/dasher"}, {"Key": "spinup:org", "Value": "spindev"},
			{"Key": "spinup:spaceid", "Value": "spindev-00001"}]}`
	const image = `{"ArtifactMediaType": "application/vnd.docker.container.image.v1+json", "ImageDigest": "DIGEST",
		"ImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json", "ImagePushedAt": "TIME",
		"RegistryId": "012345678901", "RepositoryName": "spindev-00001/welcome", `
	created, updated := fmt.Sprintf(dasher, ""), fmt.Sprintf(dasher, `{"Key": "Application", "Value": "sleigh"}, `)
	images := `[` + image + `"ImageScanFindingsSummary": null, "ImageScanStatus": null, "ImageSizeInBytes": 16100210, "ImageTags": ["latest", "v2"]}, ` +
		image + `"ImageScanFindingsSummary": {"FindingSeverityCounts": {"MEDIUM": 1}, "ImageScanCompletedAt": "TIME", "VulnerabilitySourceUpdatedAt": "TIME"},
		"ImageScanStatus": {"Description": "The scan was completed successfully.", "Status": "COMPLETE"}, "ImageSizeInBytes": 16093514, "ImageTags": ["v1"]}]`
	type exchange struct{ method, path, want string }
	want := []exchange{
		{"GET", "", `["spindev-00001/welcome"]`},
		{"POST", "/spindev-00001", created},
		{"GET", "/spindev-00001/dasher", created},
		{"PUT", "/spindev-00001/dasher", updated},
		{"GET", "/spindev-00001/welcome/images", images},
		{"DELETE", "/spindev-00001/dasher", updated},
	}
	requests := curls(t, banner, vars)
	if len(requests) != len(want)+2 {
		t.Fatalf("%d curl lines, want %d and two about faults, in\n%s", len(requests), len(want), banner)
	}
	for i, r := range requests[:len(want)] {
		got := exchange{r.Method, strings.TrimPrefix(r.URL.String(), vars["API"]), want[i].want}
		if diff := cmp.Diff(want[i], got, cmp.AllowUnexported(exchange{})); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		status, body := do(t, r)
		if diff := cmp.Diff(parse(t, want[i].want), parse(t, normalized(body))); diff != "" || status != http.StatusOK {
			t.Errorf("%s %s: status %d, answer (-want +got):\n%s", r.Method, r.URL, status, diff)
		}
	}

	wantFault(t, requests[0], requests[len(want)], requests[len(want)+1])

	// As the AWS command line would.
	s := newSession(t, vars["AWS_ENDPOINT_URL"], vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], vars["AWS_DEFAULT_REGION"])
	wantRepositories(t, s, []string{"spindev-00001/welcome"})

	p.stop()
	p.wantEnd()
	for _, url := range []string{vars["API"], vars["AWS_ENDPOINT_URL"]} {
		if answer, err := client.Get(url); err == nil {
			answer.Body.Close()
			t.Errorf("%s answers still", url)
		}
	}
}

var (
	times   = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`)
	digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	awsIDs  = regexp.MustCompile(`"awsRequestId":"[0-9a-f-]{36}"`)
)

func normalized(body string) string {
	body = digests.ReplaceAllString(times.ReplaceAllString(body, "TIME"), "DIGEST")
	return awsIDs.ReplaceAllString(body, `"awsRequestId":"ID"`)
}

func parse(t *testing.T, document string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatalf("no JSON: %v: %q", err, document)
	}
	return value
}

// exports returns what the banner's export lines set.
func exports(t *testing.T, banner string) map[string]string {
	t.Helper()
	vars := map[string]string{}
	for line := range strings.Lines(banner) {
		if !strings.HasPrefix(line, "  export ") {
			continue
		}
		for _, word := range words(t, line, vars)[1:] {
			name, value, _ := strings.Cut(word, "=")
			vars[name] = value
		}
	}
	return vars
}

// curls returns the requests that the banner's curl lines make.
func curls(t *testing.T, banner string, vars map[string]string) (requests []*http.Request) {
	t.Helper()
	for line := range strings.Lines(banner) {
		if !strings.HasPrefix(line, "  curl ") {
			continue
		}
		method, forced, url, body, header := http.MethodGet, "", "", "", http.Header{}
		for args := words(t, line, vars)[1:]; len(args) > 0; args = args[1:] {
			if !strings.HasPrefix(args[0], "-") {
				url = args[0]
				continue
			}
			option := args[0]
			args = args[1:]
			switch option {
			case "-H":
				name, value, _ := strings.Cut(args[0], ": ")
				header.Set(name, value)
			case "-d":
				method, body = http.MethodPost, args[0]
				header.Set("Content-Type", "application/x-www-form-urlencoded")
			case "-X":
				forced = args[0]
			default:
				t.Fatalf("what is %s in %s?", option, line)
			}
		}
		r, err := http.NewRequest(firstOf(forced, method), url, strings.NewReader(body))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r.Header = header
		requests = append(requests, r)
	}
	return requests
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

var (
	variable = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*|[0-9])`)
	part     = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+|\s+`)
)

// words splits a line as a shell does, so far as the banner needs it: 'as it
// is', "with $VARIABLES", and $VARIABLES bare.
func words(t *testing.T, line string, vars map[string]string) (list []string) {
	t.Helper()
	parts := part.FindAllString(line, -1)
	if strings.Join(parts, "") != line {
		t.Fatalf("a quote is not closed in %s", line)
	}
	word := ""
	for _, p := range parts {
		switch {
		case strings.TrimSpace(p) == "" && word == "":
		case strings.TrimSpace(p) == "":
			list, word = append(list, word), ""
		case p[0] == '\'':
			word += strings.Trim(p, "'")
		default:
			word += variable.ReplaceAllStringFunc(strings.Trim(p, `"`), func(name string) string { return vars[name[1:]] })
		}
	}
	return list // a line ends with a space, its newline
}

func newSession(t *testing.T, url, key, secret, region string) *session.Session {
	t.Helper()
	s, err := session.NewSession(&aws.Config{
		Region: &region, Endpoint: &url, Credentials: credentials.NewStaticCredentials(key, secret, ""),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantRepositories(t *testing.T, s *session.Session, want []string) {
	t.Helper()
	out, err := ecr.New(s).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
	if err != nil {
		t.Error(err)
		return
	}
	var got []string
	for _, r := range out.Repositories {
		got = append(got, *r.RepositoryName)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("repositories in AWS (-want +got):\n%s", diff)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	p := start(t, configuration("http://127.0.0.1:1", ":0"), "-token")
	p.wantEnd()
	token := strings.TrimSuffix(p.stdout.String(), "\n")
	if err := bcrypt.CompareHashAndPassword([]byte(token), []byte(preShared)); err != nil {
		t.Errorf("%q is no token: %v", token, err)
	}
}

func TestLocalAWS(t *testing.T) {
	t.Parallel()
	p := start(t, "", "-local-aws", "127.0.0.1:0")
	url := p.stdout.waitFor(t, `^a local AWS listens on (http://127\.0\.0\.1:[0-9]+)\n$`)
	s := newSession(t, url, "any", "any", "us-east-1")
	wantRepositories(t, s, nil)
	_, err := sts.New(s).AssumeRole(&sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::210987654321:role/ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
	})
	if err != nil {
		t.Error(err)
	}
	p.stop()
	p.wantEnd()
	if diff := cmp.Diff("", p.stderr.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

func TestConfiguredService(t *testing.T) {
	t.Parallel()
	local, url := newAWS(t, nil)
	if err := local.AddRepository("012345678901", "us-east-1", "g/one", nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, []byte(configuration(url, "127.0.0.1:0")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  string
		args []string
	}{
		"API_CONFIG":           {configuration(url, "127.0.0.1:0"), nil},
		"file":                 {"", []string{"-config", file}},
		"-listen wins":         {configuration(url, "nowhere:0"), []string{"-listen", "127.0.0.1:0"}},
		"API_CONFIG over file": {configuration(url, "127.0.0.1:0"), []string{"-config", "none.json"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, test.args...)
			base, good := "http://"+p.address()+"/v1/ecr/", token(t)
			for _, e := range []struct {
				path, token string
				status      int
				want        string // "" where another test looks at it
			}{
				{"ping", "", 200, "pong"},
				{"012345678901/repositories", good, 200, `["g/one"]` + "\n"},
				{"012345678901/repositories", preShared, 403, ""},
				{"210987654321/repositories", good, 403, ""},
			} {
				status, body := get(t, base+e.path, e.token)
				if status != e.status || e.want != "" && body != e.want {
					t.Errorf("%s: %d %q, want %d %q", e.path, status, body, e.status, e.want)
				}
			}
			p.stop()
			p.wantEnd()
			for _, secret := range []string{preShared, secretKey, good} {
				if strings.Contains(p.stdout.String()+p.stderr.String(), secret) {
					t.Errorf("%q was printed:\n%s", secret, &p.stderr)
				}
			}
			if diff := cmp.Diff("", p.stdout.String()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
		})
	}
}

// A request that is under way at the end gets its answer, and new ones find nobody.
func TestGracefulEnd(t *testing.T) {
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
	var asking sync.WaitGroup
	asking.Go(func() {
		status, body := get(t, "http://"+address+"/v1/ecr/012345678901/repositories", token(t))
		if status != http.StatusOK || body != "[]\n" {
			t.Errorf("answer %d %q", status, body)
		}
	})
	<-arrived
	p.stop()
	p.stderr.waitFor(t, `"msg":"stopping: `)
	nobodyAt(t, address)
	select {
	case err := <-p.ended:
		t.Errorf("it ended before the request: %v", err)
		p.ended <- nil
	default:
	}
	close(release)
	asking.Wait()
	p.wantEnd()
}

// nobodyAt waits until the address takes no more connections.
func nobodyAt(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		connection.Close()
	}
	t.Errorf("%s takes connections still", address)
}

func TestLogger(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"debug": "debug info warning ", "info": "info warning ", "warn": "warning ", "error": ""} {
		var out bytes.Buffer
		logger := newLogger(level, &out)
		logger.Debug("a")
		logger.Info("b")
		logger.Warn("c")
		var got string
		for line := range strings.Lines(out.String()) {
			entry := parse(t, line).(map[string]any)
			got += entry["level"].(string) + " "
			if _, err := time.Parse(time.RFC3339Nano, entry["time"].(string)); err != nil {
				t.Error(err)
			}
		}
		if got != want {
			t.Errorf("at %s it logs %q, want %q", level, got, want)
		}
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
		out, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(binary.dir, "ecr-api"), "-ldflags",
			"-s -w "+in+"version=v1.2.3 "+in+"githash=4f2a9c1 "+in+"buildstamp=2026-01-02T03:04:05Z", ".").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return filepath.Join(binary.dir, "ecr-api")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(build(t), "-version").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("ecr-api v1.2.3\ngit hash 4f2a9c1\nbuilt 2026-01-02T03:04:05Z\n", string(out)); diff != "" {
		t.Errorf("as the linker was told (-want +got):\n%s", diff)
	}
	p := start(t, "", "-version") // Go records nothing of a test's build
	p.wantEnd()
	if diff := cmp.Diff("ecr-api unknown\ngit hash unknown\nbuilt unknown\n", p.stdout.String()); diff != "" {
		t.Errorf("as nobody was told (-want +got):\n%s", diff)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args   []string
		code   int
		stderr string
	}{
		{[]string{"-version"}, 0, ""},
		{[]string{"-h"}, 0, usage},
		{[]string{"-nope"}, 2, "flag provided but not defined: -nope\n" + usage},
		{[]string{"one", "two"}, 1, "ecr-api: unknown argument \"one\"\n"},
	} {
		command := exec.Command(build(t), test.args...)
		var stderr bytes.Buffer
		command.Stderr = &stderr
		err := command.Run()
		if code := command.ProcessState.ExitCode(); code != test.code {
			t.Errorf("%v: exit code %d (%v), want %d", test.args, code, err, test.code)
		}
		if diff := cmp.Diff(test.stderr, stderr.String()); diff != "" {
			t.Errorf("%v: stderr (-want +got):\n%s", test.args, diff)
		}
	}
}

// process starts the binary with these variables and no other of AWS's.
func process(t *testing.T, variables []string, args ...string) (command *exec.Cmd, stdout, stderr *output) {
	t.Helper()
	command = exec.Command(build(t), args...)
	command.Env = append([]string{"HOME=" + t.TempDir()}, variables...)
	stdout, stderr = &output{}, &output{}
	command.Stdout, command.Stderr = stdout, stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	return command, stdout, stderr
}

func wantExit(t *testing.T, command *exec.Cmd, with os.Signal) {
	t.Helper()
	if err := command.Process.Signal(with); err != nil {
		t.Fatal(err)
	}
	alarm := time.AfterFunc(patience, func() { command.Process.Kill() })
	defer alarm.Stop()
	if err := command.Wait(); err != nil {
		t.Errorf("after %v: %v", with, err)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			command, stdout, stderr := process(t, nil, "-local", "-listen", "127.0.0.1:0")
			url := stdout.waitFor(t, `^ecr-api listens on (\S+)\n(?s:.*)Ctrl-C ends both.\n$`)
			wantExit(t, command, signal)
			if !strings.Contains(stderr.String(), "stopping") {
				t.Errorf("its log does not say so: %s", stderr)
			}
			if answer, err := client.Get(url); err == nil {
				answer.Body.Close()
				t.Error("it answers still")
			}
		})
	}
}

// Load balancers get time to notice before the listener closes.
func TestShutdownDelay(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := start(t, strings.Replace(configuration(url, "127.0.0.1:0"), "{", `{"shutdownDelay": "1500ms", `, 1))
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
	nobodyAt(t, p.address())
}

func waitForStatus(t *testing.T, url string, want int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		status, body := get(t, url, "")
		if status == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %d %q, want %d", url, status, body, want)
		}
	}
}

func TestProfiler(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	p := start(t, strings.Replace(configuration(url, "127.0.0.1:0"), "{", `{"pprofAddress": "127.0.0.1:0", `, 1))
	profiler := p.stderr.waitFor(t, `"msg":"profiling".*"url":"(.*?)"`)
	if status, body := get(t, profiler+"goroutine?debug=1", ""); status != http.StatusOK || !strings.Contains(body, "goroutine profile:") {
		t.Errorf("profile: %d %q", status, body)
	}
	if status, _ := get(t, "http://"+p.address()+"/debug/pprof/", token(t)); status != http.StatusNotFound {
		t.Errorf("the service itself serves profiles: %d", status)
	}
	p.stop()
	p.wantEnd()
}

// A second signal waits for nothing.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	env := strings.Replace(configuration(url, "127.0.0.1:0"), "{", `{"shutdownDelay": "5m", `, 1)
	command, _, stderr := process(t, []string{"API_CONFIG=" + env})
	stderr.waitFor(t, listening)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stderr.waitFor(t, `"msg":"stopping: `)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended as if all was well")
		}
	case <-time.After(patience):
		t.Error("it goes on")
	}
}

// Without akid and secret the SDK finds credentials itself.
func TestCredentialsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 10)
	_, url := newAWS(t, func(c localaws.Call) {
		if c.Operation == "AssumeRole" {
			keys <- c.AccessKey
		}
	})
	c := strings.Replace(configuration(url, "127.0.0.1:0"), fmt.Sprintf(`"akid": "AKID", "secret": %q, `, secretKey), "", 1)
	command, _, stderr := process(t, []string{"API_CONFIG=" + c, "AWS_ACCESS_KEY_ID=AKIDOFTHEENVIRONMENT", "AWS_SECRET_ACCESS_KEY=hush"})
	address := stderr.waitFor(t, listening)
	status, body := get(t, "http://"+address+"/v1/ecr/012345678901/repositories", token(t))
	if status != http.StatusOK || body != "[]\n" {
		t.Fatalf("answer %d %q", status, body)
	}
	if key := <-keys; key != "AKIDOFTHEENVIRONMENT" {
		t.Errorf("it calls AWS as %s", key)
	}
	wantExit(t, command, os.Interrupt)
}

// The session of the README works as printed.
func TestReadmeSession(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl to run the README's session with")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, session, _ := strings.Cut(string(readme), "<!-- session -->\n```console\n")
	session, _, ok := strings.Cut(session, "```")
	if !ok {
		t.Fatal("the README has no session")
	}
	p := start(t, "", "-local", "-listen", "127.0.0.1:0")
	p.stdout.waitFor(t, `Ctrl-C ends both`)
	environment := os.Environ()
	through := checked(t, p.address())
	for name, value := range exports(t, p.stdout.String()) {
		if name == "API" {
			value = strings.Replace(value, p.address(), through, 1)
		}
		environment = append(environment, name+"="+value)
	}
	steps := strings.Split(session, "$ curl ")[1:]
	if len(steps) < 6 {
		t.Fatalf("only %d steps in the README's session", len(steps))
	}
	for _, step := range steps {
		line, want, _ := strings.Cut(step, "\n")
		command := exec.Command("sh", "-c", "curl "+line)
		command.Env = environment
		got, err := command.Output()
		if err != nil {
			t.Errorf("curl %s: %v", line, err)
		}
		if diff := cmp.Diff(normalized(want), normalized(string(got))); diff != "" {
			t.Errorf("curl %s (-README +now):\n%s", line, diff)
		}
	}
}

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
		hash, err := bcrypt.GenerateFromPassword([]byte(key), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := get(t, list, string(hash)); status != want {
			t.Errorf("%s: the key %q: status %d, want %d: %s", when, key, status, want, body)
		}
	}
	hangup := func(logged string) {
		t.Helper()
		if err := command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		stderr.waitFor(t, logged)
	}
	want("at first", preShared, 200)
	want("at first", "the next", 403)

	write(strings.Replace(first, fmt.Sprintf("%q", preShared), fmt.Sprintf(`{"next": "the next", "old": %q}`, preShared), 1))
	hangup(`"keys":2,"level":"info","msg":"configuration read again"`)
	want("with both keys", preShared, 200)
	want("with both keys", "the next", 200)

	write(`{"token": "` + secretKey)
	hangup("the configuration is broken: nothing changes")
	want("after a broken file", preShared, 200)

	write(strings.Replace(first, fmt.Sprintf("%q", preShared), `{"next": "the next"}`, 1))
	hangup(`"keys":1,"level":"info","msg":"configuration read again"`)
	want("the old key is gone", preShared, 403)
	want("the old key is gone", "the next", 200)

	write(strings.Replace(strings.Replace(first, preShared, "the next", 1), `"role": "ecr-api"`, `"role": "another"`, 1))
	hangup(`"needRestart":\["account"\]`)
	if log := stderr.String(); strings.Contains(log, secretKey) || strings.Contains(log, preShared) || strings.Contains(log, "the next") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
	wantExit(t, command, os.Interrupt)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	issuer := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1 in the standard library
	t.Cleanup(issuer.Close)
	pair := issuer.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	for file, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secured := strings.Replace(configuration("http://127.0.0.1:1", "127.0.0.1:0"), "{", fmt.Sprintf(`{"tlsCertificate": %q, "tlsKey": %q, `, certificate, key), 1)
	p := start(t, secured)
	url := p.stderr.waitFor(t, `"url":"(https://[^"]+)"`)
	answer, err := issuer.Client().Get(url + "/v1/ecr/ping")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := document().Check(answer); err != nil {
		t.Error(err)
	}
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "pong" {
		t.Errorf("ping by TLS: %q, %v", body, err)
	}
	if answer.TLS == nil || answer.TLS.Version < tls.VersionTLS12 {
		t.Errorf("TLS %+v", answer.TLS)
	}
	if plain, err := client.Get(strings.Replace(url, "https", "http", 1) + "/v1/ecr/ping"); err == nil {
		plain.Body.Close()
		if plain.StatusCode != http.StatusBadRequest {
			t.Errorf("ping without TLS: %s", plain.Status)
		}
	}
	p.stop()
	p.wantEnd()

	missing := strings.Replace(secured, "tls.key", "none.key", 1)
	p = start(t, missing)
	select {
	case err := <-p.ended:
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a key that is not there: %v", err)
		}
	case <-time.After(patience):
		t.Error("it started without its key")
	}
}

// -healthcheck asks where the service of that configuration listens.
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
		if code, stderr := exitOf(t, variable, args...); code != 0 || stderr != "" {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
		healthy.Store(false)
		want := "ecr-api: not healthy: " + service.URL + "/v1/ecr/ready answered 503 Service Unavailable\n"
		if code, stderr := exitOf(t, variable, args...); code != 1 || stderr != want {
			t.Errorf("%v: exit code %d, %q, want 1, %q", args, code, stderr, want)
		}
	}
}

// exitOf runs the binary to its end.
func exitOf(t *testing.T, variable string, args ...string) (code int, stderr string) {
	t.Helper()
	command, _, output := process(t, []string{variable}, args...)
	command.Wait()
	return command.ProcessState.ExitCode(), output.String()
}

// No client can hold a connection for minutes, or send headers without end.
func TestLimitsOfTheServer(t *testing.T) {
	t.Parallel()
	s := newHTTPServer(http.NotFoundHandler(), newLogger("error", io.Discard))
	for name, limit := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "body": s.ReadTimeout, "answer": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if limit <= 0 || limit > 2*time.Minute {
			t.Errorf("the %s may take %s", name, limit)
		}
	}
	if s.MaxHeaderBytes != 16<<10 {
		t.Errorf("headers of %d bytes, want 16 KiB", s.MaxHeaderBytes)
	}
	_, url := newAWS(t, nil)
	p := start(t, configuration(url, "127.0.0.1:0"))
	address := p.address()
	for name, test := range map[string]struct{ request, want string }{
		"headers without end": {"GET /v1/ecr/ping HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
		"half a header":       {"GET /v1/ecr/ping HTTP/1.1\r\nHost", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connection, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			io.WriteString(connection, test.request) // it may be cut off
			answer, err := io.ReadAll(connection)
			cutOff := err != nil && len(answer) == 0 // before it could read what it was told
			if !cutOff && !strings.HasPrefix(string(answer), test.want) {
				t.Errorf("answer %q, %v; want %s", answer, err, test.want)
			}
		})
	}
}

// wantFault puts the AWS under a fault and takes it away, and the service's answer to list follows.
func wantFault(t *testing.T, list, put, takeAway *http.Request) {
	t.Helper()
	for i, step := range []struct {
		request *http.Request
		status  int
	}{
		{list, http.StatusOK},
		{put, http.StatusCreated},
		{list, http.StatusInternalServerError},
		{takeAway, http.StatusNoContent},
		{list, http.StatusOK},
	} {
		if status, body := do(t, step.request); status != step.status {
			t.Errorf("step %d: %s %s: status %d, want %d: %s", i, step.request.Method, step.request.URL, status, step.status, body)
		}
	}
}

// The local AWS takes the README's lines about faults.
func TestReadmeFaults(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("docs/local-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "<!-- faults -->\n```sh\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("docs/local-aws.md has no faults")
	}
	_, url := newAWS(t, nil)
	indented := "  " + strings.ReplaceAll(block, "\n", "\n  ") // as in the banner
	requests := curls(t, indented, map[string]string{"AWS_ENDPOINT_URL": url})
	if len(requests) != 10 {
		t.Fatalf("%d curl lines, want seven faults, the list, and the end of one and of all:\n%s", len(requests), block)
	}
	for i, r := range requests {
		want := http.StatusCreated
		switch {
		case r.Method == http.MethodGet:
			want = http.StatusOK
		case r.Method == http.MethodDelete:
			want = http.StatusNoContent
		}
		if status, body := do(t, r); status != want {
			t.Errorf("line %d: %s %s: status %d, want %d: %s", i+1, r.Method, r.URL, status, want, body)
		}
	}
}
