package main

import (
	"strings"
	"testing"
)

// What make soak proves at length, in short.
func TestPromises(t *testing.T) {
	t.Parallel()
	binary, err := build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"all goes wrong": {Operations: 500, Workers: 64, Restarts: 2, Seed: 1, Faults: true, HangUps: 0.05, Looks: 0.2},
		"AWS is well":    {Operations: 500, Workers: 16, Restarts: 2, Seed: 2, HangUps: 0.05, Looks: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			found, err := run(t.Context(), binary, o, &said)
			t.Log(said.String())
			if err != nil || found.failed() {
				t.Errorf("a promise was broken, or this could not go on: %v", err)
			}
		})
	}
	t.Run("SIGTERM under load", func(t *testing.T) {
		t.Parallel()
		var said strings.Builder
		found, err := drainAll(t.Context(), binary, 2, &said)
		t.Log(said.String())
		if err != nil || found.failed() {
			t.Errorf("a promise was broken, or this could not go on: %v", err)
		}
	})
}
