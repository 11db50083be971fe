package users

import (
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxMade  = 1024             // users and keys that are remembered
	unseen   = 30 * time.Second // how long what was made may be unknown to parts of AWS
	listWait = 4                // how often a call is made of a user who is listed, and whom AWS denies
)

// A memory has what this process has made or deleted in IAM a short time ago: ARNs
// of users, and their policies, "Tags" and the ids of their access keys after
// these. AWS may not know that everywhere yet.
type memory struct {
	notes *lru.Cache[string, note]
}

// A note says when something was made or deleted.
type note struct {
	at   time.Time
	tags []common.Tag // that were set on a user
}

func newMemory() memory {
	notes, err := lru.New[string, note](maxMade)
	if err != nil {
		panic(err) // only a size that is not positive is an error
	}
	return memory{notes}
}

func (m memory) add(what string) { m.notes.Add(what, note{at: time.Now()}) }

func (m memory) forget(what string) { m.notes.Remove(what) }

// names returns what follows a prefix in what was made.
func (m memory) names(prefix string) (names []string) {
	for _, what := range m.notes.Keys() {
		if name, ok := strings.CutPrefix(what, prefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// isFresh tells whether AWS may not know that yet.
func (m memory) isFresh(what string) bool {
	_, ok := m.fresh(what)
	return ok
}

// fresh returns a note, and false if there is none or AWS must know it by now.
func (m memory) fresh(what string) (note, bool) {
	n, ok := m.notes.Peek(what)
	return n, ok && time.Since(n.at) < unseen
}

// tags returns the tags that were set a short time ago.
func (m memory) tags(what string) []common.Tag {
	if n, ok := m.fresh(what); ok {
		return n.tags
	}
	return nil
}

// addTags adds tags to those that were set a short time ago.
func (m memory) addTags(what string, tags []common.Tag) {
	m.notes.Add(what, note{at: time.Now(), tags: MergeTags(m.tags(what), tags)})
}

// policyOf is the name in the memory of the policy that allows that access.
func (c *Client) policyOf(user, access string) string { return c.arnOf(user) + " " + access }

// newTagsOf is the name in the memory of the tags that were set on the user.
func (c *Client) newTagsOf(user string) string { return c.arnOf(user) + " Tags" }

// forget forgets all about a user who is deleted.
func (c *Client) forget(user string) {
	c.made.forget(c.arnOf(user))
	of := c.arnOf(user) + " "
	for _, what := range c.made.names(of) { // its policies and keys
		c.made.forget(of + what)
	}
}
