// Command soak proves that answers are true. Many workers create, update, delete
// and read repositories at random, while AWS throttles, fails, loses answers and
// stalls, callers leave, and the service is ended by SIGTERM and started again.
// What each repository can be follows from the answers alone; in the end AWS is
// compared with that, and so is the log.
//
//	go run ./common/soak -operations 100000
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
	flag.IntVar(&o.Workers, "workers", 96, "how many are under way at once")
	flag.IntVar(&o.Restarts, "restarts", -1, "how often the service is restarted (one for every 1,000 operations if negative)")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().Unix()), "of the random choices")
	flag.BoolVar(&o.Faults, "faults", true, "have AWS misbehave")
	flag.Float64Var(&o.HangUps, "hangups", 0.05, "share of requests whose caller leaves")
	flag.Float64Var(&o.Looks, "looks", 0.05, "share of answers after which AWS is looked at")
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

// prove tells whether every promise was kept.
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
		found, err := run(ctx, binary, o, os.Stdout)
		if err != nil {
			return false, err
		}
		ok = !found.failed()
	}
	found, err := drainAll(ctx, binary, drains, os.Stdout)
	return ok && err == nil && !found.failed(), err
}
