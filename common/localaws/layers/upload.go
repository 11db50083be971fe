package layers

import (
	"bytes"
	"crypto/sha256"
	"encoding"
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
	busy, removed bool
	sizes
	before *snapshot // from before the last part, if that is on trial
}

// sizes are in bytes.
type sizes struct {
	size     int64
	last     int64 // of the last part
	smallest int64 // of the parts before the last one
}

// snapshot is what an upload can return to.
type snapshot struct {
	sizes
	hash []byte // its state
}

// NewUpload returns an upload without bytes.
func (s *Store) NewUpload() *Upload {
	return &Upload{store: s, hash: sha256.New(), sizes: sizes{smallest: math.MaxInt64}}
}

// Size returns how many bytes the upload has, without a part that is on trial.
func (u *Upload) Size() int64 {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if u.before != nil {
		return u.before.size
	}
	return u.size
}

// SmallestPart returns the size of the smallest part, but for the last one.
func (u *Upload) SmallestPart() int64 {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.smallest
}

// Removed reports whether the upload was removed, or is a layer now.
func (u *Upload) Removed() bool {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	return u.removed
}

// Append adds a part whose first byte is at the position given. What comes
// before an error of the part stays. If the bytes cannot be stored, as with
// ErrFull, the upload is removed: it would only take room from others.
func (u *Upload) Append(first int64, part io.Reader) error {
	return u.write(first, part, false)
}

// AppendLast is Append for a request that finishes the upload, too. Its part is
// on trial. It goes again if it ends with an error, if Finish finds another
// digest, or if another part comes. So the request can be repeated.
func (u *Upload) AppendLast(first int64, part io.Reader) error {
	return u.write(first, part, true)
}

func (u *Upload) write(first int64, part io.Reader, onTrial bool) error {
	file, err := u.begin(first, onTrial)
	if err != nil {
		return err
	}
	size := u.size // nobody else writes
	_, err = io.Copy(appender{u, file}, part)
	if closed := file.Close(); err == nil {
		err = closed
	}
	u.end(u.size-size, err)
	return err
}

// begin opens the file for one request.
func (u *Upload) begin(first int64, onTrial bool) (*os.File, error) {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if err := u.free(); err != nil {
		return nil, err
	}
	if err := u.undo(); err != nil {
		return nil, err
	}
	if first != AnyFirst && first != u.size {
		return nil, ErrOutOfOrder
	}
	file, err := u.open()
	if err != nil {
		return nil, err
	}
	if onTrial {
		u.before = u.snapshot()
	}
	u.busy = true
	return file, nil
}

func (u *Upload) snapshot() *snapshot {
	state, _ := u.hash.(encoding.BinaryMarshaler).MarshalBinary() // never fails
	return &snapshot{u.sizes, state}
}

// undo takes back a part that is on trial. If that fails, the upload is of no
// more use.
func (u *Upload) undo() error {
	if u.before == nil {
		return nil
	}
	err := os.Truncate(u.path, u.before.size)
	if err == nil {
		err = u.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.before.hash)
	}
	if err != nil {
		u.remove()
		return err
	}
	u.store.used -= u.size - u.before.size
	u.sizes, u.before = u.before.sizes, nil
	return nil
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
// written, and its error.
func (u *Upload) end(part int64, err error) {
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
	} else if err != nil {
		_ = u.undo() // the error of the part says more
	}
}

// appender writes to the end of the file of an upload.
type appender struct {
	upload *Upload
	file   io.Writer
}

func (a appender) Write(p []byte) (int, error) {
	u := a.upload
	if err := u.reserve(int64(len(p))); err != nil {
		return 0, err
	}
	if _, err := a.file.Write(p); err != nil {
		u.Remove()
		return 0, diskError(err)
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
		u.remove()
		return err
	}
	u.size += bytes
	return nil
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
	file, err := u.begin(AnyFirst, false)
	if err != nil {
		return false
	}
	defer u.end(0, nil)
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
// before, without a part that was on trial.
func (u *Upload) Finish(digest string) error {
	u.store.mu.Lock()
	defer u.store.mu.Unlock()
	if err := u.free(); err != nil {
		return err
	}
	if computed := fmt.Sprintf("sha256:%x", u.hash.Sum(nil)); computed != digest {
		if err := u.undo(); err != nil {
			return err
		}
		return DigestError{computed}
	}
	if err := u.keep(digest); err != nil {
		return err
	}
	u.before = nil
	return nil
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
