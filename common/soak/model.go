package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The parts of a change, as problems name them in "applied" and "unknown".
const (
	partRepository = "Repository" // of a create and of a delete
	partScan       = "ScanOnPush"
	partMutability = "ImageTagMutability"
	partTags       = "Tags"
)

// A state is what a repository can be. The zero value is one that is not there.
type state struct {
	Exists     bool
	Scan       bool
	Mutability string
	Tags       string // JSON, by key, the service's own tags among them
}

func (s state) String() string {
	if !s.Exists {
		return "absent"
	}
	return fmt.Sprintf("scan %t, %s, tags %s", s.Scan, s.Mutability, s.Tags)
}

// settings are what a create or an update sends. What is nil it leaves out.
type settings struct {
	scan       *bool
	mutability *string
	tags       map[string]string
}

// parts returns the parts that the settings set.
func (c settings) parts() []string {
	var list []string
	if c.scan != nil {
		list = append(list, partScan)
	}
	if c.mutability != nil {
		list = append(list, partMutability)
	}
	if len(c.tags) > 0 {
		list = append(list, partTags)
	}
	return list
}

// with returns the state after these parts of the settings were applied.
func (s state) with(c settings, parts ...string) state {
	for _, part := range parts {
		switch part {
		case partScan:
			s.Scan = *c.scan
		case partMutability:
			s.Mutability = *c.mutability
		case partTags:
			s.Tags = mergeTags(s.Tags, c.tags)
		}
	}
	return s
}

func mergeTags(present string, more map[string]string) string {
	tags := map[string]string{}
	if present != "" {
		json.Unmarshal([]byte(present), &tags) // is what this function made
	}
	maps.Copy(tags, more)
	merged, _ := json.Marshal(tags) // strings always encode, by key
	return string(merged)
}

// Kinds of operations.
const (
	create = "create"
	update = "update"
	remove = "delete"
	show   = "show"
	list   = "list"
	images = "images"
)

// An operation is what a request asks for of one repository.
type operation struct {
	kind     string
	settings settings // of an update
	created  state    // by a create
}

// parts returns what a failed answer may call applied or unknown.
func (o operation) parts() []string {
	switch o.kind {
	case create, remove:
		return []string{partRepository}
	case update:
		return o.settings.parts()
	default:
		return nil
	}
}

// effect returns the state after these parts of the operation, and false where it
// cannot be applied at all.
func (o operation) effect(s state, parts []string) (state, bool) {
	if s.Exists == (o.kind == create) {
		return s, false
	}
	if len(parts) == 0 {
		return s, true
	}
	switch o.kind {
	case create:
		return o.created, true
	case remove:
		return state{}, true
	default:
		return s.with(o.settings, parts...), true
	}
}

// An outcome is what became known of a request: by its answer, or by its line in
// the log where the caller left.
type outcome struct {
	status           int // 0: it was never read, so nothing was done
	applied, unknown []string
	seen             *state // the repository in the answer; for a list, whether it is there
}

// failures are the statuses with which a request may fail that asks for nothing
// wrong: AWS throttles, fails or is slow, the service is overloaded, the caller
// of a read has left.
var failures = map[int]bool{429: true, 499: true, 500: true, 503: true, 504: true}

// judge returns which states are possible after an operation with that outcome,
// of those that were possible before. None means that the outcome is a lie.
func judge(before []state, o operation, out outcome) []state {
	var after []state
	for _, s := range before {
		for _, next := range explain(s, o, out) {
			if !slices.Contains(after, next) {
				after = append(after, next)
			}
		}
	}
	return after
}

// explain returns what an operation on a repository of that state can have led
// to, none where it cannot have had that outcome.
func explain(s state, o operation, out outcome) []state {
	admits := len(out.applied)+len(out.unknown) > 0
	switch {
	case out.status == 0:
		return []state{s}
	case out.status == 200 && !admits:
		return succeeded(s, o, out.seen)
	case out.status < 400 || out.status == 503 && admits:
		return nil
	case admits:
		return partly(s, o, out)
	case out.status == 404 && o.kind != create && o.kind != list:
		return only(!s.Exists, s)
	case out.status == 409 && o.kind == create:
		return only(s.Exists, s)
	default:
		return only(failures[out.status], s)
	}
}

func only(ok bool, s state) []state {
	if !ok {
		return nil
	}
	return []state{s}
}

// succeeded explains a 200. Of a delete it shows what was deleted.
func succeeded(s state, o operation, seen *state) []state {
	if o.kind == list {
		return only(seen == nil || seen.Exists == s.Exists, s)
	}
	next, ok := o.effect(s, o.parts())
	shown := next
	if o.kind == remove {
		shown = s
	}
	if o.kind == images && seen != nil { // which tell no more than that it is there
		shown = *seen
	}
	return only(ok && (seen == nil || *seen == shown), next)
}

// partly explains a failure that admits to parts: what is applied is done, and
// of what is unknown any part may be.
func partly(s state, o operation, out outcome) []state {
	if !disjointParts(o, out) {
		return nil
	}
	if _, ok := o.effect(s, nil); !ok {
		return only(len(out.applied) == 0, s)
	}
	var after []state
	for subset := range 1 << len(out.unknown) {
		parts := slices.Clone(out.applied)
		for i, part := range out.unknown {
			if subset&(1<<i) != 0 {
				parts = append(parts, part)
			}
		}
		next, _ := o.effect(s, parts)
		after = append(after, next)
	}
	return after
}

// disjointParts tells whether the problem names parts of the operation, and each
// but once.
func disjointParts(o operation, out outcome) bool {
	left := o.parts()
	for _, part := range slices.Concat(out.applied, out.unknown) {
		i := slices.Index(left, part)
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// text lists states, for a report.
func text(states []state) string {
	lines := make([]string, len(states))
	for i, s := range states {
		lines[i] = s.String()
	}
	return strings.Join(lines, "\n    or ")
}
