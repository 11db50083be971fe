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
	partGroups     = "Groups"    // of a create or an update
	partSharing    = "Sharing"   // of a change of sharing
	partLifecycle  = "Lifecycle" // of a change of the lifecycle policy
)

// state is a state in which a repository can be. The zero value means that it
// does not exist.
type state struct {
	Exists     bool
	Scan       bool
	Mutability mutability
	Tags       string // all tags as JSON, in the order of their keys
	Sharing    sharing
	Lifecycle  string // the lifecycle policy in one form; empty if there is none
	Images     library
}

func (s state) String() string {
	if !s.Exists {
		return "absent"
	}
	return fmt.Sprintf("scan %t, %s, tags %s, sharing %+v, lifecycle %s, %s", s.Scan, s.Mutability, s.Tags, s.Sharing, s.Lifecycle, s.Images)
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

	showSharing   = "sharing"
	putSharing    = "put sharing"
	deleteSharing = "delete sharing"

	showLifecycle   = "lifecycle"
	putLifecycle    = "put lifecycle"
	deleteLifecycle = "delete lifecycle"
	preview         = "preview"
	showPreview     = "last preview"
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
	share    share  // of a change of sharing
	refused  bool   // of a change of sharing that AWS refuses
	document string // a lifecycle policy in one form; empty for a preview of the present one
	underWay bool   // of a preview: whether an earlier one may be under way
	user     userChange
	limited  bool // whether the key is the limited one
	outside  bool // whether that is not good for the operation
}

func (o operation) isChange() bool {
	changes := []string{create, update, remove, deleteImage, deleteMany, putSharing, deleteSharing, putLifecycle, deleteLifecycle,
		createUser, updateUser, deleteUser, makeKey, switchKey, deleteKey}
	return slices.Contains(changes, o.kind)
}

// isChangeOfRules tells whether the operation changes sharing or the lifecycle
// policy.
func (o operation) isChangeOfRules() bool {
	return slices.Contains([]string{putSharing, deleteSharing, putLifecycle, deleteLifecycle}, o.kind)
}

// isDeletion tells whether the operation deletes images, or says which ones it
// would delete.
func (o operation) isDeletion() bool {
	return slices.Contains([]string{deleteImage, deleteMany, dryRun}, o.kind)
}

// parts returns the parts that a failed answer may name.
func (o operation) parts() []string {
	switch o.kind {
	case create:
		if o.settings.groups != nil {
			return []string{partRepository, partGroups}
		}
		return []string{partRepository}
	case remove:
		return []string{partRepository}
	case putSharing, deleteSharing:
		return []string{partSharing}
	case putLifecycle, deleteLifecycle:
		return []string{partLifecycle}
	case update:
		return o.settings.parts()
	default:
		return nil
	}
}

// apply returns the state after these parts of the operation are applied. It
// returns false if the operation cannot be applied in that state.
func (o operation) apply(s state, parts []string) (state, bool) {
	switch {
	case s.Exists == (o.kind == create), o.refused, o.kind == deleteLifecycle && s.Lifecycle == "":
		return s, false
	}
	if len(parts) == 0 {
		return s, true
	}
	switch o.kind {
	case create:
		return o.applyCreate(s, parts), true
	case remove:
		return state{}, true
	case putSharing, deleteSharing:
		s.Sharing = s.Sharing.with(o.share)
	case putLifecycle, deleteLifecycle:
		s.Lifecycle = o.document
	default:
		s = s.with(o.settings, parts...)
	}
	return s, true
}

// mayHaveMade tells whether a create of the same kind may have made the
// repository. It may have set the groups or not.
func (o operation) mayHaveMade(s state) bool {
	s.Sharing = sharing{}
	return s == o.created
}

// applyCreate returns the state after these parts of a create. Nothing is shared
// unless the repository is made.
func (o operation) applyCreate(s state, parts []string) state {
	if !slices.Contains(parts, partRepository) {
		return s
	}
	if slices.Contains(parts, partGroups) {
		return o.created.with(o.settings, partGroups)
	}
	return o.created
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
	listed    []image
	deleted   *deletionAnswer // nil if there was no such answer
	sharing   *sharingAnswer  // nil if there was no such answer
	lifecycle *string         // the lifecycle policy in the answer; nil if there was none
	users     *usersAnswer    // nil if there was no such answer
	keys      keysOutcome
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
	case o.outside || out.code == keyLimited:
		return stateIf(o.outside && out.code == keyLimited, s)
	case o.isAboutUsers(): // what became of them is checked already
		return stateIf(s.Exists == (out.code != "repository-not-found") || failures[out.status], s)
	case out.status == 200 && o.twin && o.mayHaveMade(s): // docs/api.md, "Lost answers": the case that is left
		return []state{o.applyCreate(s, o.parts())}
	case out.status == 200 && !namesParts:
		return afterSuccess(s, o, out)
	case out.status == 202:
		return stateIf(o.isPreview() && o.canPreview(s), s)
	case out.status < 400 || out.status == 503 && namesParts:
		return nil
	case namesParts:
		return afterPartialFailure(s, o, out)
	case out.status == 404 && out.code == imageNotFound:
		_, found := find(s.Images.images(), idOf(o.image))
		return stateIf(o.kind == showImage && s.Exists && !found, s)
	case out.status == 404 && out.code == lifecycleNotFound:
		return stateIf(o.needsLifecycle() && s.Exists && s.Lifecycle == "", s)
	case out.status == 404 && out.code == previewNotFound:
		return stateIf(o.kind == showPreview && s.Exists, s)
	case out.status == 404 && o.kind != create && o.kind != list:
		return stateIf(!s.Exists, s)
	case out.status == 409 && o.kind == create:
		return stateIf(s.Exists, s)
	case out.status == 409 && out.code == previewUnderWay:
		return stateIf(o.underWay && s.Exists, s)
	case out.status == 400:
		return stateIf(o.refused, s)
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
	case preview, showPreview: // what it shows is compared with AWS's own preview
		return stateIf(o.canPreview(s), s)
	}
	next, ok := o.apply(s, o.parts())
	return stateIf(ok && out.tells(o, s, next), next)
}

// tells tells whether the answer to a success is true, if there was an answer.
func (out outcome) tells(o operation, before, after state) bool {
	lifecycle := after.Lifecycle
	if o.kind == deleteLifecycle { // the answer shows what was deleted
		lifecycle = before.Lifecycle
	}
	return (out.seen == nil || *out.seen == o.shown(before, after)) &&
		(out.sharing == nil || *out.sharing == after.Sharing.answer()) &&
		(out.lifecycle == nil || *out.lifecycle == lifecycle && lifecycle != "")
}

// shown returns what an answer with a repository tells of it.
func (o operation) shown(before, after state) state {
	shown := after
	if o.kind == remove { // the answer shows what was deleted
		shown = before
	}
	shown.Images, shown.Lifecycle, shown.Sharing = "", "", sharing{}
	if o.settings.groups != nil {
		shown.Sharing.Groups = *o.settings.groups
	}
	return shown
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
