package ecr

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// claims remembers the last repositories that creates of this process have
// answered for, and which creates are under way, so that none takes another's
// repository for its own: AWS's time alone cannot tell two creates of the same
// moment apart.
type claims struct {
	mu      *sync.Mutex
	created *lru.Cache[string, time.Time] // by ARN
	running map[string]int                // creates of that ARN
}

func newClaims() claims {
	created, err := lru.New[string, time.Time](1024)
	if err != nil {
		panic(err) // a size of 0
	}
	return claims{mu: new(sync.Mutex), created: created, running: map[string]int{}}
}

// begin notes a create of the ARN until its end.
func (c claims) begin(arn string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running[arn]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.running[arn]--; c.running[arn] == 0 {
			delete(c.running, arn)
		}
	}
}

// add notes that a create has made the repository.
func (c claims) add(r *Repository) { c.created.Add(r.RepositoryArn, r.created) }

// has tells whether a create has answered for the repository.
func (c claims) has(r *Repository) bool {
	at, ok := c.created.Peek(r.RepositoryArn)
	return ok && at.Equal(r.created)
}

// take notes that a create whose answer was lost found the repository, and
// returns false where another create may have made it.
func (c claims) take(r *Repository) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has(r) || c.running[r.RepositoryArn] > 1 {
		return false
	}
	c.add(r)
	return true
}
