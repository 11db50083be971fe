package api

import (
	"context"
	"crypto/sha256"
	"net/url"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	defaultListMemory = 40 << 20 // bytes: a third of the memory limit that the service sets
	unknownList       = 1 << 20  // bytes: a page of a thousand images, while it is read
	smallestList      = 64 << 10 // bytes: a list counts as this at least
	rememberSizes     = 1024     // of how many lists the sizes are known
)

// A memory is what all lists under way may take together, from the first call
// to AWS until the answer is written. A list gets its part before it asks AWS,
// so that no answer of AWS arrives for which there is no room.
//
// A list that turns out to be longer takes more if there is more. Otherwise it
// ends, gives all back, and begins again with more. So no list waits while it
// has memory that another one waits for. A list that is longer than the whole
// memory is read alone.
type memory struct {
	*pool
	sizes *lru.Cache[listKey, int64] // how much each list took the last time
}

// A listKey identifies a list.
type listKey struct {
	row   string
	path  pathValues
	query string
}

// forSize returns the key by which the size of the list is remembered. All pages
// of a list need about the same. A query may be long, so its hash is kept.
func (k listKey) forSize() listKey {
	if k.query == "" {
		return k
	}
	query, _ := url.ParseQuery(k.query) // the adapter has checked it
	query.Del("after")
	hash := sha256.Sum256([]byte(query.Encode()))
	k.query = string(hash[:])
	return k
}

func newMemory(size int64) (*memory, error) {
	sizes, err := lru.New[listKey, int64](rememberSizes)
	if err != nil {
		return nil, err
	}
	return &memory{pool: newPool(size), sizes: sizes}, nil
}

// need returns how much memory the list will need, as far as that is known.
func (m *memory) need(list listKey) int64 {
	last, ok := m.sizes.Get(list.forSize())
	if !ok {
		return unknownList
	}
	return max(last+last/8, smallestList) // it may have grown since
}

// lease waits until it can give the list its memory. It calls waits first if it
// cannot do so at once.
func (m *memory) lease(ctx context.Context, list listKey, waits func()) (*lease, error) {
	bytes := m.need(list)
	s := m.try(list.path.Account, bytes)
	if s == nil {
		waits()
		var err error
		if s, err = m.take(ctx, list.path.Account, bytes); err != nil {
			return nil, err
		}
	}
	return &lease{share: s, held: bytes}, nil
}

// A lease is the memory of one list. It is an ecr.Room.
type lease struct {
	share *share
	end   context.CancelFunc // ends the reading

	mu         sync.Mutex
	held       int64
	used, most int64
	short      bool // there was not enough
}

// Take takes memory, or gives some back if bytes is negative. If there is not
// enough, it ends the reading and returns false.
func (l *lease) Take(bytes int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used += bytes
	l.most = max(l.most, l.used)
	if l.used > l.held && !l.resize(l.used) {
		l.short = true
		l.end()
	}
	return !l.short
}

// shrink gives back what the list did not need once it is read.
func (l *lease) shrink() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resize(min(l.held, max(l.used, smallestList)))
}

// release gives all back.
func (l *lease) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.share.giveBack(l.held)
	l.held = 0
}

func (l *lease) resize(bytes int64) bool {
	if !l.share.resize(l.held, bytes) {
		return false
	}
	l.held = bytes
	return true
}
