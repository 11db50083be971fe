package localaws

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// issuedPrefix is how the access keys of sessions begin, in AWS and here.
const issuedPrefix = "ASIA"

// principal is who calls.
type principal struct {
	account string
	arn     string // of the user or of the session
	// identity is the ARN that policies know it by: for a session that of its role.
	identity string
	userID   string
	tags     map[string]string // session tags
	// transitive are the tags that a session assumed by this one inherits.
	transitive map[string]string
	session    *session // nil: the administrator, who may do everything
}

func administrator(r region) principal {
	arn := "arn:" + r.partition() + ":iam::" + AdministratorAccount + ":user/administrator"
	return principal{
		account:  AdministratorAccount,
		arn:      arn,
		identity: arn,
		userID:   uniqueID("AIDA", arn),
	}
}

// uniqueID returns the id that AWS gives to a user or role: here always the same for the same name.
func uniqueID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// session is what AssumeRole issued.
type session struct {
	principal                principal
	accessKey, secret, token string
	expires                  time.Time
	permissions              policy.Policy
	limit                    *policy.Policy // session policy; nil: none was passed
	limitText                string
}

// newSession returns a session of p with credentials of its own.
func newSession(p principal, expires time.Time) *session {
	s := &session{
		accessKey: issuedPrefix + rand.Text()[:16],
		secret:    (rand.Text() + rand.Text())[:40],
		token:     "FwoGZXIvYXdz" + rand.Text() + rand.Text() + rand.Text(),
		expires:   expires,
	}
	p.session = s
	s.principal = p
	return s
}

// namedPolicy is a policy with the name that refusals give to its kind.
type namedPolicy struct {
	article, kind string
	policy        policy.Policy
}

// policies returns the policies that must all allow what the session does.
func (s *session) policies() []namedPolicy {
	all := []namedPolicy{{"an", "identity-based", s.permissions}}
	if s.limit != nil {
		all = append(all, namedPolicy{"a", "session", *s.limit})
	}
	return all
}

// sessions are those that were issued, by access key. Those long expired are forgotten.
type sessions struct {
	byKey   map[string]*session
	sweepAt int // number of sessions at which to look for old ones
}

const (
	minSweep = 1024
	// keepExpired is how long a session is still known as expired.
	keepExpired = time.Hour
)

func newSessions() sessions {
	return sessions{byKey: make(map[string]*session), sweepAt: minSweep}
}

// add remembers a session. Looking for old ones only when their number has doubled keeps adding
// cheap however many there are.
func (ss *sessions) add(s *session, now time.Time) {
	if len(ss.byKey) >= ss.sweepAt {
		for key, old := range ss.byKey {
			if now.After(old.expires.Add(keepExpired)) {
				delete(ss.byKey, key)
			}
		}
		ss.sweepAt = max(minSweep, 2*len(ss.byKey))
	}
	ss.byKey[s.accessKey] = s
}

// identify returns who signed the request: see the package's documentation.
func (s *Server) identify(c *call, sig signature, body []byte) error {
	token := c.request.Header.Get("X-Amz-Security-Token")
	s.mu.Lock()
	known := s.sessions.byKey[sig.accessKey]
	s.mu.Unlock()

	if known == nil {
		// A key of a session that is not known was forged, or issued before a restart.
		if token != "" && strings.HasPrefix(sig.accessKey, issuedPrefix) {
			return errUnknownClient()
		}
		c.principal = administrator(c.region)
		c.Account, c.Principal = c.principal.account, c.principal.arn
		return nil
	}
	if known.token != token {
		return errUnknownClient()
	}
	c.principal = known.principal
	c.Account, c.Principal, c.Policy = known.principal.account, known.principal.arn, known.limitText
	if !c.now.Before(known.expires) {
		return fail(codeExpiredToken, "The security token included in the request is expired")
	}
	return sig.verify(c.request, body, known.secret)
}

func errUnknownClient() error {
	return fail(codeUnknownClient, "The security token included in the request is invalid.")
}
