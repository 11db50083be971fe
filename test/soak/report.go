package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
)

const (
	maxPrinted        = 20  // how many violations are printed
	maxPrintedOfAKind = 5   // how many of these are of the same kind
	maxUnknown        = 25  // percent of the changes; more with an unknown part are a violation
	minChanges        = 200 // with fewer changes, the percentage is not checked
)

// report collects the results of a run.
type report struct {
	out io.Writer

	mu                   sync.Mutex
	answers              map[string]map[string]int // by operation and status
	repositories, images changes                   // of repositories and of their images
	rules                changes                   // of sharing and of lifecycle policies
	others               map[string]int            // what others did during requests
	violations           map[string]int            // by kind
	printed              int                       // how many violations are printed already
}

// changes counts changes that the service has read.
type changes struct {
	all       int
	applied   int // failed with an applied part
	unknown   int // with an unknown part
	unfounded int // of these, although no answer of AWS was lost
	ambiguous int // after which more than one state is possible
}

func newReport(out io.Writer) *report {
	return &report{out: out, answers: map[string]map[string]int{}, others: map[string]int{}, violations: map[string]int{}}
}

// violation counts a promise that the service did not keep, and prints it
// unless many are printed already.
func (r *report) violation(kind, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations[kind]++
	if total := sum(r.violations); r.printed < maxPrinted && r.violations[kind] <= maxPrintedOfAKind {
		r.printed++
		fmt.Fprintf(r.out, "\nVIOLATION %d: %s\n%s\n", total, kind, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

// printf prints a line.
func (r *report) printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format+"\n", args...)
}

func (r *report) hasViolations() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.violations) > 0
}

// count counts the result of an operation.
func (r *report) count(kind, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[kind] == nil {
		r.answers[kind] = map[string]int{}
	}
	r.answers[kind][status]++
}

// countChange counts a change by what is known after it. lost says whether AWS
// may have lost an answer meanwhile.
func (r *report) countChange(o operation, out outcome, after []state, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := &r.repositories
	switch {
	case o.isDeletion():
		c = &r.images
	case o.isChangeOfRules():
		c = &r.rules
	}
	c.all++
	if len(out.unknown) > 0 {
		c.unknown++
		if !lost {
			c.unfounded++
		}
	}
	if len(out.applied) > 0 {
		c.applied++
	}
	if len(after) > 1 {
		c.ambiguous++
	}
}

// countOthers counts what happened during a deletion of images.
func (r *report) countOthers(d *deletion) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for what, did := range map[string]bool{
		"others pushed after the look": len(d.pushed()) > 0, "AWS lost an answer": d.lost, "others pushed again what was deleted": d.again != nil,
	} {
		if did {
			r.others[what]++
		}
	}
}

// countOther counts something that others did.
func (r *report) countOther(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others[what]++
}

// checkUnknown reports a violation if too many changes have an unknown part.
// Without this check a service that always says "unknown" would pass.
func (r *report) checkUnknown() {
	for what, c := range map[string]changes{"repositories": r.repositories, "images": r.images, "sharing and lifecycle policies": r.rules} {
		if c.all >= minChanges && percent(c.unknown, c.all) > maxUnknown {
			r.violation("too many changes with an unknown part", "  %d of %d changes of %s", c.unknown, c.all, what)
		}
	}
}

// printTotals prints how many answers, changes and violations there were.
func (r *report) printTotals() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.printAnswers()
	fmt.Fprintln(r.out, "changes of repositories", r.repositories)
	fmt.Fprintln(r.out, "deletions of images", r.images)
	fmt.Fprintln(r.out, "changes of sharing and lifecycle policies", r.rules)
	fmt.Fprintf(r.out, "during requests%s\n", countsByName(r.others))
	fmt.Fprintf(r.out, "violations %d%s\n", sum(r.violations), countsByName(r.violations))
}

func (c changes) String() string {
	return fmt.Sprintf("%d: %d failed with an applied part, %d with an unknown part (%.2f %%; %d of them without a lost answer), more than one state was possible after %d (%.2f %%)",
		c.all, c.applied, c.unknown, percent(c.unknown, c.all), c.unfounded, c.ambiguous, percent(c.ambiguous, c.all))
}

// printAnswers prints a table of operations and statuses.
func (r *report) printAnswers() {
	labels := map[string]bool{}
	for _, counts := range r.answers {
		for label := range counts {
			labels[label] = true
		}
	}
	columns := slices.Sorted(maps.Keys(labels))
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\noperation\t%s\t\n", strings.Join(columns, "\t"))
	for _, kind := range slices.Sorted(maps.Keys(r.answers)) {
		fmt.Fprintf(table, "%s\t", kind)
		for _, label := range columns {
			fmt.Fprintf(table, "%d\t", r.answers[kind][label])
		}
		fmt.Fprintln(table)
	}
	table.Flush()
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(1, whole)) }

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// countsByName returns the counts as text, such as ": a 1, b 2".
func countsByName(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return ": " + strings.Join(list, ", ")
}
