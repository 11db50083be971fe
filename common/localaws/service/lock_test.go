package service

import (
	"sync"
	"testing"
)

type noInput struct{}

func (noInput) Check(*Request) error { return nil }

// TestLock shows that the lock of a service is held both while a call is
// authorized and while its work is done, without a gap.
func TestLock(t *testing.T) {
	t.Parallel()
	var lock countingLock
	needs := func(*Request, noInput) []Permission {
		lock.wantHeld(t, "authorization")
		return []Permission{{Action: "test:Do", Resource: "*"}}
	}
	work := func(*Request, noInput) (any, error) {
		lock.wantHeld(t, "work")
		return nil, nil
	}
	s := Service{Name: "test", Lock: &lock, Operations: []Operation{Row("Do", nil, needs, work)}}
	if _, err := s.perform(&Request{}, s.Operations[0], noInput{}); err != nil {
		t.Fatal(err)
	}
	if lock.held || lock.locked != 1 {
		t.Errorf("held afterwards: %v; locked %d times, want once", lock.held, lock.locked)
	}
}

// TestFreeRow shows that the lock is held while a call is authorized, and not
// during its work.
func TestFreeRow(t *testing.T) {
	t.Parallel()
	var lock countingLock
	needs := func(*Request, noInput) []Permission {
		lock.wantHeld(t, "authorization")
		return []Permission{{Action: "test:Do", Resource: "*"}}
	}
	work := func(*Request, noInput) (any, error) {
		if lock.held {
			t.Error("the lock is held during the work")
		}
		return nil, nil
	}
	s := Service{Name: "test", Lock: &lock, Operations: []Operation{FreeRow("Do", nil, needs, work)}}
	if _, err := s.perform(&Request{}, s.Operations[0], noInput{}); err != nil {
		t.Fatal(err)
	}
	if lock.held || lock.locked != 1 {
		t.Errorf("held afterwards: %v; locked %d times, want once", lock.held, lock.locked)
	}
}

// countingLock is a lock that knows whether it is held.
type countingLock struct {
	sync.Mutex
	held   bool
	locked int
}

func (l *countingLock) Lock() {
	l.Mutex.Lock()
	l.held = true
	l.locked++
}

func (l *countingLock) Unlock() {
	l.held = false
	l.Mutex.Unlock()
}

func (l *countingLock) wantHeld(t *testing.T, when string) {
	t.Helper()
	if !l.held {
		t.Errorf("the lock is not held during the %s", when)
	}
}
