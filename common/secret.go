package common

import (
	"fmt"
	"io"
)

// Secret is a string that is not printed.
type Secret string

const redacted = "[redacted]"

// String keeps the secret out of %v and %s.
func (Secret) String() string { return redacted }

// GoString keeps the secret out of %#v.
func (Secret) GoString() string { return redacted }

// MarshalText keeps the secret out of JSON and structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Unprintable is embedded in a struct that has secrets. It keeps them out of %v
// and its relatives.
type Unprintable struct{}

// Format implements fmt.Formatter.
func (Unprintable) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
