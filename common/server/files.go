package server

import (
	"fmt"

	"github.com/YaleSpinup/ecr-api/common"
)

const (
	// usualConnections are at most so many by default, unless maxInFlight wants
	// more. An idle one takes about 20 KiB, with TLS about 60 KiB.
	usualConnections = 1024
	// otherFiles are those that are neither of callers nor of AWS.
	otherFiles = 64
)

// maxConnections returns how many connections callers may have if the process
// may open so many files. Half of them, or more, are for callers. A request
// makes at most two calls to AWS at a time.
func maxConnections(c *common.Config, files int) (int, error) {
	calls := 2 * min(c.MaxInFlight, files)
	possible := max(files/2, files-otherFiles-calls)
	if c.MaxConnections > possible {
		return 0, fmt.Errorf("maxConnections is %d, but the process may open only %d files and needs some for AWS: %d connections at most; lower maxConnections or raise the limit (ulimit -n)",
			c.MaxConnections, files, possible)
	}
	if c.MaxConnections > 0 {
		return c.MaxConnections, nil
	}
	return min(possible, max(usualConnections, calls)), nil
}
