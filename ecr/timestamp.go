package ecr

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// A Timestamp is a time of AWS. Callers get it as the contract has it: RFC
// 3339, UTC, whole seconds.
type Timestamp struct{ time.Time }

// timestampOf returns nil for nil.
func timestampOf(t *time.Time) *Timestamp {
	if t == nil {
		return nil
	}
	return &Timestamp{*t}
}

// MarshalJSON writes the time for callers.
func (t Timestamp) MarshalJSON() ([]byte, error) { return t.appendTo(nil), nil }

func readTimestamp(d *jsontext.Decoder, t *Timestamp) error { return readTime(d, &t.Time) }

func (t Timestamp) appendTo(b []byte) []byte {
	b = t.UTC().AppendFormat(append(b, '"'), time.RFC3339)
	return append(b, '"')
}
