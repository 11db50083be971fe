package main

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// watched is a document of a repository in AWS: its policy, or its lifecycle
// policy.
type watched struct {
	get, set, remove string // the calls of the service
	read             func(a *faultyAWS, account, name string) (string, error)
	write            func(a *faultyAWS, account, name, text string) error
}

var (
	policies = watched{"GetRepositoryPolicy", "SetRepositoryPolicy", "DeleteRepositoryPolicy",
		(*faultyAWS).policyOf, (*faultyAWS).setPolicy}
	lifecycles = watched{"GetLifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy",
		(*faultyAWS).lifecycleOf, (*faultyAWS).setLifecycle}
)

// others is the name of the events of who is not the service.
const others = "others"

// event is a call of the service about a document, or a change by others.
type event struct {
	operation     string // of the service, or others
	code          string // AWS's error; empty if it succeeded
	before, after string // the document, empty if there is none
}

func (e event) String() string {
	text := fmt.Sprintf("%s %s", e.operation, e.code)
	if e.before != e.after {
		text += " from " + e.before
	}
	return text + " to " + e.after
}

// isLost tells whether AWS did not say what it did.
func (e event) isLost() bool {
	return e.code == "ServerException" || e.code == "localaws.Dropped"
}

// intrusion is a change that others make right after a call of the service.
type intrusion struct {
	after     int                     // the number of the call
	afterLost bool                    // only after a change that AWS has made without saying so, whatever its number
	text      func(now string) string // what others write
}

// policyWatch writes down what becomes of a document while the service works on
// it. Others may change the document right after a call of the service. So it is
// certain what the service has seen, and what it must make of it.
type policyWatch struct {
	watched
	aws           *faultyAWS
	account, name string
	plan          []intrusion

	mu     sync.Mutex
	ended  bool
	now    string
	calls  int
	events []event
	err    error
}

// begin begins to follow the calls of the service.
func (p *policyWatch) begin() {
	p.now, p.err = p.read(p.aws, p.account, p.name)
	p.aws.follow(p.account, p.name, p.see)
}

// end ends it, and returns what has happened. After that others write nothing
// more.
func (p *policyWatch) end() ([]event, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.aws.follow(p.account, p.name, nil)
	return p.events, p.err
}

// see is told of a call of the service before the call is answered.
func (p *policyWatch) see(call localaws.Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	isWrite := call.Operation == p.set || call.Operation == p.remove
	if p.ended || p.err != nil || call.Operation != p.get && !isWrite || call.ErrorCode == localaws.CodeClientGone {
		return // AWS has done nothing for a client that is gone, and the service may have made the next call already
	}
	p.note(call.Operation, call.ErrorCode)
	last := p.events[len(p.events)-1]
	for _, i := range p.plan {
		lost := isWrite && last.isLost() && last.before != last.after
		if i.afterLost && lost || !i.afterLost && i.after == p.calls {
			p.intrude(i)
		}
	}
	p.calls++
}

// note writes an event down.
func (p *policyWatch) note(operation, code string) {
	after, err := p.read(p.aws, p.account, p.name)
	p.events = append(p.events, event{operation, code, p.now, after})
	p.now, p.err = after, err
}

func (p *policyWatch) intrude(i intrusion) {
	if p.err != nil {
		return
	}
	text := i.text(p.now)
	if text == p.now {
		return
	}
	if p.err = p.write(p.aws, p.account, p.name, text); p.err == nil {
		p.note(others, "")
	}
}

// hasOthers tells whether others have changed the document.
func hasOthers(events []event) bool {
	for _, e := range events {
		if e.operation == others {
			return true
		}
	}
	return false
}

// chooseMoments returns moments for up to two intrusions.
func chooseMoments(random *rand.Rand) []intrusion {
	moments := make([]intrusion, random.IntN(3))
	for n := range moments {
		moments[n] = intrusion{after: random.IntN(4), afterLost: random.IntN(3) == 0}
	}
	return moments
}

// planSharing returns what others do with the policy of a repository: another
// service writes its statement, another copy of this service shares with others,
// or somebody deletes the policy.
func planSharing(random *rand.Rand, r *repository) []intrusion {
	plan := chooseMoments(random)
	for n := range plan {
		next := sharing{Frame: chooseFrame(random)}
		c := chooseLists(random, r)
		what := random.IntN(5)
		plan[n].text = func(text string) string {
			now := readPolicy(text, r.account)
			switch what {
			case 0, 1: // ours stay
				next.Groups, next.Accounts, next.Earlier = now.Groups, now.Accounts, now.Earlier
			case 2, 3:
				next = now.with(c)
			default:
				next = sharing{}
			}
			return next.text(r.account)
		}
	}
	return plan
}

// planLifecycle returns what others do with the lifecycle policy of a repository:
// they put another one.
func planLifecycle(random *rand.Rand, id string) []intrusion {
	plan := chooseMoments(random)
	for n := range plan {
		document := newDocument(random, fmt.Sprintf("others %d during %s", n, id))
		plan[n].text = func(string) string { return document }
	}
	return plan
}
