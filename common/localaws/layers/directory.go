package layers

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// prefix is how the name of each directory begins.
const prefix = "ecr-api-layers-"

// lockName is the name of a file in each directory. Its process holds a lock on
// it, and the system ends the lock with the process. So a directory is in use, or
// it was left by a process that was killed.
const lockName = "lock"

// errTaken means that a directory that was just made is gone: another process
// took it for one that was left.
var errTaken = errors.New("another process removes the directory")

// newDirectory makes a directory, and locks it until unlock is called.
func newDirectory() (path string, unlock func(), err error) {
	for range 10 {
		path, err = os.MkdirTemp("", prefix)
		if err != nil {
			return "", nil, err
		}
		unlock, err = lockDirectory(path)
		if err == nil {
			return path, unlock, nil
		}
	}
	return "", nil, err
}

// removeLeft removes directories that were left. It does not matter if that
// fails.
func removeLeft() {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
			removeIfLeft(filepath.Join(os.TempDir(), entry.Name()))
		}
	}
}
