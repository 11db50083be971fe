package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// A row is what was measured of one kind of request to a program.
type row struct {
	at                   setting
	request, program     string
	ofService            bool    // whether the program is the service
	rate, rateOfSDK      float64 // requests in a second
	p50, p99             time.Duration
	calls                float64       // of AWS, per request
	cpu                  time.Duration // processor time of the program per request
	cpuOfSDK             float64
	allocations          float64 // per request
	residentMiB, peakMiB float64 // resident at the end, and at most
}

// newRow returns a row without names and memory. The rate and its ratio are
// those of the median round. All else is of all rounds together.
func newRow(rounds, sdk []tally) row {
	all, bare := sum(rounds), sum(sdk)
	n := len(all.took)
	var rates, ratios []float64
	for i, t := range rounds {
		rates = append(rates, t.rate())
		ratios = append(ratios, t.rate()/sdk[i].rate())
	}
	return row{
		rate:        median(rates),
		rateOfSDK:   median(ratios),
		p50:         all.took[n/2],
		p99:         all.took[n*99/100],
		calls:       float64(all.calls) / float64(n),
		cpu:         all.cpuEach(),
		cpuOfSDK:    all.cpuEach().Seconds() / bare.cpuEach().Seconds(),
		allocations: all.allocations / float64(n),
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

// roundTrips returns how many round trips the median request takes as long as.
func (r row) roundTrips() float64 { return r.p50.Seconds() / r.at.delay.Seconds() }

// printHeader prints the head of the table of a setting.
func printHeader(s setting) {
	columns := []string{"Requests/s", "Of the SDK's", "p50", "p99", "AWS calls", "CPU", "Of the SDK's", "Allocations", "Resident", "Peak"}
	if s.delay > 0 {
		columns = slices.Insert(columns, 3, "In round trips")
	}
	fmt.Println("| Request | Program | " + strings.Join(columns, " | ") + " |")
	fmt.Println("| --- | --- |" + strings.Repeat(" ---: |", len(columns)))
}

func printRows(rows []row) {
	for _, r := range rows {
		fmt.Println("| " + strings.Join(r.columns(), " | ") + " |")
	}
}

func (r row) columns() []string {
	columns := []string{
		r.request,
		r.program,
		significant(r.rate),
		fmt.Sprintf("%.2f", r.rateOfSDK),
		milliseconds(r.p50),
		milliseconds(r.p99),
		significant(r.calls),
		milliseconds(r.cpu),
		fmt.Sprintf("%.2f", r.cpuOfSDK),
		significant(r.allocations),
		fmt.Sprintf("%.0f MiB", r.residentMiB),
		fmt.Sprintf("%.0f MiB", r.peakMiB),
	}
	if r.at.delay > 0 {
		columns = slices.Insert(columns, 5, fmt.Sprintf("%.2f", r.roundTrips()))
	}
	return columns
}

// significant returns a number with about three significant digits.
func significant(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}

func milliseconds(d time.Duration) string { return significant(d.Seconds()*1000) + " ms" }

// printSummary prints the ratios of the service in short: a row for each kind
// of request, and columns for each setting.
func printSummary(settings []setting, all []row) {
	fmt.Print("\nIn short, beside the bare SDK:\n\n")
	var columns []string
	for _, s := range settings {
		columns = append(columns, summaryColumns(s)...)
	}
	fmt.Println("| Request | Program | " + strings.Join(columns, " | ") + " |")
	fmt.Println("| --- | --- |" + strings.Repeat(" ---: |", len(columns)))
	type name struct{ request, program string }
	var names []name
	cells := map[name]map[setting]row{}
	for _, r := range all {
		if !r.ofService {
			continue
		}
		n := name{r.request, r.program}
		if cells[n] == nil {
			names, cells[n] = append(names, n), map[setting]row{}
		}
		cells[n][r.at] = r
	}
	for _, n := range names {
		fmt.Printf("| %s | %s |", n.request, n.program)
		for _, s := range settings {
			fmt.Print(summaryCells(s, cells[n][s]))
		}
		fmt.Println()
	}
}

// summaryColumns returns the columns of a setting. If AWS is slow, round trips
// say more than rates.
func summaryColumns(s setting) []string {
	if s.delay > 0 {
		return []string{fmt.Sprintf("Round trips of %d ms", s.delay.Milliseconds())}
	}
	return []string{fmt.Sprintf("Rate, %d callers", s.callers), fmt.Sprintf("CPU, %d callers", s.callers)}
}

func summaryCells(s setting, r row) string {
	switch {
	case r.rate == 0 && s.delay > 0:
		return " |"
	case r.rate == 0:
		return " | |"
	case s.delay > 0:
		return fmt.Sprintf(" %.2f |", r.roundTrips())
	default:
		return fmt.Sprintf(" %.2f | %.2f |", r.rateOfSDK, r.cpuOfSDK)
	}
}

// printStarts prints how long each binary takes to start, its memory when idle,
// and its size.
func printStarts(ctx context.Context, services []binary) error {
	fmt.Println("| Program | First answer after | Resident when idle | Binary |")
	fmt.Println("| --- | ---: | ---: | ---: |")
	for _, service := range services {
		p, err := startService(ctx, service, "warn", "http://127.0.0.1:1")
		if err != nil {
			return err
		}
		time.Sleep(time.Second)
		idle := p.residentMiB()
		p.stop()
		file, err := os.Stat(service.path)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %d ms | %.1f MiB | %.1f MB |\n",
			service.name, p.took.Milliseconds(), idle, float64(file.Size())/1e6)
	}
	return nil
}
