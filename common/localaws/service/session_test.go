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
	if n := sessions.sessions.Len(); n > 2*minSweep {
		t.Errorf("%d sessions are kept", n)
	}
}

// TestOldPasswordsAreForgotten shows that passwords do not fill the memory: of
// those that ended more than an hour ago, no more are kept than of others.
func TestOldPasswordsAreForgotten(t *testing.T) {
	t.Parallel()
	sessions := NewSessions()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for range 20 * minSweep {
		now = now.Add(10 * time.Second)
		session := &Session{Expires: now.Add(15 * time.Minute)}
		sessions.Issue(session, now)
		c := &Request{Now: now, Session: session, sessions: sessions}
		c.AccessKey = session.AccessKey
		c.NewPassword()
	}
	if n := sessions.passwords.Len(); n > 2*minSweep {
		t.Errorf("%d passwords are kept", n)
	}
}

// TestPasswordsInForceAreKept shows that the number of passwords has no limit
// while they are good.
func TestPasswordsInForceAreKept(t *testing.T) {
	t.Parallel()
	sessions := NewSessions()
	c := &Request{Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), sessions: sessions}
	first, _ := c.NewPassword()
	for range 4 * minSweep {
		c.Now = c.Now.Add(10 * time.Second)
		c.NewPassword()
	}
	if p := sessions.findPassword(first); p == nil || !c.Now.Before(p.expires) {
		t.Errorf("the first password is %+v", p)
	}
}

// TestExpiredPasswordsAreKept shows that a password is known as expired for an
// hour.
func TestExpiredPasswordsAreKept(t *testing.T) {
	t.Parallel()
	sessions := NewSessions()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ends := start.Add(15 * time.Minute)
	sessions.addPassword("old", &password{expires: ends}, start)
	for _, test := range []struct {
		now  time.Time
		kept bool
	}{{ends.Add(time.Hour), true}, {ends.Add(time.Hour + 1), false}} {
		sessions.passwords.sweepAt = sessions.passwords.Len() // so that the next one sweeps
		sessions.addPassword("another", &password{expires: ends.Add(12 * time.Hour)}, test.now)
		if kept := sessions.findPassword("old") != nil; kept != test.kept {
			t.Errorf("at %v the password is kept: %v, want %v", test.now, kept, test.kept)
		}
	}
}
