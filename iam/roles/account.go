package roles

import (
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	lru "github.com/hashicorp/golang-lru/v2"
)

// accounts remember something of AWS accounts. Accounts that are not known have
// a memory of their own, because anybody with a token may name any twelve digits.
type accounts struct {
	known, strangers *lru.Cache[string, *accountMemory]
}

// An accountMemory is what is remembered of an AWS account. All sessions in the
// account share it.
type accountMemory struct {
	id         string
	known      atomic.Bool // it is in the configuration, or its role was assumed
	budget     *budget     // of ECR
	refusal    atomic.Pointer[refusal]
	noIdentity noIdentity

	maxDuration maxDuration
}

// A refusal is an AccessDenied of STS for an account. It is remembered for a
// few seconds. So further requests for that account do not wait for STS, and
// STS does not throttle the service.
type refusal struct {
	err   error
	until time.Time
}

// get returns the memory of the account. The account is known from now on if the
// configuration lists it.
func (a *accounts) get(id string, listed bool, o Observer) *accountMemory {
	if kept, ok := a.known.Get(id); ok {
		return kept
	}
	kept, ok := a.strangers.Get(id)
	if !ok {
		kept = &accountMemory{id: id, budget: newBudget(o)}
	}
	if listed {
		a.know(kept)
		return kept
	}
	if other, ok, _ := a.strangers.PeekOrAdd(id, kept); ok {
		return other
	}
	return kept
}

// know notes that the account is known.
func (a *accounts) know(m *accountMemory) {
	m.known.Store(true)
	if _, ok := a.known.Get(m.id); !ok {
		a.known.Add(m.id, m)
	}
	a.strangers.Remove(m.id)
}

// refused returns the refusal of the account, if there was one some seconds
// ago.
func (m *accountMemory) refused() error {
	if last := m.refusal.Load(); last != nil && time.Now().Before(last.until) {
		return last.err
	}
	return nil
}

// remember keeps the error if it is a refusal.
func (m *accountMemory) remember(err error) {
	if common.CodeOf(err) == common.RoleRefused {
		m.refusal.Store(&refusal{err: err, until: time.Now().Add(refusalMemory)})
	}
}
