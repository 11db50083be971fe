//go:build !race

package program

// buildFlags are empty without the race detector: see race_test.go.
var buildFlags []string
