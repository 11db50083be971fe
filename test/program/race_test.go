//go:build race

package program

// buildFlags have the program built with the race detector, as its tests are.
var buildFlags = []string{"-race"}
