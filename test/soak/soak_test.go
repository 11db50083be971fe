package main

import (
	"strings"
	"testing"
)

// This is a short run of "make soak".
func TestPromises(t *testing.T) {
	t.Parallel()
	binary, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"with faults":    {Operations: 500, Workers: 64, Restarts: 2, Seed: 1, Faults: true, HangUps: 0.05, CompareShare: 0.2},
		"without faults": {Operations: 500, Workers: 16, Restarts: 2, Seed: 2, HangUps: 0.05, CompareShare: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			r, err := run(t.Context(), binary, o, &out)
			t.Log(out.String())
			if err != nil || r.hasViolations() {
				t.Errorf("there are violations, or the run could not go on: %v", err)
			}
		})
	}
	t.Run("SIGTERM under load", func(t *testing.T) {
		t.Parallel()
		var out strings.Builder
		r, err := drainTimes(t.Context(), binary, 2, &out)
		t.Log(out.String())
		if err != nil || r.hasViolations() {
			t.Errorf("there are violations, or the run could not go on: %v", err)
		}
	})
}
