// Package layers keeps the layers of images in files of a temporary directory.
//
// A layer has the name of its digest. Several repositories may hold the same
// layer, and there is one file of it. Bytes come in by an Upload. The Store is
// locked for moments only, and never while bytes flow.
package layers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Errors of this package. ErrFull is wrapped with the reason.
var (
	ErrFull     = errors.New("there is no room for more layers")
	ErrClosed   = errors.New("the layers are gone, because the server ends")
	ErrNotFound = errors.New("there is no such layer")
)

// Store keeps the layers. It is safe for concurrent use.
type Store struct {
	limit int64

	mu        sync.Mutex
	directory string // "" until the first upload
	unlock    func() // of the directory
	closed    bool
	used      int64             // bytes of all layers and uploads
	layers    map[string]*layer // by digest
}

// layer is a file with a complete layer.
type layer struct {
	path    string
	size    int64 // in bytes
	holders int   // how many repositories have the layer
}

// New returns a store without layers. The limit is that of the bytes of all
// layers together, with uploads under way.
func New(limit int64) *Store {
	return &Store{limit: limit, layers: make(map[string]*layer)}
}

// Close removes all layers and uploads. A reader that is open may go on. After
// that nothing can be stored.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	clear(s.layers)
	if s.directory == "" {
		return nil
	}
	err := os.RemoveAll(s.directory)
	s.unlock()
	return err
}

// Hold lets one more repository have a layer. It returns false if there is no
// such layer.
func (s *Store) Hold(digest string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.layers[digest]
	if l == nil {
		return false
	}
	l.holders++
	return true
}

// Release is called when a repository does not have a layer any more. The last
// release removes the file. A reader that is open goes on.
func (s *Store) Release(digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.layers[digest]
	if l == nil {
		return
	}
	l.holders--
	if l.holders == 0 {
		delete(s.layers, digest)
		s.remove(l.path, l.size)
	}
}

// Open returns the bytes of a layer. The error is ErrNotFound if there is no
// such layer.
func (s *Store) Open(digest string) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.layers[digest]
	if l == nil {
		return nil, ErrNotFound
	}
	return os.Open(l.path)
}

// remove removes a file of a size. What cannot be removed now is removed by
// Close.
func (s *Store) remove(path string, size int64) {
	_ = os.Remove(path)
	s.used -= size
}

// newPath returns the path of a new file. It makes the directory if there is
// none.
func (s *Store) newPath() (string, error) {
	if s.directory == "" {
		removeLeft()
		directory, unlock, err := newDirectory()
		if err != nil {
			return "", fmt.Errorf("no directory for layers: %w", err)
		}
		s.directory, s.unlock = directory, unlock
	}
	return filepath.Join(s.directory, rand.Text()), nil
}

// reserve takes room for bytes that will be written.
func (s *Store) reserve(bytes int64) error {
	if s.closed {
		return ErrClosed
	}
	if s.used+bytes > s.limit {
		return fmt.Errorf("%w: all layers together may have %d bytes", ErrFull, s.limit)
	}
	s.used += bytes
	return nil
}
