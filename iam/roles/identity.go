package roles

import (
	"regexp"
	"sync"
	"time"
)

const (
	// identityRetry is after which time the source identity is tried again in
	// an account where AssumeRole succeeded without it only.
	identityRetry = time.Hour
	// identityDoubt is the same if AssumeRole failed without it too.
	identityDoubt = time.Minute
)

var validIdentity = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// identityFor returns the source identity for a session that is asked for with a
// key. It is nil if STS would not take the name of the key: a name of one
// character is too short.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func identityFor(key string) *string {
	if !validIdentity.MatchString(key) {
		return nil
	}
	return &key
}

// noIdentity remembers of an account that the trust policy of the role does not
// allow sts:SetSourceIdentity. Roles that were set up before the service sent a
// source identity do not allow it.
type noIdentity struct {
	mu     sync.Mutex
	until  time.Time
	warned bool
}

// isOver tells whether to send a source identity in the account.
func (n *noIdentity) isOver() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().After(n.until)
}

// extend makes the account do without a source identity for a while. It returns
// true if that is certain to be right and not known yet.
func (n *noIdentity) extend(certain bool) (news bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until = time.Now().Add(identityDoubt)
	if certain {
		n.until = time.Now().Add(identityRetry)
	}
	news = certain && !n.warned
	n.warned = n.warned || certain
	return news
}

// end notes that the account takes a source identity.
func (n *noIdentity) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.until, n.warned = time.Time{}, false
}
