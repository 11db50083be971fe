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

// drainAll ends a service that is under the load of quick requests, time and
// again. AWS is well, and nobody hangs up: each request that was read must have
// its answer, and one without an answer must not have been read.
func drainAll(ctx context.Context, binary string, times int, out io.Writer) (*report, error) {
	found := newReport(out)
	requests, unread := 0, 0
	for range times {
		d, err := newDrain(binary, found)
		if err != nil {
			return found, err
		}
		err = d.run(ctx)
		d.cloud.Close()
		if err != nil {
			return found, err
		}
		sent, lost := d.compare()
		requests, unread = requests+sent, unread+lost
	}
	found.say("\nSIGTERM under load, %d times: %d requests, of which %d were not read; violations %d%s",
		times, requests, unread, sum(found.violations), listed(found.violations))
	return found, nil
}

// A drain is one end of a service.
type drain struct {
	cloud   *cloud
	process *process
	log     *logbook
	report  *report
	token   string
	answers atomic.Int64

	mu   sync.Mutex
	sent map[string]bool // by request: whether its answer came
}

func newDrain(binary string, found *report) (*drain, error) {
	d := &drain{report: found, sent: map[string]bool{}}
	d.log = newLogbook(func(text string) { found.violation("odd line in the log", "%s", text) })
	var err error
	if d.token, err = newToken(); err != nil {
		return nil, err
	}
	if d.cloud, err = startCloud(); err != nil {
		return nil, err
	}
	for number := range drainConnections {
		name := fmt.Sprintf("%s/r%d", drainGroup, number)
		if err := d.cloud.AddRepository(accounts[0], region, name, map[string]string{"spinup:org": org}); err != nil {
			return nil, err
		}
	}
	if d.process, err = startProcess(binary, configuration(d.cloud.url, longTimeout), d.log); err != nil {
		d.cloud.Close()
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
		d.report.violation("bad end of the service", "%v", err)
	}
	senders.Wait()
	return nil
}

// send sends one request after another, until nobody listens.
func (d *drain) send(number int) {
	var c *connection
	for n := 0; ; n++ {
		if !c.usable() {
			var err error
			if c, err = dial(d.process); err != nil {
				return
			}
		}
		id := fmt.Sprintf("d%d-%d", number, n)
		r := quick(number, n)
		r.Header.Set("X-Auth-Token", d.token)
		r.Header.Set("X-Request-Id", id)
		got, _ := c.send(r, 0)
		d.mu.Lock()
		d.sent[id] = got != nil
		d.mu.Unlock()
		if got != nil {
			d.answers.Add(1)
		}
	}
}

// quick returns a request that takes little: mostly one that AWS is not asked
// for, so that connections are idle and busy in quick succession, or else a read
// or a change.
func quick(number, n int) *http.Request {
	path := fmt.Sprintf("http://service/v1/ecr/%s/repositories/%s/r%d", accounts[0], drainGroup, number)
	method, body := http.MethodGet, ""
	switch {
	case n%10 > 1:
		path = "http://service/v1/ecr/ping"
	case n%10 == 1:
		method, body = http.MethodPut, fmt.Sprintf(`{"Tags": [{"Key": "N", "Value": "%d"}]}`, n)
	}
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		panic(err) // it is made of constants and numbers
	}
	return r
}

// compare holds what was answered against the log, and counts the requests and
// those that were never read.
func (d *drain) compare() (requests, unread int) {
	for id, answered := range d.sent {
		lines := d.log.of(id)
		switch {
		case answered && len(lines) == 1:
		case !answered && len(lines) == 0:
			unread++
		case answered:
			d.report.violation("an answer without its one line", "  request %s: lines %+v", id, lines)
		default:
			d.report.violation("no answer to what was read", "  request %s\n  logged: %s", id, lines[0].text)
		}
	}
	return len(d.sent), unread
}
