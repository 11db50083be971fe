// Command ecr-api is a REST service that manages the Amazon ECR repositories of
// many AWS accounts. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/server"
)

func main() {
	err := run(server.UntilSignal(), os.Args[1:], os.Getenv("API_CONFIG"), os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp): // the help is already printed
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		server.Complain(os.Stderr, err)
		os.Exit(1)
	}
}

// errUsage means that the command line is wrong, and that package flag has
// already said why.
var errUsage = errors.New("wrong usage")

// options are what the command line says.
type options struct {
	config      string
	listen      string
	local       bool
	localAWS    string
	allowHosts  string
	version     bool
	token       bool
	healthcheck bool
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("ecr-api", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.config, "config", "config/config.json", "read the configuration from this `file`, unless API_CONFIG is set")
	flags.StringVar(&o.listen, "listen", "", "listen on this `address` instead of the configured one")
	flags.BoolVar(&o.local, "local", false, "run with a local AWS in the same process; this needs no configuration")
	flags.StringVar(&o.localAWS, "local-aws", "", "run only the local AWS, without repositories, on this `address`")
	flags.StringVar(&o.allowHosts, "allow-hosts", "", "with -local or -local-aws, also answer requests to the hosts of these `names`, separated by commas")
	flags.BoolVar(&o.version, "version", false, "print the version, the git hash and the build time")
	flags.BoolVar(&o.token, "token", false, "print an X-Auth-Token for the first key of the configuration")
	flags.BoolVar(&o.healthcheck, "healthcheck", false, "ask the service that runs on this machine with this configuration whether it is ready")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage
	}
	if o.token && (o.local || o.localAWS != "") {
		return o, errors.New("-token cannot be used with -local or -local-aws: -local prints its own token")
	}
	if o.allowHosts != "" && !o.local && o.localAWS == "" {
		return o, errors.New("-allow-hosts goes with -local or -local-aws")
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return o, nil
}

// hosts returns the names in -allow-hosts.
func (o options) hosts() []string {
	return strings.FieldsFunc(o.allowHosts, func(c rune) bool { return c == ',' || c == ' ' })
}

// run does what the command line says until ctx ends. env is the value of
// API_CONFIG.
func run(ctx context.Context, args []string, env string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	readConfig := func() (*common.Config, error) { return common.LoadConfig(o.config, env) }
	if o.local {
		readConfig = local.Config
	}
	switch {
	case o.version:
		return printVersion(stdout)
	case o.localAWS != "":
		return local.RunAWS(ctx, o.localAWS, o.hosts(), stdout)
	case o.local && !o.healthcheck:
		return runLocal(ctx, o, stdout, stderr)
	}
	config, err := readConfig()
	switch {
	case err != nil:
		return err
	case o.healthcheck:
		return server.CheckHealth(ctx, config, o.listen)
	case o.token:
		return printToken(stdout, config)
	default:
		return server.Run(ctx, server.Options{Config: config, Listen: o.listen, Log: stderr, ReadConfig: readConfig})
	}
}

func printVersion(stdout io.Writer) error {
	v := common.ReadVersion()
	_, err := fmt.Fprintf(stdout, "ecr-api %s\ngit hash %s\nbuilt %s\n", v.Version, v.GitHash, v.BuildStamp)
	return err
}

func printToken(stdout io.Writer, config *common.Config) error {
	token, err := config.Token[0].NewToken()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

// runLocal runs the service with a local AWS, and prints how to use both.
func runLocal(ctx context.Context, o options, stdout, stderr io.Writer) error {
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
	return server.Run(ctx, server.Options{
		Config:    config,
		Listen:    o.listen,
		Log:       stderr,
		Guard:     func(service http.Handler) http.Handler { return common.GuardLocal(service, o.hosts()...) },
		Listening: func(url string) error { return local.PrintBanner(stdout, config, url) },
	})
}
