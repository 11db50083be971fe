package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// warmUp is how long requests are sent to a program before it is measured.
const warmUp = 300 * time.Millisecond

// A cell is a scenario in a setting, with the programs that are measured.
type cell struct {
	scenario
	setting
	aws      *process
	programs []*process
	length   time.Duration
}

// measureScenario starts the local AWS and the programs, measures the programs,
// and stops everything. It returns a row for each program and step.
func measureScenario(ctx context.Context, o options, sc scenario, s setting) ([]row, error) {
	aws, err := startAWS(ctx, sc.contents, s.delay)
	if err != nil {
		return nil, err
	}
	defer aws.stop()
	programs, err := startPrograms(ctx, o.services, o.levelsFor(sc, s), aws.url)
	if err != nil {
		return nil, err
	}
	defer stopAll(programs)
	c := cell{sc, s, aws, programs, time.Duration(o.seconds * float64(time.Second))}
	results, err := c.measureRounds(o.rounds)
	if err != nil {
		return nil, err
	}
	if err := c.saveProfiles(o.profiles); err != nil {
		return nil, err
	}
	return c.rows(o, results), nil
}

// results are the tallies of all rounds by program, and then by the number of
// the step.
type results map[*process][][]tally

// measureRounds measures the programs in turn. Each round begins with another
// program, so that none always follows the same one.
func (c cell) measureRounds(rounds int) (results, error) {
	all := results{}
	for _, p := range c.programs {
		if _, err := c.driveSteps(p, warmUp); err != nil {
			return nil, err
		}
		if err := p.measureOwnAllocations(); err != nil {
			return nil, err
		}
		all[p] = make([][]tally, len(c.steps))
	}
	for i := range rounds {
		first := i % len(c.programs)
		for _, p := range slices.Concat(c.programs[first:], c.programs[:first]) {
			tallies, err := c.driveSteps(p, c.length)
			if err != nil {
				return nil, err
			}
			for step, t := range tallies {
				all[p][step] = append(all[p][step], t)
			}
		}
	}
	return all, nil
}

// driveSteps sends the requests of all steps to a program.
func (c cell) driveSteps(p *process, length time.Duration) (tallies []tally, err error) {
	for i := range c.steps {
		t, err := c.driveStep(i, p, length)
		if err != nil {
			return nil, err
		}
		tallies = append(tallies, t)
	}
	return tallies, nil
}

// driveStep sends the requests of a step to a program. The first step takes
// that length of time. The steps after it send requests of the same numbers.
func (c cell) driveStep(i int, p *process, length time.Duration) (tally, error) {
	s := &sending{step: c.steps[i], to: p}
	if i == 0 {
		p.first = p.next
		s.length = length
	} else {
		s.end = p.next
	}
	s.next.Store(p.first)
	t, err := drive(s, c.aws, c.callers)
	if err == nil && len(t.took) == 0 {
		err = fmt.Errorf("%s answered no %s in that time", p.label(), s.step.name)
	}
	p.next = p.first + int64(len(t.took))
	return t, err
}

// rows returns what was measured of the steps that are wanted.
func (c cell) rows(o options, all results) (rows []row) {
	sdk := all[c.programs[slices.IndexFunc(c.programs, func(p *process) bool { return p.name == sdkName })]]
	for i, st := range c.steps {
		if !o.wants(st.name) {
			continue
		}
		for _, p := range c.programs {
			r := newRow(all[p][i], sdk[i])
			r.at, r.request, r.program, r.ofService = c.setting, st.name, p.label(), p.level != ""
			r.residentMiB, r.peakMiB = p.residentMiB(), p.peakMiB()
			rows = append(rows, r)
		}
	}
	return rows
}

// saveProfiles writes profiles of each program into the folder, one for each
// step, while requests are sent to it once more.
func (c cell) saveProfiles(folder string) error {
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, p := range c.programs {
		for i := range c.steps {
			if err := c.profileStep(i, p, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// profileStep writes a profile of the program, and one of the local AWS at the
// same time.
func (c cell) profileStep(i int, p *process, folder string) error {
	name := fmt.Sprintf("%s-%s-%d-%s", c.steps[i].name, c.delay, c.callers, p.label())
	file := filepath.Join(folder, strings.NewReplacer(", ", "-", " ", "-", "/", "-").Replace(name))
	var all errgroup.Group
	all.Go(func() error { return p.saveProfile(file+".pprof", c.length) })
	all.Go(func() error { return c.aws.saveProfile(file+"-aws.pprof", c.length) })
	all.Go(func() error {
		_, err := c.driveStep(i, p, c.length)
		return err
	})
	return all.Wait()
}

// saveProfile writes a CPU profile of the program into the file.
func (p *process) saveProfile(file string, length time.Duration) error {
	response, err := http.Get(fmt.Sprintf("%s/debug/pprof/profile?seconds=%.0f", p.profiler, max(1, length.Seconds())))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(file, profile, 0o644)
}
