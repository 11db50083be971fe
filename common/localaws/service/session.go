package service

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
)

// AdministratorAccount is the account of every access key that belongs neither
// to a session nor to a user.
const AdministratorAccount = "012345678901"

// issuedPrefix is the prefix of the access keys of sessions, in AWS and here.
const issuedPrefix = "ASIA"

// tokenHeader has the token of a session.
const tokenHeader = "X-Amz-Security-Token"

// Principal is the user or the session of a role that makes a call.
type Principal struct {
	Account string
	ARN     string // of the user or of the session
	// Identity is the ARN in aws:PrincipalArn. For a session it is the ARN of
	// its role.
	Identity string
	UserID   string
	UserName string            // of a user; "" for the session of a role
	Tags     map[string]string // of the user, or of the session and its role
	// Transitive holds the tags that a session inherits if this principal
	// assumes its role.
	Transitive map[string]string
	// SourceIdentity says for whom the session was made, "" if nobody said so. A
	// session inherits it if this principal assumes its role.
	SourceIdentity string
}

func administrator(in Region) Principal {
	arn := "arn:" + in.Partition() + ":iam::" + AdministratorAccount + ":user/administrator"
	return Principal{
		Account:  AdministratorAccount,
		ARN:      arn,
		Identity: arn,
		UserID:   UniqueID("AIDA", arn),
		UserName: "administrator",
	}
}

// UniqueID returns the id that AWS gives to a user or role. Here it is always
// the same for the same name.
func UniqueID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// Session is a principal with credentials and policies: the session of a role,
// whose credentials are temporary, or a user with one of its access keys.
type Session struct {
	Principal         Principal
	Expires           time.Time // a user's credentials do not expire
	Permissions       []policy.Policy
	Boundary          *policy.Policy // permissions boundary, nil if there is none
	SessionPolicy     *policy.Policy // nil if there is none
	SessionPolicyText string         // JSON of SessionPolicy

	// Issue sets the credentials of a role's session, and the time. A user has no
	// token.
	AccessKey, Secret, Token string
	issued                   time.Time
}

// ofUser tells whether a session is a user with one of its keys.
func (s *Session) ofUser() bool { return s != nil && s.Principal.UserName != "" }

// ofRole tells whether a session is one of a role.
func (s *Session) ofRole() bool { return s != nil && s.Principal.UserName == "" }

// Kinds of policies, as AWS calls them in a refusal.
const (
	identityBased = "identity-based policy"
	boundary      = "permissions boundary"
	sessionPolicy = "session policy"
	resourceBased = "resource-based policy"
)

// kindOfPolicy is the policies of one kind, with the words for it in the
// message of a refusal.
type kindOfPolicy struct {
	article, kind string
	policies      []policy.Policy
}

// policies returns the kinds of policies that must all allow what the session
// does. One policy of a kind is enough.
func (s *Session) policies() []kindOfPolicy {
	all := []kindOfPolicy{{"an", identityBased, s.Permissions}}
	if s.Boundary != nil {
		all = append(all, kindOfPolicy{"a", boundary, []policy.Policy{*s.Boundary}})
	}
	if s.SessionPolicy != nil {
		all = append(all, kindOfPolicy{"a", sessionPolicy, []policy.Policy{*s.SessionPolicy}})
	}
	return all
}

// Sessions are the sessions and the passwords that were issued. They are safe
// for concurrent use.
type Sessions struct {
	mu        sync.Mutex
	sessions  *Keeper[*Session] // by access key
	passwords *Keeper[*password]
}

// keepExpired is how long a session is still known as expired.
const keepExpired = time.Hour

// NewSessions returns an empty list of sessions.
func NewSessions() *Sessions {
	return &Sessions{
		sessions:  NewKeeper(func(s *Session) time.Time { return s.Expires.Add(keepExpired) }),
		passwords: NewKeeper(func(p *password) time.Time { return p.expires.Add(keepExpired) }),
	}
}

// Issue gives the session its credentials and remembers it.
func (ss *Sessions) Issue(s *Session, now time.Time) {
	s.issued = now
	s.AccessKey = issuedPrefix + rand.Text()[:16]
	s.Secret = (rand.Text() + rand.Text())[:40]
	s.Token = "FwoGZXIvYXdz" + rand.Text() + rand.Text() + rand.Text()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sessions.Add(s.AccessKey, s, now)
}

// Forget drops the sessions of the roles of an account. From then on they and
// their passwords are unknown and not expired.
func (ss *Sessions) Forget(account string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sessions.Remove(func(s *Session) bool { return s.Principal.Account == account })
}

// ForgetRole drops the sessions of a role, as Forget does.
func (ss *Sessions) ForgetRole(account, name string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sessions.Remove(func(s *Session) bool {
		return s.Principal.Account == account && strings.HasSuffix(s.Principal.Identity, ":role/"+name)
	})
}

// find returns nil if the access key belongs to no session.
func (ss *Sessions) find(accessKey string) *Session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s, _ := ss.sessions.Get(accessKey)
	return s
}

// identify finds the caller by the access key that signed the call. A key that
// belongs neither to a session nor to a user is the administrator's.
func (s *Server) identify(c *Request, sig signature, body []byte) error {
	if session := s.o.Sessions.find(sig.accessKey); session != nil {
		return c.identifySession(session, sig, body)
	}
	if user, ok := s.o.UserKeys.Find(sig.accessKey); ok {
		return s.identifyUser(c, user, sig, body)
	}
	// This session is forged, or older than this process.
	if c.http.Header.Get(tokenHeader) != "" && strings.HasPrefix(sig.accessKey, issuedPrefix) {
		return errUnknownClient()
	}
	c.setSession(nil)
	return nil
}

// identifySession checks a call that was signed with a key of a role's session.
func (c *Request) identifySession(session *Session, sig signature, body []byte) error {
	if session.Token != c.http.Header.Get(tokenHeader) {
		return errUnknownClient()
	}
	c.setSession(session)
	if !c.Now.Before(session.Expires) {
		return Errorf(codeExpiredToken, "The security token included in the request is expired")
	}
	return sig.verify(c.http, body, session.Secret)
}

// setSession sets the session and the caller. The caller is the administrator if
// there is no session.
func (c *Request) setSession(s *Session) {
	p := administrator(c.Place().Region)
	if s != nil {
		c.Session, c.Policy, p = s, s.SessionPolicyText, s.Principal
	}
	c.Caller, c.Account, c.Principal, c.SourceIdentity = p, p.Account, p.ARN, p.SourceIdentity
}

func errUnknownClient() error {
	return Errorf(codeUnknownClient, "The security token included in the request is invalid.")
}
