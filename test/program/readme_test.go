package program

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files whose commands these tests run.
const (
	sessionFile  = "../../README.md"
	localAWSFile = "../../docs/local-aws.md"
	imagesFile   = "../../docs/images.md"
	rulesFile    = "../../docs/rules.md"
	usersFile    = "../../docs/users.md"
)

// The session in the README works as printed, with docker or with crane instead.
// Without both, it works without the lines that need docker.
func TestReadmeSession(t *testing.T) {
	t.Parallel()
	steps := stepsIn(block(t, sessionFile, "<!-- session -->\n```console\n"))
	if len(steps) < 10 {
		t.Fatalf("only %d steps in the session of %s", len(steps), sessionFile)
	}
	forEachDocker(t, func(t *testing.T, environment []string) {
		variables := runSession(t, environment, steps)
		forgetImages(t, environment, variables["REGISTRY"])
	})
	t.Run("neither", func(t *testing.T) {
		t.Parallel()
		wantPrograms(t, "curl")
		var rest []step
		for _, s := range steps {
			if s.listsImages() {
				s.prints = "[]" // nothing was pushed
			}
			if !s.needsDocker() {
				rest = append(rest, s)
			}
		}
		runSession(t, newHome(t, os.Getenv("PATH")), rest)
	})
}

// step is a line of the session and what it prints.
type step struct{ line, prints string }

func (s step) listsImages() bool { return strings.HasSuffix(s.line, "/images") }
func (s step) needsDocker() bool { return strings.Contains(s.line, "docker ") }

// stepsIn returns the steps in a text: lines that begin with "$ ", each with what
// it prints.
func stepsIn(text string) (steps []step) {
	for _, s := range strings.Split("\n"+text, "\n$ ")[1:] {
		line, prints, _ := strings.Cut(s, "\n")
		steps = append(steps, step{line, strings.TrimSpace(prints)})
	}
	return steps
}

// The recipes about images work as printed.
func TestImageRecipes(t *testing.T) {
	t.Parallel()
	runRecipes(t, imagesFile, 15)
}

// The recipes about the rules of a repository work as printed.
func TestRuleRecipes(t *testing.T) {
	t.Parallel()
	wantPrograms(t, "aws")
	runRecipes(t, rulesFile, 20)
}

// The recipes about users work as printed.
func TestUserRecipes(t *testing.T) {
	t.Parallel()
	wantPrograms(t, "aws")
	runRecipes(t, usersFile, 20)
}

// runRecipes runs all recipes of a page, which has at least so many steps.
func runRecipes(t *testing.T, file string, least int) {
	t.Helper()
	wantPrograms(t, "curl", "jq")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for _, rest := range strings.Split(string(text), "```console\n")[1:] {
		recipe, _, _ := strings.Cut(rest, "```")
		steps = append(steps, stepsIn(recipe)...)
	}
	if len(steps) < least {
		t.Fatalf("only %d steps in %s", len(steps), file)
	}
	runSession(t, newHome(t, os.Getenv("PATH")), steps)
}

// runSession runs the steps against -local, and returns the variables that the
// banner sets.
func runSession(t *testing.T, environment []string, steps []step) (variables map[string]string) {
	t.Helper()
	p := start(t, "", "-local", "-listen", "127.0.0.1:0")
	p.stdout.waitFor(t, `Ctrl-C ends both`)
	variables = exports(t, p.stdout.String())
	proxy := checkingProxy(t, p.address())
	for name, value := range variables {
		if name == "API" {
			value = strings.Replace(value, p.address(), proxy, 1)
		}
		environment = append(environment, name+"="+value)
	}
	var lines []string
	for _, s := range steps {
		lines = append(lines, s.line)
	}
	for i, got := range runLines(t, environment, lines) {
		if diff := cmp.Diff(likeEveryRun(steps[i].prints), likeEveryRun(got)); diff != "" {
			t.Errorf("%s (-printed +now):\n%s", lines[i], diff)
		}
	}
	return variables
}

var (
	ports      = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	imageSizes = regexp.MustCompile(`"ImageSizeInBytes":[0-9]+`)
	// The next two depend on how docker keeps images.
	manifestTypes = regexp.MustCompile(`"application/vnd\.(docker\.distribution\.manifest\.v2|oci\.image\.manifest\.v1)\+json"`)
	imageTypes    = regexp.MustCompile(`"application/vnd\.(docker\.container\.image|oci\.image\.config)\.v1\+json"`)
)

