package ecr

import "time"

// timestamp writes a time as the contract has it: RFC 3339, UTC, whole seconds.
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// optionalTimestamp is timestamp for a time that AWS may leave out.
func optionalTimestamp(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := timestamp(*t)
	return &s
}
