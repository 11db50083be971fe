package layers

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"syscall"
)

// Errors of an Upload.
var (
	ErrRemoved    = errors.New("the upload was removed")
	ErrBusy       = errors.New("another request is writing to the upload")
	ErrOutOfOrder = errors.New("the bytes do not follow those that are there")
)

// DigestError means that the bytes of an upload have another digest.
type DigestError struct{ Computed string }

// Error names the digest of the bytes.
func (e DigestError) Error() string { return "the bytes have the digest " + e.Computed }

// AnyFirst is the first byte of a part that follows what is there.
const AnyFirst = -1

// Upload is a layer whose bytes are coming in. It is hashed meanwhile. It is
// safe for concurrent use, but only one part is written at a time.
type Upload struct {
	store *Store
	hash  hash.Hash // written by the request that is busy

	// The lock of the store guards these.
	path          string // "" until the first part
	size          int64
	busy, removed bool
	last          int64 // size of the last part
	smallest      int64 // of the parts before the last one
}

// NewUpload returns an upload without bytes.
func (s *Store) NewUpload() *Upload {
	return &Upload{store: s, hash: sha256.New(), smallest: math.MaxInt64}
}

// Size returns how many bytes the upload has.
func (u *Upload) Size() int64 {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.size
}

// SmallestPart returns the size of the smallest part, but for the last one.
func (u *Upload) SmallestPart() int64 {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.smallest
}

// Busy reports whether a request is writing to the upload.
func (u *Upload) Busy() bool {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.busy
}

// Append adds a part whose first byte is at the position given. What comes
// before an error of the part stays.
func (u *Upload) Append(first int64, part io.Reader) error {
	file, err := u.begin(first)
	if err != nil {
		return err
	}
	before := u.size // nobody else writes
	_, err = io.Copy(appender{u, file}, part)
	if closed := file.Close(); err == nil {
		err = closed
	}
	u.end(u.size - before)
	return err
}

// begin opens the file for one request.
func (u *Upload) begin(first int64) (*os.File, error) {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if err := u.free(); err != nil {
		return nil, err
	}
	if first != AnyFirst && first != u.size {
		return nil, ErrOutOfOrder
	}
	file, err := u.open()
	if err == nil {
		u.busy = true
	}
	return file, err
}

// free returns an error unless a request may write.
func (u *Upload) free() error {
	switch {
	case u.store.closed:
		return ErrClosed
	case u.removed:
		return ErrRemoved
	case u.busy:
		return ErrBusy
	}
	return nil
}

// open opens the file, and makes it if there is none.
func (u *Upload) open() (*os.File, error) {
	if u.path == "" {
		path, err := u.store.newPath()
		if err != nil {
			return nil, err
		}
		u.path = path
	}
	return os.OpenFile(u.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
}

// end lets the next request write. It has the size of the part that was
// written.
func (u *Upload) end(part int64) {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if part > 0 {
		if u.last > 0 {
			u.smallest = min(u.smallest, u.last)
		}
		u.last = part
	}
	u.busy = false
	if u.removed {
		u.store.remove(u.path, u.size)
	}
}

// appender writes to the end of the file of an upload.
type appender struct {
	upload *Upload
	file   *os.File
}

func (a appender) Write(p []byte) (int, error) {
	u := a.upload
	if err := u.reserve(int64(len(p))); err != nil {
		return 0, err
	}
	if n, err := a.file.Write(p); err != nil {
		u.giveBack(int64(len(p)))
		return 0, errors.Join(diskError(err), u.cut(a.file, n))
	}
	u.hash.Write(p)
	return len(p), nil
}

// reserve takes room for bytes, and counts them as there.
func (u *Upload) reserve(bytes int64) error {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if u.removed {
		return ErrRemoved
	}
	if err := u.store.reserve(bytes); err != nil {
		return err
	}
	u.size += bytes
	return nil
}

func (u *Upload) giveBack(bytes int64) {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	u.size -= bytes
	u.store.used -= bytes
}

// cut removes the bytes of a write that failed. If that fails too, the upload
// is of no more use.
func (u *Upload) cut(file *os.File, written int) error {
	if written == 0 {
		return nil
	}
	err := file.Truncate(u.Size())
	if err != nil {
		u.Remove()
	}
	return err
}

// diskError returns ErrFull with the reason if the disk is full.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// EndsWith reports whether the upload ends with a part whose first byte is at
// the position given. So a part that comes again can be told from another one.
func (u *Upload) EndsWith(first int64, part []byte) bool {
	file, err := u.begin(AnyFirst)
	if err != nil {
		return false
	}
	defer u.end(0)
	defer file.Close()
	if first+int64(len(part)) != u.size {
		return false
	}
	there := make([]byte, len(part))
	_, err = file.ReadAt(there, first)
	return err == nil && bytes.Equal(there, part)
}

// Finish makes a layer of the upload, held by one repository. The error is a
// DigestError if the bytes have another digest. The upload is there then as
// before.
func (u *Upload) Finish(digest string) error {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if err := u.free(); err != nil {
		return err
	}
	if computed := fmt.Sprintf("sha256:%x", u.hash.Sum(nil)); computed != digest {
		return DigestError{computed}
	}
	return u.keep(digest)
}

// keep makes a layer of the file, or removes it if the layer is there already.
func (u *Upload) keep(digest string) error {
	s := u.store
	if l := s.layers[digest]; l != nil {
		l.holders++
		u.remove()
		return nil
	}
	file, err := u.open() // without a part there is no file yet
	if err != nil {
		return err
	}
	u.removed = true
	s.layers[digest] = &layer{path: u.path, size: u.size, holders: 1}
	return file.Close()
}

// Remove ends the upload and removes its bytes. A request that is writing to it
// gets ErrRemoved.
func (u *Upload) Remove() {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	u.remove()
}

func (u *Upload) remove() {
	if u.removed {
		return
	}
	u.removed = true
	if !u.busy { // otherwise that request removes them
		u.store.remove(u.path, u.size)
	}
}