// likeEveryRun replaces what is different in each run, or with another docker.
func likeEveryRun(printed string) string {
	printed = ports.ReplaceAllString(normalized(printed), "HOST")
	printed = imageSizes.ReplaceAllString(printed, `"ImageSizeInBytes":SIZE`)
	printed = manifestTypes.ReplaceAllString(printed, `"MANIFEST"`)
	return imageTypes.ReplaceAllString(printed, `"IMAGE"`)
}

// The local AWS accepts the commands about faults.
func TestReadmeFaults(t *testing.T) {
	t.Parallel()
	commands := block(t, localAWSFile, "<!-- faults -->\n```sh\n")
	_, url := newAWS(t, nil)
	indented := "  " + strings.ReplaceAll(commands, "\n", "\n  ") // as in the banner
	variables := exports(t, indented)
	variables["AWS_ENDPOINT_URL"] = url
	requests := curls(t, indented, variables)
	if len(requests) != 12 {
		t.Fatalf("%d curl lines, want 12 (add nine faults, list them, remove one, remove all):\n%s", len(requests), commands)
	}
	for i, r := range requests {
		want := http.StatusCreated
		switch r.Method {
		case http.MethodGet:
			want = http.StatusOK
		case http.MethodDelete:
			want = http.StatusNoContent
		}
		if status, body := do(t, r); status != want {
			t.Errorf("line %d: %s %s: status %d, want %d: %s", i+1, r.Method, r.URL, status, want, body)
		}
	}
}

// The commands for the other account work as printed, in the banner and in
// docs.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	banner, run := startForAWS(t)
	var lines strings.Builder // of the banner
	for line := range strings.Lines(banner) {
		if strings.HasPrefix(line, "  other") {
			lines.WriteString(line)
		}
	}
	for name, script := range map[string]string{
		"spindev-00001/welcome": lines.String(),
		"spindev-00001/hello":   block(t, localAWSFile, "<!-- other account -->\n```sh\n"),
	} {
		got, err := run(script + `other aws ecr describe-repositories --repository-names ` + name + ` --query 'repositories[].repositoryArn' --output text`)
		if want := "arn:aws:ecr:us-east-1:210987654321:repository/" + name + "\n"; err != nil || !strings.HasSuffix(got, "\n"+want) {
			t.Errorf("%s\n%v:\n%s\nwant at the end %s", script, err, got, want)
		}
	}
}

// startForAWS starts the program, and returns its banner and what runs a script
// of the AWS command line against the local AWS. Without the command line, the
// test is skipped.
func startForAWS(t *testing.T) (banner string, run func(script string) (printed string, err error)) {
	t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the commands cannot be run without the AWS command line")
	}
	p := start(t, "", "-local", "-listen", "127.0.0.1:0")
	p.stdout.waitFor(t, `Ctrl-C ends both`)
	banner = p.stdout.String()
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_PAGER="}
	for name, value := range exports(t, banner) {
		environment = append(environment, name+"="+value)
	}
	return banner, func(script string) (string, error) {
		command := exec.Command("sh", "-ec", script)
		command.Env = environment
		printed, err := command.CombinedOutput()
		return string(printed), err
	}
}

// The commands about scans, archived images, lifecycle policies and users work as
// printed in docs.
func TestCommandsAboutImagesAndUsers(t *testing.T) {
	t.Parallel()
	_, run := startForAWS(t)
	for begin, want := range map[string]string{
		"scans":     `"scanFrequency": "CONTINUOUS_SCAN"`,
		"archive":   `"imageStatus": "ACTIVATING"`,
		"lifecycle": `"expiringImageTotalCount": 1`,
		"users":     `"Arn": "arn:aws:iam::012345678901:user/team/builder"`,
	} {
		script := block(t, localAWSFile, "<!-- "+begin+" -->\n```sh\n")
		if printed, err := run(script); err != nil || !strings.Contains(printed, want) {
			t.Errorf("%s\n%v:\n%s\nwant %s in it", script, err, printed, want)
		}
	}
}

// block returns the code block after begin in a file.
func block(t *testing.T, file, begin string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), begin)
	content, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatalf("%s has no block that begins with %q", file, begin)
	}
	return content
}

// checkingProxy starts a proxy that passes requests on to the service. The test
// fails if an answer does not agree with the OpenAPI document.
func checkingProxy(t *testing.T, service string) (address string) {
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
