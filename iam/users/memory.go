package users

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	maxNotes    = 1024             // what is remembered
	unseen      = 30 * time.Second // how long what was made may be unknown to parts of AWS
	listWait    = 4                // how often a call is made of a user who is listed, and whom AWS denies
	missingWait = 9                // and of one who is not listed, but was just made: within 12 seconds or so
)

// A memory has what this process has made or deleted in IAM a short time ago: ARNs
// of users, their policies, "Tags", "Perhaps", "Takeover" and the ids of their access
// keys after these, and unique ids of users. AWS may not know that everywhere yet.
type memory struct {
	notes *lru.Cache[string, note]
}

// A note says when something was made or deleted.
type note struct {
	at     time.Time
	tags   []common.Tag // that were set on a user, or that a create was to set
	key    AccessKey    // that was made
	listed *atomic.Bool // IAM has shown it
}

func newMemory() memory {
	notes, err := lru.New[string, note](maxNotes)
	if err != nil {
		panic(err) // only a size that is not positive is an error
	}
	return memory{notes}
}

func (m memory) add(what string) { m.put(what, note{}) }

func (m memory) put(what string, n note) {
	n.at, n.listed = time.Now(), new(atomic.Bool)
	m.notes.Add(what, n)
}

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

// noteListed notes that IAM has shown what was made. If it shows it no longer, that
// is gone.
func (m memory) noteListed(what string) {
	if n, ok := m.fresh(what); ok {
		n.listed.Store(true)
	}
}

// isUnseen tells whether something was made a short time ago, and IAM has not
// shown it.
func (m memory) isUnseen(what string) bool {
	n, ok := m.fresh(what)
	return ok && !n.listed.Load()
}

// addKey adds an access key of that name.
func (m memory) addKey(what string, k AccessKey) {
	m.put(what, note{key: k})
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
	m.put(what, note{tags: MergeTags(m.tags(what), tags)})
}

// hide notes that what was made may be deleted: only IAM knows whether it is there.
func (m memory) hide(what string) {
	if n, ok := m.notes.Peek(what); ok {
		n.key = AccessKey{}
		m.notes.Add(what, n)
	}
}

// newUsers returns the users of the place that the process has made a short time
// ago, and that IAM has not shown.
func (c *Client) newUsers() []string {
	return slices.DeleteFunc(c.made.names(c.arnOf("")), func(user string) bool { // also of what users have
		return strings.Contains(user, " ") || !c.made.isUnseen(c.arnOf(user))
	})
}

// newKeys returns the access keys of the user that the process has made a short
// time ago, and that IAM has not shown.
func (c *Client) newKeys(user string) (keys []AccessKey) {
	for _, id := range c.made.names(c.keyOf(user, "")) {
		if n, ok := c.made.fresh(c.keyOf(user, id)); ok && n.key.AccessKeyID != "" && !n.listed.Load() {
			keys = append(keys, n.key)
		}
	}
	return keys
}

// isChanged tells whether the process has made the user, or something of the user,
// a short time ago.
func (c *Client) isChanged(user string) bool {
	of := c.arnOf(user)
	return c.made.isFresh(of) || slices.ContainsFunc(c.made.names(of+" "), func(what string) bool { return c.made.isFresh(of + " " + what) })
}

// policyOf is the name in the memory of the policy that allows that access.
func (c *Client) policyOf(user, access string) string { return c.arnOf(user) + " " + access }

// notePolicy notes that a user has the policy that allows that access.
func (c *Client) notePolicy(user, access string) {
	c.forgetPolicy(user)
	c.made.add(c.policyOf(user, access))
}

// forgetPolicy forgets a policy that is deleted, or may be: only IAM knows then.
func (c *Client) forgetPolicy(user string) {
	for access := range c.place.Policies {
		c.made.forget(c.policyOf(user, access))
	}
}

// newTagsOf is the name in the memory of the tags that were set on the user.
func (c *Client) newTagsOf(user string) string { return c.arnOf(user) + " Tags" }

// takeoverOf is the name in the memory of a takeover that has begun. If it fails after
// that, the same request can complete it.
func (c *Client) takeoverOf(user string) string { return c.arnOf(user) + " Takeover" }

// perhapsOf is the name in the memory of a create that may have made the user
// without saying so.
func (c *Client) perhapsOf(user string) string { return c.arnOf(user) + " Perhaps" }

// forget forgets all about a user who is deleted.
func (c *Client) forget(user string) {
	c.made.forget(c.arnOf(user))
	of := c.arnOf(user) + " "
	for _, what := range c.made.names(of) { // its policies and keys
		c.made.forget(of + what)
	}
}

// noteGone notes that a user is deleted, whose unique id may not be known. IAM may
// show the user for a while.
func (c *Client) noteGone(user, id string) {
	c.forget(user)
	c.gone.add(c.arnOf(user))
	if id != "" {
		c.gone.add(id)
	}
}
