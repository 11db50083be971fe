package program

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// TestLayersAreRemoved shows that the files of pushed layers are gone when the
// program ends.
func TestLayersAreRemoved(t *testing.T) {
	t.Parallel()
	t.Run("-local-aws", func(t *testing.T) {
		t.Parallel()
		directory := t.TempDir()
		command, stdout, _ := process(t, []string{"TMPDIR=" + directory}, "-local-aws", "127.0.0.1:0")
		pushLayer(t, stdout.waitFor(t, `a local AWS listens on (\S+)\n`))
		waitForEntries(t, directory, 1)
		wantExit(t, command, os.Interrupt)
		waitForEntries(t, directory, 0)
	})
	// The files of -local go with the first signal, because the second one may
	// end the process at once.
	t.Run("-local", func(t *testing.T) {
		t.Parallel()
		directory := t.TempDir()
		command, stdout, _ := process(t, []string{"TMPDIR=" + directory}, "-local", "-listen", "127.0.0.1:0")
		stdout.waitFor(t, "Ctrl-C ends both.\n$")
		variables := exports(t, stdout.String())
		pushLayer(t, variables["AWS_ENDPOINT_URL"])
		waitForEntries(t, directory, 1)
		stallRequest(t, variables)
		send(t, command, syscall.SIGTERM)
		waitForEntries(t, directory, 0)
		send(t, command, syscall.SIGTERM)
		_ = command.Wait() // it does not exit with 0
	})
}

// TestTerminalGoes shows that the local AWS ends when its terminal goes, alone and
// with the service. Several signals come then.
func TestTerminalGoes(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-local-aws", "127.0.0.1:0"}, {"-local", "-local-aws", "127.0.0.1:0", "-listen", "127.0.0.1:0"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			command, stdout, stderr := process(t, []string{"TMPDIR=" + directory}, args...)
			pushLayer(t, stdout.waitFor(t, `local AWS listens on (http://[0-9.]+:[0-9]+)[.\n]`))
			waitForEntries(t, directory, 1)
			send(t, command, syscall.SIGHUP)
			wantExit(t, command, syscall.SIGHUP)
			waitForEntries(t, directory, 0)
			if strings.Contains(stderr.String(), "read again") {
				t.Errorf("it wants to read a configuration: %s", stderr)
			}
		})
	}
}

// A local AWS that nohup runs goes on when its terminal goes.
func TestNohup(t *testing.T) {
	t.Parallel()
	command := exec.Command("sh", "-c", `trap "" HUP && exec "$0" "$@"`, build(t), "-local-aws", "127.0.0.1:0")
	stdout := &output{}
	command.Stdout = stdout
	if err := command.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { command.Process.Kill() })
	url := stdout.waitFor(t, `a local AWS listens on (\S+)\n`)
	send(t, command, syscall.SIGHUP)
	for range 100 {
		wantStatus(t, http.StatusOK, url+"/faults", "")
	}
	wantExit(t, command, syscall.SIGTERM)
}

// TestLayersOfKilledProgram shows that the files of a program that was killed go
// when another one needs a directory. Those of a program that runs stay.
func TestLayersOfKilledProgram(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	begin := func() *exec.Cmd {
		t.Helper()
		command, stdout, _ := process(t, []string{"TMPDIR=" + directory}, "-local-aws", "127.0.0.1:0")
		pushLayer(t, stdout.waitFor(t, `a local AWS listens on (\S+)\n`))
		return command
	}
	killed, other := begin(), begin()
	waitForEntries(t, directory, 2)
	send(t, killed, syscall.SIGKILL)
	_ = killed.Wait() // it does not exit with 0
	waitForEntries(t, directory, 2)
	last := begin()
	waitForEntries(t, directory, 2)
	wantExit(t, other, os.Interrupt)
	wantExit(t, last, os.Interrupt)
	waitForEntries(t, directory, 0)
}

// stallRequest sends a request to the service that does not end soon.
func stallRequest(t *testing.T, variables map[string]string) {
	t.Helper()
	faults := variables["AWS_ENDPOINT_URL"] + "/faults"
	answer, err := client.Post(faults, "application/json", strings.NewReader(`{"operation": "ecr:DescribeRepositories", "delay": "1h"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	r, err := http.NewRequest(http.MethodGet, variables["API"], http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", variables["TOKEN"])
	go func() {
		if answer, err := client.Do(r); err == nil {
			answer.Body.Close()
			t.Errorf("the request ended with %d", answer.StatusCode)
		}
	}()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, body := get(t, faults, "")
		if strings.Contains(body, `"hits":1`) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the request does not stall: %s", body)
		}
	}
}

// pushLayer uploads a layer.
func pushLayer(t *testing.T, url string) {
	t.Helper()
	c, name := ecr.New(newSession(t, url, "any", "any", "us-east-1")), aws.String("layers")
	if _, err := c.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: name}); err != nil {
		t.Fatal(err)
	}
	upload, err := c.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RepositoryName: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadLayerPart(&ecr.UploadLayerPartInput{RepositoryName: name, UploadId: upload.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(0), LayerPartBlob: []byte("a")}); err != nil {
		t.Fatal(err)
	}
}

// waitForEntries waits until the directory has so many entries.
func waitForEntries(t *testing.T, directory string, want int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		entries, err := os.ReadDir(directory)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d entries, want %d", len(entries), want)
		}
	}
}
