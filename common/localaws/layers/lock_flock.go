//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package layers

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockDirectory locks a directory that was just made.
func lockDirectory(path string) (unlock func(), err error) {
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errTaken
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	if err := hold(lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() { lock.Close() }, nil
}

// hold locks the file of a directory that was just made. Where files cannot be
// locked, the directory stays without one, so that nobody takes it for one that
// was left.
func hold(lock *os.File) error {
	err := tryLock(lock)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errTaken
	}
	if err != nil {
		return os.Remove(lock.Name())
	}
	if _, err := os.Stat(lock.Name()); err != nil {
		return errTaken
	}
	return nil
}

// removeIfLeft removes a directory of this user whose lock nobody holds.
func removeIfLeft(path string) {
	info, err := os.Lstat(path)
	if err != nil {
		return
	}
	if status, ok := info.Sys().(*syscall.Stat_t); !ok || int(status.Uid) != os.Geteuid() {
		return
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer lock.Close()
	if tryLock(lock) == nil {
		_ = os.RemoveAll(path)
	}
}

// tryLock locks a file until it is closed. The error is EWOULDBLOCK if another
// process holds the lock.
func tryLock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
