//go:build unix

package server

import (
	"math"
	"syscall"
)

// fileLimit returns how many files the process may open. Go has already raised
// the soft limit to the hard one.
func fileLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxInt32
	}
	return int(min(limit.Cur, math.MaxInt32))
}
