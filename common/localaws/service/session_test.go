package service

import (
	"testing"
	"time"
)

func TestOldSessionsAreForgotten(t *testing.T) {
	t.Parallel()
	sessions := NewSessions()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 20 * minSweep {
		now = now.Add(10 * time.Second)
		sessions.Issue(&Session{Expires: now.Add(15 * time.Minute)}, now)
	}
	// A session is kept for 75 minutes: 15 until it expires, and 60 as an
	// expired one. At six a minute that makes 450 sessions.
	if n := len(sessions.byKey); n > 2*minSweep {
		t.Errorf("%d sessions are kept", n)
	}
}
