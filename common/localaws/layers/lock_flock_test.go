//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package layers

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTakenDirectory shows that a store does not use a directory which another
// process takes for one that was left, at each moment in which it can do so.
func TestTakenDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "directory")
	_, err := lockDirectory(path)
	wantError(t, "removed before there is a lock", err, errTaken)

	must(t, os.Mkdir(path, 0o700))
	lock, err := os.Create(filepath.Join(path, lockName))
	must(t, err)
	defer lock.Close()
	other, err := os.Open(lock.Name())
	must(t, err)
	must(t, tryLock(other))
	_, err = lockDirectory(path)
	wantError(t, "locked by the other process", err, errTaken)

	must(t, os.RemoveAll(path))
	must(t, other.Close())
	wantError(t, "removed before it is locked", hold(lock), errTaken)
}
