package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

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

// cpu returns the processor time so far, to the nanosecond. It is 0 on systems
// other than Linux. Go ends no thread of these programs, so no thread's time is
// missing.
func (p *process) cpu() (total time.Duration) {
	files, _ := filepath.Glob(p.proc("task/*/schedstat"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		nanoseconds, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.Atoi(nanoseconds)
		total += time.Duration(n)
	}
	return total
}

func (p *process) proc(file string) string {
	return filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), file)
}

// allocations returns how many objects the program has allocated so far.
func (p *process) allocations() (float64, error) {
	response, err := http.Get(p.url + metricsPath)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), mallocs+" "); ok {
			io.Copy(io.Discard, response.Body)
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s has no metric %s", p.name, mallocs)
}

// measureOwnAllocations notes what it costs the program to answer allocations.
func (p *process) measureOwnAllocations() error {
	before, err := p.allocations()
	if err != nil {
		return err
	}
	after, err := p.allocations()
	p.ownAllocs = after - before
	return err
}

// countCalls returns how many calls the local AWS has had so far.
func countCalls(aws *process) (int, error) {
	response, err := http.Get(aws.url + callsPath)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// A use is what was used up to a moment.
type use struct {
	at          time.Time
	calls       int // of AWS
	cpu         time.Duration
	allocations float64
}

// startUse and endUse return the use so far. They differ in their order, so
// that no processor time is counted for the questions themselves.
func startUse(p, aws *process) (u use, err error) {
	if u.calls, err = countCalls(aws); err != nil {
		return u, err
	}
	if u.allocations, err = p.allocations(); err != nil {
		return u, err
	}
	u.cpu, u.at = p.cpu(), time.Now()
	return u, nil
}

func endUse(p, aws *process) (u use, err error) {
	u.cpu, u.at = p.cpu(), time.Now()
	if u.allocations, err = p.allocations(); err != nil {
		return u, err
	}
	u.calls, err = countCalls(aws)
	return u, err
}
