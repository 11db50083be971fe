// Package server runs the service. It listens, with TLS if that is configured,
// and answers requests within limits. It reads the configuration again on
// SIGHUP. When it stops, every request that was read gets its answer.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
)

// Options of Run. Config and Log are needed.
type Options struct {
	Config *common.Config
	Listen string    // listen here instead of on the configured address; may be empty
	Log    io.Writer // where log lines go

	// ReadConfig reads the configuration again after a SIGHUP. It is nil if
	// there is nothing to read. Then SIGHUP is left to the caller.
	ReadConfig func() (*common.Config, error)

	// Guard returns a handler that answers some requests itself, and passes all
	// others on to the service. It may be nil.
	Guard func(service http.Handler) http.Handler

	// Warnings returns what a configuration may have but should not. It is written
	// to the log at the start and after each SIGHUP. It may be nil.
	Warnings func(*common.Config) []string

	// AskSTS asks STS once, when the service has started. Its error is written
	// to the log as a warning. It may be nil.
	AskSTS func(context.Context, *common.Config) error

	// Listening is called with the service's URL once the service accepts
	// connections. Its error stops the service. It may be nil.
	Listening func(url string) error
}

// server is one run of the service.
type server struct {
	Options
	log     *logrus.Logger
	service *api.Service
	end     time.Time // when it must have stopped; zero unless it is stopping
}

// Run answers requests until ctx ends. Then it lets requests under way finish,
// and returns nil if all of them did.
func Run(ctx context.Context, o Options) error {
	listMemory := limitMemory()
	signal.Ignore(syscall.SIGPIPE) // it would end the service when the reader of the log dies
	log, queue := newQueuedLogger(o.Config.LogLevel, o.Log)
	s := &server{Options: o, log: log}
	defer s.closeLog(queue)
	most, err := maxConnections(o.Config, fileLimit())
	if err != nil {
		return err
	}
	s.service, err = api.New(api.Options{Config: o.Config, Log: log, Queue: queue, ListMemory: listMemory, MaxConnections: most})
	if err != nil {
		return err
	}
	return s.run(ctx, most)
}

// run listens, with so many connections at most.
func (s *server) run(ctx context.Context, most int) error {
	tcp, err := listen(cmp.Or(s.Listen, s.Config.ListenAddress))
	if err != nil {
		return err
	}
	defer tcp.Close() // an error says that it is closed already
	connections := trackConnections(tcp, most, s.service.Connections(), s.acceptFailed)
	listener, scheme, err := s.secure(connections)
	if err != nil {
		return err
	}
	if err := s.startProfiler(); err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	if s.ReadConfig != nil {
		signal.Notify(hangup, syscall.SIGHUP)
		defer signal.Stop(hangup)
	}

	httpServer := newHTTPServer(s.handler(), s.log)
	connections.attach(httpServer)
	defer httpServer.Close()
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	if err := s.announce(scheme + "://" + tcp.Addr().String()); err != nil {
		return err
	}
	go s.askSTS(ctx)
	for {
		select {
		case err := <-served:
			return err
		case <-hangup:
			s.reload()
		case <-ctx.Done():
			return s.stop(connections, served)
		}
	}
}

func (s *server) handler() http.Handler {
	if s.Guard == nil {
		return s.service
	}
	return s.Guard(s.service)
}

// listen is net.Listen. If another program has the address, the error says what
// to do.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: choose another address with -listen, such as -listen 127.0.0.1:8081", err)
	}
	return l, err
}

func (s *server) acceptFailed(err error) {
	s.log.WithError(err).Warn("a connection could not be accepted: trying again")
}
