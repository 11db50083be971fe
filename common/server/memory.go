package server

import (
	"math"
	"os"
	"runtime/debug"
)

const (
	// memoryLimit is GOMEMLIMIT. It is enough for the service itself and
	// maxInFlight requests, beside the lists.
	memoryLimit = 128 << 20
	// listsPart is which part of the memory limit long lists may take. As much
	// again is for garbage, and the rest for all other requests.
	listsPart = 3
	// garbagePercent is GOGC. With Go's default of 100, a tenth of the
	// processor time would go to collecting garbage from a heap of a few MiB.
	garbagePercent = 400
)

// limitMemory lets garbage grow to several times the size of what is in use,
// but not beyond a limit. Near the limit Go collects harder. The environment
// variables GOMEMLIMIT and GOGC take precedence. Where they switch the limit
// off, garbage grows as Go does it by default. It returns how much memory is
// for long lists.
// https://go.dev/doc/gc-guide#Memory_limit
func limitMemory() (lists int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return memoryLimit / listsPart
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	return limit / listsPart
}
