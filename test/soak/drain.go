package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	drainConnections = 64
	drainGroup       = "drain"
)

// drainTimes starts a service, sends it many quick requests and stops it
// meanwhile, several times. AWS has no faults and no caller hangs up. Every
// request that the service has read must get an answer.
func drainTimes(ctx context.Context, binary string, times int, out io.Writer) (*report, error) {
	r := newReport(out)
	requests, unread := 0, 0
	for range times {
		d, err := newDrain(binary, r)
		if err != nil {
			return r, err
		}
		err = d.run(ctx)
		d.aws.Close()
		if err != nil {
			return r, err
		}
		sent, lost := d.compareWithLog()
		requests, unread = requests+sent, unread+lost
	}
	r.printf("\nSIGTERM under load, %d times: %d requests, %d of them not read; violations %d%s",
		times, requests, unread, sum(r.violations), countsByName(r.violations))
	return r, nil
}

// drain is one service that is stopped under load.
type drain struct {
	aws     *faultyAWS
	process *process
	log     *logbook
	report  *report
	token   string
	answers atomic.Int64

	mu       sync.Mutex
	answered map[string]bool // for each request, by id
}

func newDrain(binary string, r *report) (*drain, error) {
	d := &drain{report: r, answered: map[string]bool{}}
	d.log = newLogbook(func(text string) { r.violation("unexpected line in the log", "%s", text) })
	var err error
	if d.token, err = newToken(key); err != nil {
		return nil, err
	}
	if d.aws, err = startAWS(); err != nil {
		return nil, err
	}
	for number := range drainConnections {
		name := fmt.Sprintf("%s/r%d", drainGroup, number)
		if err := d.aws.AddRepository(accounts[0], region, name, map[string]string{"spinup:org": org}); err != nil {
			return nil, err
		}
	}
	if d.process, err = startProcess(binary, configuration(d.aws.url, longTimeout), d.log); err != nil {
		d.aws.Close()
	}
	return d, err
}

// run sends requests until the service has ended.
func (d *drain) run(ctx context.Context) error {
	defer d.process.kill()
	var senders sync.WaitGroup
	for number := range drainConnections {
		senders.Go(func() { d.send(number) })
	}
	for d.answers.Load() < 20*drainConnections {
		select {
		case <-time.After(time.Millisecond):
		case <-d.process.ended:
			return errCrashed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	time.Sleep(rand.N(100 * time.Millisecond))
	if err := d.process.stop(); err != nil {
		d.report.violation("the service did not stop well", "%v", err)
	}
	senders.Wait()
	return nil
}

// send sends one request after another until the process does not listen any
// more.
func (d *drain) send(number int) {
	var c *connection
	for n := 0; ; n++ {
		if !c.isOpen() {
			var err error
			if c, err = dial(d.process); err != nil {
				return
			}
		}
		id := fmt.Sprintf("d%d-%d", number, n)
		r := quickRequest(number, n)
		r.Header.Set("X-Auth-Token", d.token)
		r.Header.Set("X-Request-Id", id)
		got, _ := c.send(r, 0)
		d.mu.Lock()
		d.answered[id] = got != nil
		d.mu.Unlock()
		if got != nil {
			d.answers.Add(1)
		}
	}
}

// quickRequest returns the nth request of a connection. Most requests need no
// call to AWS, so that connections become idle and busy in quick succession.
// The others are reads and updates.
func quickRequest(number, n int) *http.Request {
	path := fmt.Sprintf("http://service/v1/ecr/%s/repositories/%s/r%d", accounts[0], drainGroup, number)
	method, body := http.MethodGet, ""
	switch {
	case n%10 > 1:
		path = "http://service/v1/ecr/version"
	case n%10 == 1:
		method, body = http.MethodPut, fmt.Sprintf(`{"Tags": [{"Key": "N", "Value": "%d"}]}`, n)
	}
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		panic(err) // the URL consists of constants and numbers
	}
	return r
}

// compareWithLog compares the answers with the log. It returns how many
// requests there were, and how many of them were not read.
func (d *drain) compareWithLog() (requests, unread int) {
	for id, answered := range d.answered {
		lines := d.log.linesOf(id)
		switch {
		case answered && len(lines) == 1:
		case !answered && len(lines) == 0:
			unread++
		case answered:
			d.report.violation("an answer without exactly one log line", "  request %s: lines %+v", id, lines)
		default:
			d.report.violation("no answer to a request that was read", "  request %s\n  logged: %s", id, lines[0].text)
		}
	}
	return len(d.answered), unread
}
