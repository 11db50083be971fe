package ecr

import (
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxClaims is how many created repositories are remembered.
const maxClaims = 1024

// claims remembers the repositories that creates of this process have made, and
// which creates are under way. So a create does not take the repository of
// another create for its own. The time of creation alone cannot separate two
// creates of the same moment.
type claims struct {
	mu      *sync.Mutex
	created *lru.Cache[string, time.Time] // by ARN
	running map[string]int                // number of creates, by ARN
}

func newClaims() claims {
	created, err := lru.New[string, time.Time](maxClaims)
	if err != nil {
		panic(err) // only a size that is not positive is an error
	}
	return claims{mu: new(sync.Mutex), created: created, running: map[string]int{}}
}

// begin notes that a create of the ARN is under way, until end is called.
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
func (c claims) add(r *Repository) { c.created.Add(r.RepositoryArn, r.CreatedAt.Time) }

// has tells whether a create is known to have made the repository.
func (c claims) has(r *Repository) bool {
	at, ok := c.created.Peek(r.RepositoryArn)
	return ok && at.Equal(r.CreatedAt.Time)
}

// take adds the repository for a create whose answer was lost. It returns false
// if another create may have made the repository.
func (c claims) take(r *Repository) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has(r) || c.running[r.RepositoryArn] > 1 {
		return false
	}
	c.add(r)
	return true
}
