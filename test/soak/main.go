// Command soak proves that the answers of the service are true.
//
// Many workers create, update, delete and read repositories at random, share them,
// set their lifecycle policies, and push images, which they then delete and read.
// Meanwhile AWS throttles, fails, loses answers and stalls. Callers hang up. Others
// push images in the middle of a deletion, and change policies in the middle of a
// change. The service is stopped by SIGTERM and started again. From the answers
// alone, soak derives the possible states of each repository. It compares these
// states with AWS, also after each deletion of images, and the answers with the
// log.
//
//	go run ./test/soak -operations 100000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	var o options
	flag.IntVar(&o.Operations, "operations", 10_000, "how many requests are sent")
	flag.IntVar(&o.Workers, "workers", 96, "how many requests are under way at once")
	flag.IntVar(&o.Restarts, "restarts", -1, "how often the service is restarted; a negative number means once per 1,000 operations")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().Unix()), "seed of the random choices")
	flag.BoolVar(&o.Faults, "faults", true, "inject faults into AWS")
	flag.Float64Var(&o.HangUps, "hangups", 0.05, "share of the requests whose caller hangs up")
	flag.Float64Var(&o.CompareShare, "compare", 0.05, "share of the answers that are compared with AWS at once")
	drains := flag.Int("drains", 20, "how often SIGTERM is sent under the load of quick requests")
	timeout := flag.Duration("timeout", 2*time.Hour, "give up after this time")
	flag.Parse()
	if o.Restarts < 0 {
		o.Restarts = o.Operations / 1000
	}
	ok, err := prove(o, *drains, *timeout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// prove returns true if there is no violation.
func prove(o options, drains int, timeout time.Duration) (bool, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	binary, err := build(ctx, dir)
	if err != nil {
		return false, err
	}
	ok := true
	if o.Operations > 0 {
		r, err := run(ctx, binary, o, os.Stdout)
		if err != nil {
			return false, err
		}
		ok = !r.hasViolations()
	}
	r, err := drainTimes(ctx, binary, drains, os.Stdout)
	return ok && err == nil && !r.hasViolations(), err
}
