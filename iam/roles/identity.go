package roles

import (
	"regexp"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// identityRetry is after which time the source identity is tried again in
	// an account where AssumeRole succeeded without it only.
	identityRetry = time.Hour
	// identityDoubt is the same if AssumeRole failed without it too.
	identityDoubt = time.Minute
)

// identities remembers in which accounts the trust policy of the role does not
// allow sts:SetSourceIdentity. Roles that were set up before the service sent a
// source identity do not allow it.
type identities struct {
	leftOut *lru.Cache[string, leftOut] // by account
}

type leftOut struct {
	until  time.Time
	warned bool
}

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

// usableIn tells whether to send a source identity in the account.
func (i identities) usableIn(account string) bool {
	last, ok := i.leftOut.Peek(account)
	return !ok || time.Now().After(last.until)
}

// leaveOut makes the account do without a source identity for a while. It
// returns true if that is certain to be right and not known yet.
func (i identities) leaveOut(account string, certain bool) (news bool) {
	last, _ := i.leftOut.Peek(account)
	next := leftOut{until: time.Now().Add(identityDoubt), warned: last.warned || certain}
	if certain {
		next.until = time.Now().Add(identityRetry)
	}
	i.leftOut.Add(account, next)
	return certain && !last.warned
}

// works notes that the account takes a source identity.
func (i identities) works(account string) { i.leftOut.Remove(account) }
