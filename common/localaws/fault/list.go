package fault

import (
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// List holds the faults in force, in the order in which they were injected. It
// is safe for concurrent use, and the zero value is empty.
type List struct {
	mu     sync.Mutex
	faults []*activeFault
	lastID int
}

// activeFault is a fault in force, with its id and its hits so far.
type activeFault struct {
	Fault
	id, hits int
}

// Inject adds a fault. It returns a function that removes it.
func (l *List) Inject(f Fault) (remove func()) {
	id := l.add(f)
	return func() { l.remove(id) }
}

// FaultFor returns the fault that hits the call, nil if there is none.
func (l *List) FaultFor(c service.Call) service.Fault {
	l.mu.Lock()
	candidates := slices.Clone(l.faults)
	l.mu.Unlock()
	for _, a := range candidates {
		// When is code of the user. It runs without the lock, because it may
		// inject or remove faults.
		if a.matches(c) && (a.AfterBytes > 0 || l.countHit(a)) {
			return hit{a.Fault, func() bool { return l.countHit(a) }}
		}
	}
	return nil
}

// add returns the id of the fault. No id is given twice.
func (l *List) add(f Fault) (id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastID++
	l.faults = append(l.faults, &activeFault{Fault: f, id: l.lastID})
	return l.lastID
}

// remove reports whether the fault was still in force.
func (l *List) remove(id int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.faults)
	l.faults = slices.DeleteFunc(l.faults, func(a *activeFault) bool { return a.id == id })
	return len(l.faults) < before
}

func (l *List) removeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = nil
}

// inForce returns copies of the faults, with their hits so far.
func (l *List) inForce() []activeFault {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []activeFault
	for _, a := range l.faults {
		list = append(list, *a)
	}
	return list
}

func (a *activeFault) matches(c service.Call) bool {
	if a.Operation != "*" && a.Operation != c.Service+":"+c.Operation {
		return false
	}
	if a.Probability > 0 && rand.Float64() >= a.Probability {
		return false
	}
	return a.When == nil || a.When(c)
}

// countHit counts a hit and removes the fault after its last one. It returns
// false if the fault has been removed in the meantime.
func (l *List) countHit(a *activeFault) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.faults, a) {
		return false
	}
	a.hits++
	if a.hits == a.Times {
		l.faults = slices.DeleteFunc(l.faults, func(b *activeFault) bool { return a == b })
	}
	return true
}
