package ecr

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// claims remembers the last repositories that creates of this process have
// answered for, so that no other takes one of them for its own. AWS's time alone
// cannot tell two creates of the same second apart.
type claims struct {
	mu      *sync.Mutex
	created *lru.Cache[string, time.Time] // by ARN
}

func newClaims() claims {
	created, err := lru.New[string, time.Time](1024)
	if err != nil {
		panic(err) // a size of 0
	}
	return claims{mu: new(sync.Mutex), created: created}
}

// take claims the repository, and returns false where it is claimed already.
func (c claims) take(r *Repository) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.created.Peek(r.RepositoryArn); ok && at.Equal(r.created) {
		return false
	}
	c.created.Add(r.RepositoryArn, r.created)
	return true
}
