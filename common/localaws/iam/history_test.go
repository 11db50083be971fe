package iam

import (
	"testing"
	"time"
)

// TestOldVersionsAreForgotten shows that a user keeps no version that nobody
// sees any more, and that nothing is kept of a deleted one.
func TestOldVersionsAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := New(func() time.Time { return now })
	s.SetDelay(time.Minute)
	kept := func() int { return len(s.account("1").users["me"]) }
	for range 100 {
		s.put("1", "me", newUser("1", "/", "me", now), now)
		now = now.Add(10 * time.Second)
	}
	if n := kept(); n != 7 {
		t.Errorf("%d versions are kept, want the one that is seen and the six that will be", n)
	}
	s.put("1", "me", nil, now)
	now = now.Add(time.Minute)
	if users := s.allSeen("1", now); len(users) != 0 || len(s.account("1").users) != 0 {
		t.Errorf("after the deletion %d users are seen, and %d are kept", len(users), len(s.account("1").users))
	}
}
