package main

import (
	"fmt"
	"slices"
	"strings"
)

// The parts of a change, as the problem documents name them in "applied" and
// "unknown".
const (
	partRepository = "Repository" // of a create or a delete
	partScan       = "ScanOnPush"
	partMutability = "ImageTagMutability"
	partTags       = "Tags"
)

// state is a state in which a repository can be. The zero value means that it
// does not exist.
type state struct {
	Exists     bool
	Scan       bool
	Mutability mutability
	Tags       string // all tags as JSON, in the order of their keys
	Images     library
}

func (s state) String() string {
	if !s.Exists {
		return "absent"
	}
	return fmt.Sprintf("scan %t, %s, tags %s, %s", s.Scan, s.Mutability, s.Tags, s.Images)
}

// The kinds of operations.
const (
	create = "create"
	update = "update"
	remove = "delete"
	show   = "show"
	list   = "list"
	login  = "credentials"

	listImages  = "images"
	pageImages  = "images in pages"
	showImage   = "image"
	deleteImage = "delete image"
	deleteMany  = "delete images"
	dryRun      = "dry run"
)

// operation is what a request asks the service to do with one repository.
type operation struct {
	kind     string
	settings settings // of a create or an update
	created  state    // the state after a create
	twin     bool     // of a create that another process may have done a moment ago
	access   string   // of credentials
	image    string   // digest or tag of the image that is shown or deleted
	query    imageQuery
}

func (o operation) isChange() bool {
	return slices.Contains([]string{create, update, remove, deleteImage, deleteMany}, o.kind)
}

// isDeletion tells whether the operation deletes images, or says which ones it
// would delete.
func (o operation) isDeletion() bool {
	return slices.Contains([]string{deleteImage, deleteMany, dryRun}, o.kind)
}

// parts returns the parts that a failed answer may name.
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

// apply returns the state after these parts of the operation are applied. It
// returns false if the operation cannot be applied in that state.
func (o operation) apply(s state, parts []string) (state, bool) {
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

// outcome is what is known about how a request ended. It comes from the answer,
// or from the log if the caller hung up.
type outcome struct {
	status           int // 0 means that the service did not read the request and did nothing
	code             string
	applied, unknown []string

	// seen is the repository in the answer, or nil. For a list, only Exists is
	// set: whether the repository is in the list.
	seen *state
	// listed has the images in the answer, with their times in whole seconds. It
	// is nil if there was no such answer.
	listed  []image
	deleted *deletionAnswer // nil if there was no such answer
}

// failures are the statuses of good requests that fail: AWS throttles, fails or
// is slow, the service has too many requests, or the caller of a read hung up.
var failures = map[int]bool{429: true, 499: true, 500: true, 503: true, 504: true}

// statesAfter returns the states that are possible after an operation with that
// outcome. before has the states that were possible before it. If no state is
// possible, the outcome cannot be true.
func statesAfter(before []state, o operation, out outcome) []state {
	var after []state
	for _, s := range before {
		for _, next := range statesFrom(s, o, out) {
			if !slices.Contains(after, next) {
				after = append(after, next)
			}
		}
	}
	return after
}

// statesFrom is statesAfter for one state before.
func statesFrom(s state, o operation, out outcome) []state {
	namesParts := len(out.applied)+len(out.unknown) > 0
	switch {
	case out.status == 0:
		return []state{s}
	case out.status == 200 && o.twin && s == o.created: // docs/api.md, "Lost answers": the case that is left
		return []state{s}
	case out.status == 200 && !namesParts:
		return afterSuccess(s, o, out)
	case out.status < 400 || out.status == 503 && namesParts:
		return nil
	case namesParts:
		return afterPartialFailure(s, o, out)
	case out.status == 404 && out.code == imageNotFound:
		_, found := find(s.Images.images(), idOf(o.image))
		return stateIf(o.kind == showImage && s.Exists && !found, s)
	case out.status == 404 && o.kind != create && o.kind != list:
		return stateIf(!s.Exists, s)
	case out.status == 409 && o.kind == create:
		return stateIf(s.Exists, s)
	default:
		return stateIf(failures[out.status], s)
	}
}

// stateIf returns the state if ok, otherwise none.
func stateIf(ok bool, s state) []state {
	if !ok {
		return nil
	}
	return []state{s}
}

// afterSuccess returns the state after the status 200.
func afterSuccess(s state, o operation, out outcome) []state {
	switch o.kind {
	case list:
		return stateIf(out.seen == nil || out.seen.Exists == s.Exists, s)
	case pageImages: // what it shows is checked after the last page
		return stateIf(s.Exists, s)
	case listImages, showImage:
		return stateIf(s.Exists && o.shows(s.Images.images(), out.listed), s)
	}
	next, ok := o.apply(s, o.parts())
	shown := next
	if o.kind == remove { // the answer shows what was deleted
		shown = s
	}
	shown.Images = "" // the answer does not tell them
	return stateIf(ok && (out.seen == nil || *out.seen == shown), next)
}

// afterPartialFailure returns the states after a failure that names parts. Each
// applied part is done, and each unknown part may be done.
func afterPartialFailure(s state, o operation, out outcome) []state {
	if !namesOwnParts(o, out) {
		return nil
	}
	if _, ok := o.apply(s, nil); !ok {
		return stateIf(len(out.applied) == 0, s)
	}
	var after []state
	for subset := range 1 << len(out.unknown) {
		parts := slices.Clone(out.applied)
		for i, part := range out.unknown {
			if subset&(1<<i) != 0 {
				parts = append(parts, part)
			}
		}
		next, _ := o.apply(s, parts)
		after = append(after, next)
	}
	return after
}

// namesOwnParts tells whether the outcome names only parts of the operation,
// and each part at most once.
func namesOwnParts(o operation, out outcome) bool {
	remaining := o.parts()
	for _, part := range slices.Concat(out.applied, out.unknown) {
		i := slices.Index(remaining, part)
		if i < 0 {
			return false
		}
		remaining = slices.Delete(remaining, i, i+1)
	}
	return true
}

// joinStates returns the states as text, for a report.
func joinStates(states []state) string {
	lines := make([]string, len(states))
	for i, s := range states {
		lines[i] = s.String()
	}
	return strings.Join(lines, "\n    or ")
}
