package service

import (
	"maps"
	"time"
)

// minSweep is how many values there are at least before old ones are removed.
const minSweep = 1024

// Keeper keeps values by a key, each until its time. It looks for old ones only
// after the number of values has doubled, so that adding one stays cheap. It is
// not safe for concurrent use.
type Keeper[Value any] struct {
	until   func(Value) time.Time
	values  map[string]Value
	sweepAt int // when there are this many values, old ones are removed
}

// NewKeeper returns a Keeper without values. until says until when a value is
// kept.
func NewKeeper[Value any](until func(Value) time.Time) *Keeper[Value] {
	return &Keeper[Value]{until: until, values: make(map[string]Value), sweepAt: minSweep}
}

// Add adds a value.
func (k *Keeper[Value]) Add(key string, value Value, now time.Time) {
	if len(k.values) >= k.sweepAt {
		k.Remove(func(old Value) bool { return now.After(k.until(old)) })
		k.sweepAt = max(minSweep, 2*len(k.values))
	}
	k.values[key] = value
}

// Get returns the value of a key, and whether there is one. It may be an old one.
func (k *Keeper[Value]) Get(key string) (Value, bool) {
	value, ok := k.values[key]
	return value, ok
}

// Remove removes the values for which the function returns true.
func (k *Keeper[Value]) Remove(old func(Value) bool) {
	maps.DeleteFunc(k.values, func(_ string, value Value) bool { return old(value) })
}

// Len returns how many values there are.
func (k *Keeper[Value]) Len() int { return len(k.values) }
