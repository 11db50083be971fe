package api

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// A pool is something of which there is only so much, such as memory. An
// account gets half of it at most, so that the requests of an account in which
// AWS stalls leave something for others. A request that needs more than that is
// alone in its account, and gets up to all.
type pool struct {
	size int64
	all  *semaphore.Weighted

	mu       sync.Mutex
	accounts map[string]*share
}

// A share is what the requests of one account may take.
type share struct {
	*semaphore.Weighted
	pool    *pool
	account string
	users   int // requests that have a part of it, or wait for one
}

func newPool(size int64) *pool {
	return &pool{size: size, all: semaphore.NewWeighted(size), accounts: map[string]*share{}}
}

// try takes n for the account. It returns nil if that needs waiting.
func (p *pool) try(account string, n int64) *share {
	s := p.open(account)
	if s.resize(0, n) {
		return s
	}
	s.close()
	return nil
}

// take waits until it can take n for the account.
func (p *pool) take(ctx context.Context, account string, n int64) (*share, error) {
	s := p.open(account)
	mine, all := p.parts(n)
	if err := s.Acquire(ctx, mine); err != nil {
		s.close()
		return nil, err
	}
	if err := p.all.Acquire(ctx, all); err != nil {
		s.Release(mine)
		s.close()
		return nil, err
	}
	return s, nil
}

// resize makes what a request has larger or smaller. It returns false if a
// larger part needs waiting.
func (s *share) resize(from, to int64) bool {
	mine, all := s.pool.parts(to)
	hadMine, hadAll := s.pool.parts(from)
	if to <= from {
		s.Release(hadMine - mine)
		s.pool.all.Release(hadAll - all)
		return true
	}
	if !tryAcquire(s.Weighted, mine-hadMine) {
		return false
	}
	if !tryAcquire(s.pool.all, all-hadAll) {
		s.Release(mine - hadMine)
		return false
	}
	return true
}

// giveBack gives back the n that a request has.
func (s *share) giveBack(n int64) {
	s.resize(n, 0)
	s.close()
}

// tryAcquire is TryAcquire, but nothing can be had even if others wait.
func tryAcquire(s *semaphore.Weighted, n int64) bool { return n == 0 || s.TryAcquire(n) }

// parts returns how much of the account's share and of the pool n takes. It
// cannot take more than there is.
func (p *pool) parts(n int64) (mine, all int64) {
	return min(n, p.size/2), min(n, p.size)
}

func (p *pool) open(account string) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.accounts[account]
	if s == nil {
		s = &share{Weighted: semaphore.NewWeighted(p.size / 2), pool: p, account: account}
		p.accounts[account] = s
	}
	s.users++
	return s
}

func (s *share) close() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(s.pool.accounts, s.account)
	}
}
