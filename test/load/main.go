// Command load measures the service beside two bare programs that make the same
// AWS calls and do nothing else. One uses the AWS SDK, the other only net/http.
// Each of them runs in its own process, and so does the local AWS that they
// call. load sends requests to them in turn, over loopback, and prints tables
// in Markdown.
//
//	go run ./test/load -only show,create -delays 0 -callers 4 -rounds 5
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

const (
	account = "012345678901"
	region  = "us-east-1"
	org     = "spindev"
	key     = "local"
)

// options are the flags of a measurement.
type options struct {
	only     []string
	delays   []time.Duration
	callers  []int    // empty means those that the plan has for each delay
	levels   []string // empty means warn, and info where the plan has it
	services []binary
	seconds  float64
	rounds   int
	profiles string // a folder, or ""
	requests int    // of the measurement of memory
}

func main() {
	log.SetFlags(0)
	run := flag.String("run", "", "run only this `program`, which load otherwise starts itself: aws, sdk or http")
	listen := flag.String("listen", "", "`address` of the program, for -run")
	aws := flag.String("aws", "", "`URL` of the local AWS, for -run sdk and -run http")
	var c contents
	flag.IntVar(&c.Groups, "groups", 1, "how many groups of repositories there are, for -run aws")
	flag.IntVar(&c.Each, "each", 1, "how many repositories each group has, for -run aws")
	flag.IntVar(&c.Images, "images", 0, "how many images the first repository has, for -run aws")
	delay := flag.Duration("delay", 0, "how long the local AWS waits before each answer, for -run aws")
	measuring := measuringFlags()
	flag.Parse()
	var err error
	switch *run {
	case "aws":
		saveProcessor()
		err = serveAWS(*listen, c, *delay)
	case "sdk":
		err = serveSDK(*listen, *aws)
	case "http":
		err = serveHTTP(*listen, *aws)
	case "":
		saveProcessor()
		err = measuring()
	default:
		err = fmt.Errorf("unknown program %q", *run)
	}
	if err != nil {
		log.Fatal("load: ", err)
	}
}

// saveProcessor makes this program collect garbage less often. It shares the
// processor with the program that is measured.
func saveProcessor() { debug.SetGCPercent(400) }

// measuringFlags defines the flags of a measurement. It returns a function that
// measures, for after the flags are parsed.
func measuringFlags() func() error {
	var o options
	only := flag.String("only", "", "measure only these `requests`, such as show,images-1000; empty means all")
	delays := flag.String("delays", "0,10ms,50ms", "the `times` that AWS waits before each answer")
	callers := flag.String("callers", "", "how many `callers` send requests at once; empty means 4 and 16 if AWS answers at once, 4 at 10 ms, and 1 at longer delays")
	levels := flag.String("levels", "", "log `levels` of the service; empty means warn, and info too for show, create and delete if AWS answers at once")
	services := flag.String("service", "", "`paths` of binaries of the service to compare; empty means one built from the source")
	flag.Float64Var(&o.seconds, "seconds", 0.5, "for how many seconds requests are sent to each program in a round")
	flag.IntVar(&o.rounds, "rounds", 5, "how many rounds there are")
	flag.StringVar(&o.profiles, "profile", "", "write a CPU profile of each program into this `folder`, from one more round")
	scaled := flag.Bool("scale", false, "measure memory instead, with large answers and many groups")
	flag.IntVar(&o.requests, "requests", 50_000, "how many requests are sent to many groups, for -scale")
	return func() (err error) {
		o.only, o.levels, o.services = list(*only), list(*levels), binaries(list(*services))
		if o.delays, err = parseAll(*delays, parseDelay); err != nil {
			return err
		}
		if o.callers, err = parseAll(*callers, parseCallers); err != nil {
			return err
		}
		if *scaled {
			return measure(o, scale)
		}
		return measure(o, compare)
	}
}

// measure builds the service unless there are binaries of it, and calls how. A
// signal ends the context, and with it every program.
func measure(o options, how func(context.Context, options) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(o.services) > 0 {
		return how(ctx, o)
	}
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "ecr-api")
	if err := build(ctx, built); err != nil {
		return err
	}
	o.services = binaries([]string{built})
	return how(ctx, o)
}

// build builds the service as the Makefile does.
func build(ctx context.Context, file string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "github.com/YaleSpinup/ecr-api")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the service: %w: %s", err, out)
	}
	return nil
}

// list returns the parts of a flag's value.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
