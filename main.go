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
	"github.com/YaleSpinup/ecr-api/common/check"
	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/server"
)

func main() {
	o, err := parseFlags(os.Args[1:], os.Stderr)
	if err == nil {
		err = run(server.UntilSignal(!o.withAWS()), o, os.Getenv("API_CONFIG"), os.Stdout, os.Stderr)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp): // the help is already printed
		return
	case errors.Is(err, errUsage):
		os.Exit(2)
	case o.serves:
		server.LogEnd(os.Stderr, err)
	default:
		server.Complain(os.Stderr, err)
	}
	os.Exit(1)
}

// errUsage means that package flag has already said what is wrong.
var errUsage = errors.New("wrong usage")

// options are what the command line says.
type options struct {
	config, listen, localAWS           string
	local, version, token, healthcheck bool
	check                              bool
	allowHosts                         []string
	arguments                          []string // of check: accounts; of token: the name of a key
	serves                             bool     // the service runs, and its errors go to its log
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("ecr-api", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.config, "config", "config/config.json", "read the configuration from this `file`, unless API_CONFIG is set")
	flags.StringVar(&o.listen, "listen", "", "listen on this `address` instead of the configured one")
	flags.BoolVar(&o.local, "local", false, "run with a local AWS in the same process; this needs no configuration")
	flags.StringVar(&o.localAWS, "local-aws", "", "run only the local AWS, without repositories, on this `address`; with -local, run its local AWS there")
	flags.Func("allow-hosts", "with -local or -local-aws, also answer requests to the hosts of these `names`, separated by commas", func(names string) error {
		o.allowHosts = strings.FieldsFunc(names, func(c rune) bool { return c == ',' || c == ' ' })
		return nil
	})
	flags.BoolVar(&o.version, "version", false, "print the version, the git hash and the build time")
	flags.BoolVar(&o.token, "token", false, "print an X-Auth-Token for the key of the configuration whose name is the argument, or else for the first key")
	flags.BoolVar(&o.healthcheck, "healthcheck", false, "ask the service that runs on this machine with this configuration whether it is ready")
	flags.BoolVar(&o.check, "check", false, "try what the service does in AWS, in the accounts given as arguments or else in those of the configuration")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return o, err
	} else if err != nil {
		return o, errUsage
	}
	o.arguments = flags.Args()
	err := o.contradiction()
	o.serves = err == nil && !o.version && (o.local || o.localAWS == "") && !o.healthcheck && !o.token && !o.check
	return o, err
}

func (o options) withAWS() bool { return o.local || o.localAWS != "" }

// contradiction returns an error if the flags do not go together.
func (o options) contradiction() error {
	switch {
	case o.token && o.withAWS():
		return errors.New("-token cannot be used with -local or -local-aws: -local prints its own token")
	case o.check && o.withAWS():
		return errors.New("-check cannot be used with -local or -local-aws: run -local-aws beside it, as account.endpoint")
	case o.allowHosts != nil && !o.withAWS():
		return errors.New("-allow-hosts goes with -local or -local-aws")
	case len(o.arguments) > 1 && o.token:
		return errors.New("-token takes the name of one key, after all flags")
	case len(o.arguments) > 0 && !o.check && !o.token:
		return fmt.Errorf("unknown argument %q", o.arguments[0])
	}
	return nil
}

// run does what the command line says until ctx ends. env is the value of
// API_CONFIG.
func run(ctx context.Context, o options, env string, stdout, stderr io.Writer) error {
	if env != "" {
		o.config = ""
	}
	readConfig := func() (*common.Config, error) { return common.LoadConfig(o.config, env, server.Operations()) }
	if o.local {
		readConfig = local.Config
	}
	switch {
	case o.version:
		_, err := fmt.Fprintln(stdout, common.ReadVersion())
		return err
	case o.local && o.serves:
		return runLocal(ctx, o, stdout, stderr)
	case o.localAWS != "" && !o.local:
		return local.RunAWS(ctx, o.localAWS, o.allowHosts, stdout)
	}
	config, err := readConfig()
	if err != nil {
		return err
	}
	switch {
	case o.healthcheck:
		return server.CheckHealth(ctx, config, o.listen)
	case o.token:
		return config.Token.PrintToken(stdout, stderr, o.arguments...)
	case o.check:
		return check.Run(ctx, config, o.config, o.arguments, stdout)
	}
	return server.Run(ctx, server.Options{Config: config, Listen: o.listen, Log: stderr, ReadConfig: readConfig,
		Warnings: func(c *common.Config) []string { return check.Warnings(c, o.config) }, AskSTS: check.STS})
}

// runLocal runs the service with a local AWS, and prints how to use both.
func runLocal(ctx context.Context, o options, stdout, stderr io.Writer) error {
	config, err := local.Config()
	if err != nil {
		return err
	}
	aws, err := local.StartSeededAWS(ctx, o.localAWS, o.allowHosts...)
	if err != nil {
		return err
	}
	defer aws.Close()
	config.Account.Endpoint = aws.URL
	return server.Run(ctx, server.Options{Config: config, Listen: o.listen, Log: stderr,
		Guard:     func(service http.Handler) http.Handler { return common.GuardLocal(service, o.allowHosts...) },
		Listening: func(url string) error { return local.PrintBanner(stdout, config, url) },
	})
}
