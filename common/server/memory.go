package server

import (
	"math"
	"os"
	"runtime/debug"
)

const (
	// memoryLimit is enough for sixteen answers of 10,000 images at a time.
	memoryLimit = 128 << 20
	// garbagePercent is GOGC. With Go's default of 100, a tenth of the
	// processor time would go to collecting garbage from a heap of a few MiB.
	garbagePercent = 400
)

// limitMemory lets garbage grow to several times the size of what is in use,
// but not beyond a limit. Near the limit Go collects harder. The environment
// variables GOMEMLIMIT and GOGC take precedence. Where they switch the limit
// off, garbage grows as Go does it by default.
// https://go.dev/doc/gc-guide#Memory_limit
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	limited := debug.SetMemoryLimit(-1) < math.MaxInt64
	if limited && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}
