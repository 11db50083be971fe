package api

import (
	"context"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"
)

const (
	defaultListMemory = 40 << 20 // bytes: a third of the memory limit that the service sets
	unknownList       = 1 << 20  // bytes: a page of a thousand images, while it is read
	smallestList      = 64 << 10 // bytes: a list counts as this at least
	longBody          = 32 << 20 // bytes: a body full of empty tags, once it is decoded
	rememberSizes     = 1024     // of how many lists the sizes are known
)

// A memory is what all lists under way may take together, from the first call
// to AWS until the answer is written. A list gets its share before it asks AWS,
// so that no answer of AWS arrives for which there is no room. An account gets
// half of the memory at most, so that the lists of an account in which AWS
// stalls leave room for others.
//
// A list that turns out to be longer takes more if there is more. Otherwise it
// ends, gives all back, and begins again with more. So no list waits while it
// has memory that another one waits for. A list that is longer than the whole
// memory is read alone.
type memory struct {
	size  int64
	all   *semaphore.Weighted
	sizes *lru.Cache[listKey, int64] // how much each list took the last time

	mu       sync.Mutex
	accounts map[string]*share
}

// A share is what the lists of one account may take.
type share struct {
	*semaphore.Weighted
	leases int
}

// A listKey identifies a list.
type listKey struct {
	row   string
	path  pathValues
	query string
}

func newMemory(size int64) (*memory, error) {
	sizes, err := lru.New[listKey, int64](rememberSizes)
	if err != nil {
		return nil, err
	}
	return &memory{size: size, all: semaphore.NewWeighted(size), sizes: sizes, accounts: map[string]*share{}}, nil
}

// need returns how much memory the list will need, as far as that is known.
func (m *memory) need(list listKey) int64 {
	last, ok := m.sizes.Get(list)
	if !ok {
		return unknownList
	}
	return last + last/8 // it may have grown since
}

// lease waits until it can give so much memory to a list of the account.
func (m *memory) lease(ctx context.Context, account string, bytes int64) (*lease, error) {
	l := &lease{memory: m, account: account, share: m.open(account)}
	bytes = max(bytes, smallestList)
	mine, all := m.parts(bytes)
	if err := l.share.Acquire(ctx, mine); err != nil {
		m.close(account)
		return nil, err
	}
	if err := m.all.Acquire(ctx, all); err != nil {
		l.share.Release(mine)
		m.close(account)
		return nil, err
	}
	l.held = bytes
	return l, nil
}

// parts returns how much of the account's share and of the memory so many bytes
// take. They cannot take more than there is.
func (m *memory) parts(bytes int64) (mine, all int64) {
	return min(bytes, m.size/2), min(bytes, m.size)
}

func (m *memory) open(account string) *share {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.accounts[account]
	if s == nil {
		s = &share{Weighted: semaphore.NewWeighted(m.size / 2)}
		m.accounts[account] = s
	}
	s.leases++
	return s
}

func (m *memory) close(account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.accounts[account]
	if s.leases--; s.leases == 0 {
		delete(m.accounts, account)
	}
}

// A lease is the memory of one list. It is an ecr.Room.
type lease struct {
	memory  *memory
	account string
	share   *share
	end     context.CancelFunc // ends the reading

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
	if l.used > l.held && !l.grow(l.used) {
		l.short = true
		l.end()
	}
	return !l.short
}

// grow makes the lease larger if that needs no waiting.
func (l *lease) grow(bytes int64) bool {
	mine, all := l.memory.parts(bytes)
	heldMine, heldAll := l.memory.parts(l.held)
	if !tryAcquire(l.share.Weighted, mine-heldMine) {
		return false
	}
	if !tryAcquire(l.memory.all, all-heldAll) {
		l.share.Release(mine - heldMine)
		return false
	}
	l.held = bytes
	return true
}

// tryAcquire is TryAcquire, but nothing can be had even if others wait.
func tryAcquire(s *semaphore.Weighted, n int64) bool { return n == 0 || s.TryAcquire(n) }

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
	l.resize(0)
	l.memory.close(l.account)
}

func (l *lease) resize(bytes int64) {
	mine, all := l.memory.parts(bytes)
	heldMine, heldAll := l.memory.parts(l.held)
	l.share.Release(heldMine - mine)
	l.memory.all.Release(heldAll - all)
	l.held = bytes
}
