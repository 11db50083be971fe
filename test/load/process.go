package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// process is a program that listens, and the request that is sent to it.
type process struct {
	name    string
	command *exec.Cmd
	started time.Time
	url     string // where it listens
	path    string // of the request; the bare programs have only one request
	token   string // empty for the bare programs
}

var address = regexp.MustCompile(`http://[0-9.]+:[0-9]+`)

// start starts a program and waits until it prints where it listens.
func start(name string, command *exec.Cmd) (*process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	command.Stdout, command.Stderr = writer, writer
	started := time.Now()
	if err := command.Start(); err != nil {
		return nil, err
	}
	writer.Close()
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		if url := address.FindString(lines.Text()); url != "" {
			go io.Copy(io.Discard, reader)
			return &process{name: name, command: command, started: started, url: url}, nil
		}
	}
	command.Process.Kill()
	return nil, errors.Join(errors.New(name+" did not start"), command.Wait())
}

func (p *process) stop() {
	p.command.Process.Kill()
	p.command.Wait()
}

// startPrograms starts the service and the two bare programs. self is the path
// of load's own binary.
func startPrograms(self, service, awsURL string) ([]*process, error) {
	api, err := startService(service, awsURL)
	if err != nil {
		return nil, err
	}
	sdk, err := start("bare SDK", exec.Command(self, "-run", "sdk", "-aws", awsURL))
	if err != nil {
		return nil, err
	}
	bare, err := start("bare HTTP", exec.Command(self, "-run", "http", "-aws", awsURL))
	if err != nil {
		return nil, err
	}
	return []*process{api, sdk, bare}, nil
}

func startService(service, awsURL string) (*process, error) {
	token, err := common.Key{Secret: key}.NewToken()
	if err != nil {
		return nil, err
	}
	command := exec.Command(service)
	command.Env = append(os.Environ(), "API_CONFIG="+fmt.Sprintf(`{"listenAddress": "127.0.0.1:0", "token": %q, "org": %q, "account": {
		"region": %q, "akid": "AKIDLOCAL", "secret": "local", "externalId": "local", "role": "ecr-api", "endpoint": %q}}`, key, org, region, awsURL))
	p, err := start("ecr-api", command)
	if err != nil {
		return nil, err
	}
	p.path, p.token = "/v1/ecr/"+account+"/repositories/"+repository, token
	return p, nil
}

// printStart prints how long the service takes to start, its memory when idle,
// and the size of its binary.
func printStart(service string) error {
	p, err := startService(service, "http://127.0.0.1:1")
	if err != nil {
		return err
	}
	defer p.stop()
	response, err := http.Get(p.url + "/v1/ecr/ping")
	if err != nil {
		return err
	}
	response.Body.Close()
	ready := time.Since(p.started)
	time.Sleep(time.Second)
	binary, err := os.Stat(service)
	if err != nil {
		return err
	}
	fmt.Printf("start to first answer %s, idle resident %.1f MiB, binary %.1f MiB\n\n",
		ready.Round(time.Millisecond), p.residentMiB(), float64(binary.Size())/(1<<20))
	return nil
}

// residentMiB returns the resident size. It is 0 on systems other than Linux.
func (p *process) residentMiB() float64 { return p.status("VmRSS:") }

// peakMiB returns the highest resident size so far. It is 0 on systems other
// than Linux.
func (p *process) peakMiB() float64 { return p.status("VmHWM:") }

// status returns a size from the file that Linux has for each process, in MiB.
func (p *process) status(field string) float64 {
	status, _ := os.ReadFile(p.proc("status"))
	_, rest, _ := strings.Cut(string(status), field)
	kib, _ := strconv.ParseFloat(strings.Fields(rest + " 0")[0], 64)
	return kib / 1024
}

// cpu returns the processor time so far. It is 0 on systems other than Linux.
func (p *process) cpu() time.Duration {
	stat, _ := os.ReadFile(p.proc("stat"))
	_, rest, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // Linux counts in hundredths of a second
}

func (p *process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), file)
}
