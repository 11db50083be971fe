package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/test/docker"
)

// craneAsDocker is a command "docker" that knows what the printed lines need of
// docker, and has crane do it. So the lines can be tried where no docker daemon
// runs.
const craneAsDocker = `#!/bin/sh
set -e
command=$1
shift
while [ "$1" = -q ]; do shift; done
case $command in
login)
	crane auth login "$@" 2>/dev/null
	echo Login Succeeded ;;
import) # - IMAGE
	cat >"$HOME/layer.tar"
	echo "sha256:$(sha256sum "$HOME/layer.tar" | cut -d ' ' -f 1)" ;;
push)
	crane append --new_layer "$HOME/layer.tar" --new_tag "$1" >/dev/null 2>&1
	echo "$1" ;;
pull)
	crane pull "$1" "$HOME/pulled.tar" >/dev/null
	echo "$1" ;;
images) ;; # it keeps none
*)
	echo "this docker does not know $command" >&2
	exit 1 ;;
esac
`

// forEachDocker runs a test with docker, and with crane as docker. Each is
// skipped if it is not at hand. The environment is for the commands of the test.
func forEachDocker(t *testing.T, test func(t *testing.T, environment []string)) {
	t.Helper()
	t.Run("docker", func(t *testing.T) {
		t.Parallel()
		wantPrograms(t, "curl", "jq")
		if missing := docker.Missing(); missing != "" {
			t.Skip(missing)
		}
		test(t, newHome(t, os.Getenv("PATH")))
	})
	t.Run("crane", func(t *testing.T) {
		t.Parallel()
		wantPrograms(t, "curl", "jq", "crane")
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "docker"), []byte(craneAsDocker), 0o755); err != nil {
			t.Fatal(err)
		}
		test(t, newHome(t, folder+":"+os.Getenv("PATH")))
	})
}

// wantPrograms skips the test unless all of these programs are there.
func wantPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("there is no %s", name)
		}
	}
}

// newHome returns the environment of this process with another PATH and an empty
// HOME, so that a login changes none of the user's files.
func newHome(t *testing.T, path string) []string {
	t.Helper()
	home := t.TempDir()
	return append(os.Environ(), "PATH="+path, "HOME="+home, "DOCKER_CONFIG="+home)
}

// runLines runs the lines in one shell, in the folder of the README. It returns
// what each of them prints to standard output.
func runLines(t *testing.T, environment, lines []string) (printed []string) {
	t.Helper()
	const end = "=== the end of a line"
	command := exec.Command("sh", "-ec", strings.Join(lines, "\necho '"+end+"'\n"))
	command.Dir, command.Env = filepath.Dir(sessionFile), environment
	var errors strings.Builder
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		t.Errorf("the shell ended with %v", err)
	}
	for text := range strings.SplitSeq(string(out), end+"\n") {
		printed = append(printed, strings.TrimSpace(text))
	}
	if len(printed) != len(lines) {
		t.Fatalf("%d lines printed %q", len(lines), printed)
	}
	if t.Failed() {
		t.Log(errors.String())
	}
	return printed
}

// forgetImages removes the images of a registry from docker.
func forgetImages(t *testing.T, environment []string, host string) {
	t.Helper()
	command := exec.Command("sh", "-c", `docker images --format '{{.Repository}}:{{.Tag}}' | grep "^$REGISTRY/" | xargs -r docker rmi`)
	command.Env = slices.Concat(environment, []string{"REGISTRY=" + host})
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("docker rmi: %v: %s", err, out)
	}
}

// The lines for docker in the banner of -local work as printed.
func TestLocalDocker(t *testing.T) {
	t.Parallel()
	forEachDocker(t, func(t *testing.T, environment []string) {
		p := start(t, "", "-local", "-listen", "127.0.0.1:0")
		p.stdout.waitFor(t, `Ctrl-C ends both`)
		banner := p.stdout.String()
		variables := exports(t, banner)
		for name, value := range variables {
			environment = append(environment, name+"="+value)
		}
		defer forgetImages(t, environment, variables["REGISTRY"])
		lines := dockerLines(banner)
		if len(lines) != 3 {
			t.Fatalf("%d lines with docker, want 3 (log in, pull, log in):\n%s", len(lines), banner)
		}
		if !hasLocalCommandLine(environment) {
			lines = lines[:2]
		}
		for i, printed := range runLines(t, environment, lines) {
			if strings.Contains(lines[i], "docker login") && printed != "Login Succeeded" {
				t.Errorf("%s\nprinted %s", lines[i], printed)
			}
		}
	})
}

// dockerLines returns the lines of the banner with docker.
func dockerLines(banner string) (lines []string) {
	for line := range strings.Lines(banner) {
		if strings.HasPrefix(line, "  ") && strings.Contains(line, "docker ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// hasLocalCommandLine tells whether the AWS command line is there and calls the
// local AWS. Versions before 2.13 do not know AWS_ENDPOINT_URL.
func hasLocalCommandLine(environment []string) bool {
	command := exec.Command("aws", "sts", "get-caller-identity")
	command.Env = slices.Concat(environment, []string{"AWS_MAX_ATTEMPTS=1"})
	return command.Run() == nil
}
