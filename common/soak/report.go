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
	printed     = 20 // violations printed in full
	printedEach = 5  // of a kind, so that one does not hide the others
	mostUnknown = 25 // percent of the changes, most of which fail under the faults
	enough      = 200
)

// A report gathers what a run finds.
type report struct {
	out io.Writer

	mu         sync.Mutex
	answers    map[string]map[string]int // by operation and status
	admitted   int                       // changes of which a part stayed unknown
	unfounded  int                       // of these, with no call that could have been lost
	applied    int                       // failed changes of which a part was applied
	ambiguous  int                       // changes after which more than one state was possible
	changes    int                       // that were read by the service
	violations map[string]int            // by kind
	printed    int                       // of them
}

func newReport(out io.Writer) *report {
	return &report{out: out, answers: map[string]map[string]int{}, violations: map[string]int{}}
}

// violation notes that a promise was broken.
func (r *report) violation(kind, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations[kind]++
	if total := sum(r.violations); r.printed < printed && r.violations[kind] <= printedEach {
		r.printed++
		fmt.Fprintf(r.out, "\nVIOLATION %d: %s\n%s\n", total, kind, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

// say writes a line.
func (r *report) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format+"\n", args...)
}

// failed tells whether any was.
func (r *report) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.violations) > 0
}

// count notes what became of an operation.
func (r *report) count(kind, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[kind] == nil {
		r.answers[kind] = map[string]int{}
	}
	r.answers[kind][status]++
}

// countChange notes what is known after a change, during which AWS lost an answer
// or not.
func (r *report) countChange(out outcome, after []state, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes++
	if len(out.unknown) > 0 {
		r.admitted++
		if !lost {
			r.unfounded++
		}
	}
	if len(out.applied) > 0 {
		r.applied++
	}
	if len(after) > 1 {
		r.ambiguous++
	}
}

// judge finds it a violation if too much is called unknown: an answer that admits
// to everything would never be wrong.
func (r *report) judge() {
	if r.changes >= enough && percent(r.admitted, r.changes) > mostUnknown {
		r.violation("too much is called unknown", "  %d of %d changes", r.admitted, r.changes)
	}
}

// print writes the figures.
func (r *report) print() {
	r.mu.Lock()
	defer r.mu.Unlock()
	kinds := slices.Sorted(maps.Keys(r.answers))
	labels := map[string]bool{}
	for _, counts := range r.answers {
		for label := range counts {
			labels[label] = true
		}
	}
	columns := slices.Sorted(maps.Keys(labels))
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "\noperation\t%s\t\n", strings.Join(columns, "\t"))
	for _, kind := range kinds {
		fmt.Fprintf(table, "%s\t", kind)
		for _, label := range columns {
			fmt.Fprintf(table, "%d\t", r.answers[kind][label])
		}
		fmt.Fprintln(table)
	}
	table.Flush()
	fmt.Fprintf(r.out, "changes %d: %d failed with a part applied, %d with a part unknown (%.2f %%; %d of them for no reason), after %d more than one state was possible (%.2f %%)\n",
		r.changes, r.applied, r.admitted, percent(r.admitted, r.changes), r.unfounded, r.ambiguous, percent(r.ambiguous, r.changes))
	fmt.Fprintf(r.out, "violations %d%s\n", sum(r.violations), listed(r.violations))
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(1, whole)) }

func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// listed lists counts, the names sorted, with a colon before.
func listed(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return ": " + strings.Join(list, ", ")
}
