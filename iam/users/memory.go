package users

import (
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxMade  = 1024             // users and keys that are remembered
	unseen   = 30 * time.Second // how long what was made may be unknown to parts of AWS
	listWait = 4                // how often a call is made of a user who is listed, and whom AWS denies
)

// A memory has what this process has made or deleted in IAM a short time ago: ARNs
// of users, and their policies and the ids of their access keys after these. AWS
// may not know that everywhere yet.
type memory struct {
	made *lru.Cache[string, time.Time]
}

func newMemory() memory {
	made, err := lru.New[string, time.Time](maxMade)
	if err != nil {
		panic(err) // only a size that is not positive is an error
	}
	return memory{made}
}

func (m memory) add(what string) { m.made.Add(what, time.Now()) }

func (m memory) forget(what string) { m.made.Remove(what) }

// names returns what follows a prefix in what was made.
func (m memory) names(prefix string) (names []string) {
	for _, what := range m.made.Keys() {
		if name, ok := strings.CutPrefix(what, prefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// isFresh tells whether AWS may not know that yet.
func (m memory) isFresh(what string) bool {
	at, ok := m.made.Peek(what)
	return ok && time.Since(at) < unseen
}

// policyOf is the name in the memory of the policy that allows that access.
func (c *Client) policyOf(user, access string) string { return c.arnOf(user) + " " + access }

// forget forgets all about a user who is deleted.
func (c *Client) forget(user string) {
	c.made.forget(c.arnOf(user))
	of := c.arnOf(user) + " "
	for _, what := range c.made.names(of) { // its policies and keys
		c.made.forget(of + what)
	}
}
