package server

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// drainTime is how long requests under way may take to finish when the service
// stops. It is longer than any request may take (requestTimeout).
const drainTime = 30 * time.Second

// answerTime is the part of drainTime in which a request that ran until its
// deadline can still send its answer.
const answerTime = time.Second

const (
	// flushTime is how long log lines that wait may take at the end.
	flushTime = 5 * time.Second
	// lastFlushTime is the part of answerTime that is left for them when the
	// requests under way take all the time.
	lastFlushTime = answerTime / 2
)

// UntilSignal returns a context that ends with the first SIGINT or SIGTERM. The
// second one ends the process at once, however soon it follows.
//
// The context also ends with SIGHUP if that does not make the service read its
// configuration again: then it means that the terminal has gone. Several may
// come at once. Under nohup they mean nothing.
func UntilSignal(hangupReloads bool) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals, hangup := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !hangupReloads && !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangup, syscall.SIGHUP)
	}
	go func() {
		select {
		case <-signals:
		case <-hangup:
		}
		cancel()
		<-signals
		os.Exit(1)
	}()
	return ctx
}

// stop says that the service is not ready, waits until load balancers have
// noticed, and accepts no more connections. It returns once the requests under
// way are answered.
func (s *server) stop(connections *trackedListener, served <-chan error) error {
	s.log.WithField("shutdownDelay", s.Config.ShutdownDelay.String()).Info("stopping: not ready any more; requests under way finish first")
	s.end = time.Now().Add(s.Config.ShutdownDelay + drainTime)
	s.service.Stop(s.end.Add(-answerTime))
	time.Sleep(s.Config.ShutdownDelay)
	ctx, cancel := context.WithDeadline(context.Background(), s.end.Add(-lastFlushTime))
	defer cancel()
	if err := connections.drain(ctx, served); err != nil {
		return fmt.Errorf("stopped with requests under way: %w", err)
	}
	s.log.Info("stopped")
	return nil
}

// closeLog writes the log lines that wait, unless that takes too long. Some
// time is left for Complain.
func (s *server) closeLog(queue *common.LogQueue) {
	end := time.Now().Add(flushTime)
	if last := s.end.Add(-complainTime); !s.end.IsZero() && last.Before(end) {
		end = last
	}
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	queue.Close(ctx)
}
