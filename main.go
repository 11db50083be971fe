// Command ecr-api is a REST service that manages the Amazon ECR repositories of
// many AWS accounts. See README.md.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof" // on http.DefaultServeMux, which startProfiler alone serves
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/drain"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/sirupsen/logrus"
)

// drainTime is how long requests under way may take to finish at the end: longer
// than any request has.
const drainTime = 30 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Getenv("API_CONFIG"), os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp): // it was asked for, and given
	case errors.Is(err, errUsage):
		os.Exit(2) // it was told why
	case err != nil:
		fmt.Fprintln(os.Stderr, "ecr-api:", err)
		os.Exit(1)
	}
}

// errUsage is a command line that package flag has complained of already.
var errUsage = errors.New("wrong usage")

// options are what the command line says.
type options struct {
	config   string
	listen   string
	local    bool
	localAWS string
	version  bool
	token    bool
	health   bool
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("ecr-api", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.config, "config", "config/config.json", "read the configuration from this `file`, unless API_CONFIG is set")
	flags.StringVar(&o.listen, "listen", "", "listen on this `address` instead of the configured one")
	flags.BoolVar(&o.local, "local", false, "run with an AWS of its own on loopback, with no configuration")
	flags.StringVar(&o.localAWS, "local-aws", "", "run only that AWS, empty, on this `address`")
	flags.BoolVar(&o.version, "version", false, "print version, git hash and build time")
	flags.BoolVar(&o.token, "token", false, "print an X-Auth-Token for the first key of the configuration")
	flags.BoolVar(&o.health, "healthcheck", false, "ask the service that runs here with this configuration whether it is ready")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage
	}
	if o.token && (o.local || o.localAWS != "") {
		return o, errors.New("-token goes with a configuration: -local prints a token of its own")
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, nil
}

// run does what the command line says until ctx ends.
func run(ctx context.Context, args []string, env string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	switch {
	case o.version:
		v := common.ReadVersion()
		_, err := fmt.Fprintf(stdout, "ecr-api %s\ngit hash %s\nbuilt %s\n", v.Version, v.GitHash, v.BuildStamp)
		return err
	case o.localAWS != "":
		return runLocalAWS(ctx, o.localAWS, stdout)
	case o.local && !o.health:
		return runLocal(ctx, o.listen, stdout, stderr)
	}
	load := func() (*common.Config, error) { return common.LoadConfig(o.config, env) }
	if o.local {
		load = local.Config
	}
	config, err := load()
	if err != nil {
		return err
	}
	if o.health {
		return config.Healthcheck(ctx, o.listen)
	}
	if o.token {
		return printToken(stdout, config)
	}
	s := server{config: config, listen: o.listen, load: load, stderr: stderr}
	return s.run(ctx)
}

