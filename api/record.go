package api

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"github.com/gorilla/mux"
)

// A record holds the settings of a request, and what the service learns about
// the request until it is answered. The log line is made from it.
type record struct {
	start        time.Time
	settings     *settings // taken once, so that a reload in between has no effect
	match        mux.RouteMatch
	id           string
	traceID      string // of the caller; may be empty
	answer       statusWriter
	key          string         // name of the key that the token is a hash of
	limits       *common.Limits // of the key; nil if it has none
	limit        string         // of the key, if the request is outside of it
	action       string         // name of the row
	probe        bool           // the row is one
	changes      bool           // the row changes something
	givesAccess  bool           // the row does
	dryRun       bool           // the request only asks what the row would change
	path         pathValues     // empty until it is checked
	session      string         // name of the AWS session
	access       access         // for the caller
	sharing      sharing        // that the caller asked for
	madeKey      string         // id of the access key that the request has made
	deletedUsers []string       // with the repository
	takenOver    bool           // a user has become as the service makes one
	callerGone   bool           // before the end of the answer was sent
	left         error          // what a request that was answered with a success has not done
	err          error          // with which the request was answered
	problem      common.Code    // of the problem document; empty if there is none
	took         time.Duration  // until the answer
	inAWS        time.Duration  // for which the request waited for AWS

	mu          sync.Mutex
	awsCalls    []roles.Call // some run at the same time
	sharedWith  string       // id of the request with whose answer this one was answered
	memoryWait  time.Duration
	images      int // that the request has deleted
	imageTags   int
	deletedKeys []string // ids of the access keys that the request has deleted
}

// noteDeletedKey keeps the id of an access key for the log line.
func (rec *record) noteDeletedKey(id string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if !slices.Contains(rec.deletedKeys, id) {
		rec.deletedKeys = append(rec.deletedKeys, id)
	}
}

// access says which access to a repository a caller has asked for, and got.
type access struct {
	asked   string    // name in the row's Access
	session string    // name of the AWS session that has it; empty if there is none
	expires time.Time // as the caller is told; zero if there is nothing to tell
}

// sharing says with whom a caller has asked to share a repository. A nil list was
// not asked for.
type sharing struct{ groups, accounts []string }

type recordKey struct{}

func recordOf(r *http.Request) *record {
	return r.Context().Value(recordKey{}).(*record)
}

// noteCall keeps a call to AWS for the log line. CloudTrail has the call under
// the same request id.
func (rec *record) noteCall(call roles.Call) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.awsCalls = append(rec.awsCalls, call)
}

// forReading returns a record for the calls of a reading that may be for several
// requests, of which this is the first.
func (rec *record) forReading() *record {
	return &record{start: rec.start, settings: rec.settings, id: rec.id, traceID: rec.traceID}
}

// noteMemoryWait adds a wait for memory that ends now.
func (rec *record) noteMemoryWait(start time.Time) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.memoryWait += time.Since(start)
}

// noteReading keeps what a reading that may be for several requests has noted.
func (rec *record) noteReading(reading *record, joined bool) {
	reading.mu.Lock()
	calls, sharedWith, wait := slices.Clone(reading.awsCalls), reading.sharedWith, reading.memoryWait
	reading.mu.Unlock()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.awsCalls = append(rec.awsCalls, calls...)
	rec.memoryWait += wait
	rec.sharedWith = sharedWith
	if joined {
		rec.sharedWith = cmp.Or(sharedWith, reading.id)
	}
}

// timeInAWS returns how long the request waited for AWS.
func (rec *record) timeInAWS() time.Duration {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return timeOf(rec.awsCalls)
}

// timeOf returns how long at least one of the calls was under way.
func timeOf(calls []roles.Call) (total time.Duration) {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b roles.Call) int { return a.Start.Compare(b.Start) })
	var until time.Time
	for _, call := range calls {
		from := call.Start
		if from.Before(until) {
			from = until
		}
		if call.End.After(from) {
			total += call.End.Sub(from)
			until = call.End
		}
	}
	return total
}
