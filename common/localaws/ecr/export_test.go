package ecr

// What a test does while it holds the lock.

// Sweep removes what is to be removed now.
func (s *Store) Sweep() { s.sweep(s.now()) }

// IsWritten reports whether an upload consists of one part, and nobody writes to
// it.
func (s *Store) IsWritten(id, part string) bool { return s.uploads[id].EndsWith(0, []byte(part)) }