func printToken(stdout io.Writer, config *common.Config) error {
	token, err := config.Token[0].NewToken()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

func runLocalAWS(ctx context.Context, address string, stdout io.Writer) error {
	aws, err := local.StartAWS(address)
	if err != nil {
		return err
	}
	defer aws.Close()
	fmt.Fprintf(stdout, "a local AWS listens on %s\n", aws.URL)
	<-ctx.Done()
	return nil
}

func runLocal(ctx context.Context, listen string, stdout, stderr io.Writer) error {
	config, err := local.Config()
	if err != nil {
		return err
	}
	aws, err := local.StartSeededAWS("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer aws.Close()
	config.Account.Endpoint = aws.URL
	s := server{config: config, listen: listen, stderr: stderr}
	s.ready = func(url string) error { return local.PrintBanner(stdout, config, url) }
	return s.run(ctx)
}

// server is the service on its address.
type server struct {
	config *common.Config
	listen string                         // instead of the configured address
	load   func() (*common.Config, error) // reads the configuration again; may be nil
	ready  func(url string) error         // called once it listens; may be nil
	stderr io.Writer
	log    *logrus.Logger
}

// run answers requests until ctx ends, then lets those under way finish.
func (s *server) run(ctx context.Context) error {
	s.log = newLogger(s.config.LogLevel, s.stderr)
	service, err := api.New(api.Options{Config: s.config, Log: s.log})
	if err != nil {
		return err
	}
	connections, listener, url, err := s.newListener()
	if err != nil {
		return err
	}
	if err := s.startProfiler(); err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	httpServer := newHTTPServer(connections.Handler(service), s.log)
	httpServer.ConnState, httpServer.ConnContext = connections.ConnState, connections.ConnContext
	defer httpServer.Close()
	stopped := make(chan error, 1)
	go func() { stopped <- httpServer.Serve(listener) }()
	s.log.WithField("url", url).Info("listening")
	if s.ready != nil {
		if err := s.ready(url); err != nil {
			return err
		}
	}
	for {
		select {
		case err := <-stopped:
			return err
		case <-hangup:
			s.reload(service)
		case <-ctx.Done():
			return s.stop(service, connections, stopped)
		}
	}
}

// stop lets load balancers notice, then accepts no more, and returns when the
// requests under way are answered.
func (s *server) stop(service *api.Service, connections *drain.Listener, served <-chan error) error {
	s.log.WithField("shutdownDelay", s.config.ShutdownDelay.String()).Info("stopping: not ready any more, requests under way finish first")
	end := time.Now().Add(s.config.ShutdownDelay + drainTime)
	service.Stop(end.Add(-time.Second)) // which leaves time to answer
	time.Sleep(s.config.ShutdownDelay)
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	if err := connections.Drain(ctx, served); err != nil {
		return fmt.Errorf("stopped with requests under way: %w", err)
	}
	s.log.Info("stopped")
	return nil
}

// startProfiler serves Go's profiler at its own address, if there is one, until
// the process ends.
func (s *server) startProfiler() error {
	if s.config.PprofAddress == "" {
		return nil
	}
	listener, err := net.Listen("tcp", s.config.PprofAddress)
	if err != nil {
		return fmt.Errorf("pprofAddress: %w", err)
	}
	s.log.WithField("url", "http://"+listener.Addr().String()+"/debug/pprof/").Info("profiling")
	go http.Serve(listener, http.DefaultServeMux)
	return nil
}

// newListener listens on the configured address, by TLS where there is a
// certificate.
func (s *server) newListener() (connections *drain.Listener, listener net.Listener, url string, err error) {
	address := s.listen
	if address == "" {
		address = s.config.ListenAddress
	}
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, "", err
	}
	connections = drain.Listen(tcp)
	if s.config.TLSCertificate == "" {
		return connections, connections, "http://" + tcp.Addr().String(), nil
	}
	certificate, err := common.LoadCertificate(s.config.TLSCertificate, s.config.TLSKey, func(err error) {
		s.log.WithError(err).Error("the TLS certificate has changed and cannot be used: the old one stays")
	})
	if err != nil {
		tcp.Close()
		return nil, nil, "", err
	}
	listener = tls.NewListener(connections, &tls.Config{
		GetCertificate: certificate.Get,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
	})
	return connections, listener, "https://" + tcp.Addr().String(), nil
}

// reload takes over a changed configuration. A broken one changes nothing.
func (s *server) reload(service *api.Service) {
	if s.load == nil {
		s.log.Warn("there is no configuration to read again")
		return
	}
	config, err := s.load()
	if err != nil {
		s.log.WithError(err).Error("the configuration is broken: nothing changes")
		return
	}
	needRestart, err := service.Reload(config)
	if err != nil {
		s.log.WithError(err).Error("the configuration cannot be taken over: nothing changes")
		return
	}
	entry := s.log.WithField("keys", len(config.Token))
	if len(needRestart) > 0 {
		entry.WithField("needRestart", needRestart).Warn("configuration read again; some of it needs a restart")
		return
	}
	entry.Info("configuration read again")
}

func newHTTPServer(handler http.Handler, logger *logrus.Logger) *http.Server {
	return &http.Server{
		Handler:                      handler,
		DisableGeneralOptionsHandler: true, // OPTIONS * needs the token as everything else
		ReadHeaderTimeout:            5 * time.Second,
		ReadTimeout:                  15 * time.Second, // header and body
		WriteTimeout:                 60 * time.Second, // from the header's end: the request's own time, and a slow reader's
		IdleTimeout:                  75 * time.Second, // longer than the minute that load balancers usually keep one
		MaxHeaderBytes:               16 << 10,
		ErrorLog:                     log.New(logger.WriterLevel(logrus.WarnLevel), "", 0),
	}
}

// newLogger logs as JSON, and to a person at a terminal as text.
func newLogger(level string, out io.Writer) *logrus.Logger {
	logger := logrus.New()
	logger.SetOutput(out)
	if parsed, err := logrus.ParseLevel(level); err == nil { // the configuration was checked
		logger.SetLevel(parsed)
	}
	if file, ok := out.(*os.File); !ok || !isTerminal(file) {
		logger.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	}
	return logger
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
