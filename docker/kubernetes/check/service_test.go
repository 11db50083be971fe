package check

import (
	"bufio"
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build builds the program from this repository and returns its path.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ecr-api")
	command := exec.Command("go", "build", "-o", program, ".")
	command.Dir = root
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return program
}

// start runs the program with the example's Secret, as the pod does, but on
// loopback. It returns the program's URL.
func start(t *testing.T, program string, example *objects) string {
	t.Helper()
	key := example.container().Env[0].ValueFrom.SecretKeyRef.Key
	command := exec.Command(program, append(example.container().Args, "-listen", "127.0.0.1:0")...)
	command.Env = []string{"API_CONFIG=" + string(example.secret.Data[key])}
	command.Dir = t.TempDir()
	log, err := command.StderrPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	return listensOn(t, bufio.NewScanner(log))
}

// listensOn finds the URL in the log. It goes on reading the log, so that the
// program can always write.
func listensOn(t *testing.T, log *bufio.Scanner) string {
	t.Helper()
	var said strings.Builder
	for log.Scan() {
		var line struct{ URL string }
		if stdjson.Unmarshal(log.Bytes(), &line) == nil && line.URL != "" {
			go func() {
				for log.Scan() {
				}
			}()
			return line.URL
		}
		fmt.Fprintln(&said, log.Text())
	}
	t.Fatalf("the program did not start with the example's configuration:\n%s", said.String())
	return ""
}

// The program has the paths and the flag that Kubernetes, Prometheus and ECS
// use.
func TestProgram(t *testing.T) {
	t.Parallel()
	program := build(t)
	t.Run("answers anybody", func(t *testing.T) { answers(t, program) })
	t.Run("checks its health", func(t *testing.T) { checksHealth(t, program) })
}

func answers(t *testing.T, program string) {
	example := decodeAll(t, render(t, "../example"))
	url := start(t, program, example)
	for path, want := range map[string]int{
		example.container().LivenessProbe.HTTPGet.Path:  http.StatusOK,
		example.container().ReadinessProbe.HTTPGet.Path: http.StatusOK,
		example.monitor.Spec.Endpoints[0].Path:          http.StatusOK,
		"/v1/ecr/no-such-path":                          http.StatusForbidden,
	} {
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("GET %s: %s, want %d", path, answer.Status, want)
		}
	}
}

func checksHealth(t *testing.T, program string) {
	task, err := decodeTask([]byte(read(t, root+"/docker/ecs/task-definition.json")))
	if err != nil {
		t.Fatal(err)
	}
	flag := *task.ContainerDefinitions[0].HealthCheck.Command[2]
	usage, _ := exec.Command(program, "-help").CombinedOutput()
	if !strings.Contains(string(usage), "\n  "+flag+"\n") {
		t.Errorf("the program has no %s:\n%s", flag, usage)
	}
}
