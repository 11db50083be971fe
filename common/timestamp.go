package common

import "time"

// A Timestamp is a time of AWS. Callers get it as the contract has it: RFC
// 3339, UTC, whole seconds.
type Timestamp struct{ time.Time }

// MarshalJSON writes the time for callers.
func (t Timestamp) MarshalJSON() ([]byte, error) { return t.AppendTo(nil), nil }

// AppendTo appends the time as JSON.
func (t Timestamp) AppendTo(b []byte) []byte {
	b = t.UTC().AppendFormat(append(b, '"'), time.RFC3339)
	return append(b, '"')
}
