// Command load compares the service with two bare programs that make the same
// AWS calls and do nothing else. One uses the AWS SDK, the other only net/http.
// Each of the three runs in its own process, and so does the local AWS that
// they call. load sends requests to the three in turn, over loopback.
//
//	go run ./test/load -seconds 5
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"
)

const (
	account    = "012345678901"
	region     = "us-east-1"
	org        = "spindev"
	repository = "spindev-00001/dasher"
	key        = "local"
)

func main() {
	log.SetFlags(0)
	run := flag.String("run", "", "run only this `program`, which load otherwise starts itself: aws, sdk or http")
	aws := flag.String("aws", "", "`URL` of the local AWS, for -run sdk and -run http")
	delay := flag.Duration("delay", 0, "how long the local AWS waits before each answer, for -run aws")
	seconds := flag.Int("seconds", 5, "for how many seconds requests are sent to each program in a round")
	rounds := flag.Int("rounds", 3, "how many rounds there are; the round with the median rate counts")
	connections := flag.Int("connections", 16, "how many requests are under way at once")
	scaled := flag.Bool("scale", false, "measure memory instead, with large answers and many groups")
	total := flag.Int("requests", 100_000, "how many requests are sent to many groups, for -scale")
	large := flag.Bool("large", false, "start with 10,000 groups and 10,000 images, for -run aws")
	flag.Parse()
	var err error
	switch *run {
	case "aws":
		err = serveAWS(*delay, *large)
	case "sdk":
		err = serveSDK(*aws)
	case "http":
		err = serveHTTP(*aws)
	case "":
		err = measure(func(service string) error {
			if *scaled {
				return scale(service, *total, *connections)
			}
			return compare(service, time.Duration(*seconds)*time.Second, *rounds, *connections)
		})
	default:
		err = fmt.Errorf("unknown program %q", *run)
	}
	if err != nil {
		log.Fatal("load: ", err)
	}
}

// measure builds the service and calls how with the path of the binary.
func measure(how func(service string) error) error {
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	service := filepath.Join(dir, "ecr-api")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", service, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("building the service (run this at the top of the repository): %w: %s", err, out)
	}
	return how(service)
}

// compare measures the programs while AWS answers at once and while it answers
// after a delay. It prints a table.
func compare(service string, length time.Duration, rounds, connections int) error {
	if err := printStart(service); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "AWS answers\tprogram\trequests/s\tof the SDK's\tp50\tp99\tAWS calls/request\tCPU/request\tresident\t")
	for _, delay := range []time.Duration{0, 10 * time.Millisecond} {
		if err := compareAt(table, service, delay, length, rounds, connections); err != nil {
			return err
		}
	}
	return table.Flush()
}

// compareAt starts the local AWS and the programs, measures the programs in
// turn, and stops everything. It writes a row for each program.
func compareAt(table *tabwriter.Writer, service string, delay, length time.Duration, rounds, connections int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	aws, err := start("aws", exec.Command(self, "-run", "aws", "-delay", delay.String()))
	if err != nil {
		return err
	}
	defer aws.stop()
	programs, err := startPrograms(self, service, aws.url)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range programs {
			p.stop()
		}
	}()
	results, err := measureRounds(programs, aws, length, rounds, connections)
	if err != nil {
		return err
	}
	sdk := median(results["bare SDK"])
	for _, p := range programs {
		r := median(results[p.name])
		fmt.Fprintf(table, "%s\t%s\t%.0f\t%.2f\t%s\t%s\t%.2f\t%s\t%.1f MiB\t\n", after(delay), p.name, r.rate, r.rate/sdk.rate,
			r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond), r.awsCalls, r.cpu.Round(time.Microsecond), r.residentMiB)
	}
	return nil
}

// measureRounds returns the results of each program by its name.
func measureRounds(programs []*process, aws *process, length time.Duration, rounds, connections int) (map[string][]result, error) {
	results := map[string][]result{}
	for range rounds {
		for _, p := range programs {
			r, err := drive(p, aws, length, connections)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			results[p.name] = append(results[p.name], r)
		}
	}
	return results, nil
}

// after returns the delay as text for the table.
func after(delay time.Duration) string {
	if delay == 0 {
		return "at once"
	}
	return "after " + delay.String()
}
