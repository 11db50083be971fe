package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A setting is the conditions of a measurement.
type setting struct {
	delay   time.Duration // of each answer of AWS
	callers int           // how many requests are under way at once
}

func (s setting) String() string {
	delay := "AWS answers at once"
	if s.delay > 0 {
		delay = fmt.Sprintf("AWS answers after %d ms", s.delay.Milliseconds())
	}
	if s.callers == 1 {
		return delay + ", 1 caller"
	}
	return fmt.Sprintf("%s, %d callers", delay, s.callers)
}

// settings returns the settings of a run.
func (o options) settings() (all []setting) {
	for _, delay := range o.delays {
		callers := o.callers
		if len(callers) == 0 {
			callers = plannedCallers(delay)
		}
		for _, n := range callers {
			all = append(all, setting{delay, n})
		}
	}
	return all
}

// plannedCallers returns how many callers there are if no flag says so. With
// many callers the processor limits the rate. With one caller the round trips
// do, if AWS is slow.
func plannedCallers(delay time.Duration) []int {
	switch {
	case delay == 0:
		return []int{4, 16}
	case delay <= 10*time.Millisecond:
		return []int{4}
	default:
		return []int{1}
	}
}

// levelsFor returns the log levels of the service for a scenario.
func (o options) levelsFor(sc scenario, s setting) []string {
	switch {
	case len(o.levels) > 0:
		return o.levels
	case s.delay == 0 && sc.logged:
		return []string{"warn", "info"}
	default:
		return []string{"warn"}
	}
}

// wants tells whether the requests of that name are to be measured.
func (o options) wants(name string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, name)
}

// wantsAny tells whether a request of the scenario is to be measured.
func (o options) wantsAny(sc scenario) bool {
	return slices.ContainsFunc(sc.steps, func(s step) bool { return o.wants(s.name) })
}

// compare measures all programs in each scenario and setting. It prints a table
// for each setting, and then the ratios in short.
func compare(ctx context.Context, o options) error {
	if err := checkNames(o.only); err != nil {
		return err
	}
	fmt.Printf("Each program gets %d rounds of %g seconds for each kind of request.\n\n", o.rounds, o.seconds)
	if err := printStarts(ctx, o.services); err != nil {
		return err
	}
	var all []row
	for _, s := range o.settings() {
		fmt.Printf("\n%s:\n\n", s)
		printHeader(s)
		for _, sc := range scenarios {
			if !o.wantsAny(sc) {
				continue
			}
			rows, err := measureScenario(ctx, o, sc, s)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", sc.steps[0].name, s, err)
			}
			printRows(rows)
			all = append(all, rows...)
		}
	}
	printSummary(o.settings(), all)
	return nil
}

// checkNames returns an error if there are no requests of one of these names.
func checkNames(names []string) error {
	var known []string
	for _, sc := range scenarios {
		for _, s := range sc.steps {
			known = append(known, s.name)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there are no requests %q, only %q", name, known)
		}
	}
	return nil
}

func parseAll[T any](text string, parse func(string) (T, error)) (all []T, err error) {
	for _, part := range list(text) {
		value, err := parse(part)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

// parseDelay reads a duration. A number without a unit is milliseconds.
func parseDelay(text string) (time.Duration, error) {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(n) * time.Millisecond, nil
	}
	return time.ParseDuration(text)
}

func parseCallers(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number of callers", text)
	}
	return n, nil
}
