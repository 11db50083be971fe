package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

const (
	pingPath    = "/v1/ecr/ping"
	metricsPath = "/v1/ecr/metrics"
	callsPath   = "/calls" // of the local AWS

	startTime = 30 * time.Second // how long a program may take to start
)

// A process is a program that listens.
type process struct {
	name     string
	level    string // log level of the service; empty for other programs
	command  *exec.Cmd
	output   *os.File      // what it logs and prints
	ended    chan struct{} // closed once it has ended
	url      string
	profiler string // URL under which Go's profiler is, or ""
	token    string // empty for programs that need none
	took     time.Duration

	first, next int64   // number of the first request of this round, and of the next round
	ownAllocs   float64 // how much it allocates when it is asked how much
}

// start starts a program and waits until it answers at the path. The program
// ends with the context, or by stop.
func start(ctx context.Context, p *process, path string) error {
	output, err := newOutput()
	if err != nil {
		return err
	}
	p.output = output
	p.command.Stdout, p.command.Stderr = output, output
	began := time.Now()
	if err := p.command.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func() {
		p.command.Wait()
		close(p.ended)
	}()
	if err := p.wait(ctx, path); err != nil {
		tail := p.tail()
		p.stop()
		return fmt.Errorf("starting %s: %w: %s", p.name, err, tail)
	}
	p.took = time.Since(began)
	return nil
}

// wait waits until the program answers at the path.
func (p *process) wait(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if response, err := http.Get(p.url + path); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (p *process) stop() {
	p.command.Process.Kill() // an error says that it has ended
	<-p.ended
	p.output.Close()
}

func stopAll(programs []*process) {
	for _, p := range programs {
		p.stop()
	}
}

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// newOutput returns a file that has no name any more. A pipe would wake this
// process for each line of the log, and take processor time from the program.
func newOutput() (*os.File, error) {
	file, err := os.CreateTemp("", "load")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// tail returns the end of what the program has printed.
func (p *process) tail() string {
	info, err := p.output.Stat()
	if err != nil {
		return err.Error()
	}
	text := make([]byte, min(info.Size(), 2048))
	n, _ := p.output.ReadAt(text, info.Size()-int64(len(text)))
	return string(text[:n])
}
