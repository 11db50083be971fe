package iam

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// OrgTag is the tag that says which org a repository, and a session, is of.
	OrgTag = "spinup:org"

	sessionDuration = 15 * time.Minute // the shortest that STS gives
	renewBefore     = 5 * time.Minute  // while the old credentials still do
	lastUse         = 30 * time.Second // before their end: longer than any request lives
	renewAgain      = 30 * time.Second // after a renewal that failed
	maxSessions     = 1024             // kept at once; the least recently used goes
	maxOrgInName    = 32               // of the 64 characters of a session name
	refusalMemory   = 5 * time.Second  // how long an account that refused is not asked again
)

// Roles assumes the management role of accounts and keeps the credentials, in
// memory only. It is safe for concurrent use.
type Roles struct {
	sts        *sts.STS
	name       string
	externalID string
	org        string
	timeout    time.Duration // of assuming a role, all attempts together
	sessions   *lru.Cache[sessionKey, *Session]
	refusals   *lru.Cache[string, refusal] // by account
	budgets    *lru.Cache[string, *budget] // by account
	observer   Observer
}

// A sessionKey tells apart all sessions that must not be shared.
type sessionKey struct{ account, group, kind string }

// A refusal is STS's "access denied", remembered so that an account which
// cannot be entered does not make every request wait for STS, and STS throttle.
type refusal struct {
	err   error
	until time.Time
}

// NewRoles returns Roles that enter accounts as the configuration says, by
// STS calls in that AWS session.
func NewRoles(aws client.ConfigProvider, config *common.Config, o Observer) (*Roles, error) {
	sessions, err := lru.New[sessionKey, *Session](maxSessions)
	if err != nil {
		return nil, err
	}
	refusals, err := lru.New[string, refusal](maxSessions)
	if err != nil {
		return nil, err
	}
	budgets, err := lru.New[string, *budget](maxSessions)
	if err != nil {
		return nil, err
	}
	return &Roles{
		sts:        sts.New(aws),
		name:       config.Account.Role,
		externalID: config.Account.ExternalID,
		org:        config.Org,
		timeout:    config.RequestTimeout,
		sessions:   sessions,
		refusals:   refusals,
		budgets:    budgets,
		observer:   o,
	}, nil
}

// Session is a session in some account under some policy.
type Session struct {
	Name        string // by which CloudTrail tells its calls
	Credentials *credentials.Credentials
	provider    *roleProvider
	budget      *budget
}

// Apply makes a request one of this session: signed with its credentials, and
// retried within its account's budget.
func (s *Session) Apply(r *request.Request) {
	r.Config.Credentials = s.Credentials
	s.budget.retryingIn(r, s.provider.expire)
}

// Session returns a session in the scope's account that may do what the policy
// allows and nothing else. It is the same for the same kind of operation in the
// same scope. STS is asked when its credentials are first used, and again when
// they near their end; an error of theirs is a common.Error.
func (r *Roles) Session(kind string, scope Scope, policy func(Scope) Policy) *Session {
	key := sessionKey{account: scope.Account, group: scope.Group, kind: kind}
	if kept, ok := r.sessions.Get(key); ok {
		if kept.provider.isGood() {
			r.observer.Entered(Hit)
		}
		return kept
	}
	fresh := r.newSession(scope, policy(scope))
	if kept, ok, _ := r.sessions.PeekOrAdd(key, fresh); ok {
		return kept
	}
	return fresh
}

func (r *Roles) newSession(scope Scope, policy Policy) *Session {
	b := r.budget(scope.Account)
	s := &roleProvider{roles: r, account: scope.Account}
	s.RoleSessionName = sessionName(r.org)
	s.Client = assumer{r.sts, b}
	s.RoleARN = fmt.Sprintf("arn:%s:iam::%s:role/%s", scope.Partition, scope.Account, r.name)
	s.Policy = aws.String(policy.String())
	s.Tags = []*sts.Tag{{Key: aws.String(OrgTag), Value: aws.String(r.org)}}
	s.Duration = sessionDuration
	s.ExpiryWindow = renewBefore
	if r.externalID != "" {
		s.ExternalID = aws.String(r.externalID)
	}
	return &Session{Name: s.RoleSessionName, Credentials: credentials.NewCredentials(s), provider: s, budget: b}
}

// budget returns the one of the account.
func (r *Roles) budget(account string) *budget {
	if kept, ok := r.budgets.Get(account); ok {
		return kept
	}
	fresh := newBudget(r.observer)
	if kept, ok, _ := r.budgets.PeekOrAdd(account, fresh); ok {
		return kept
	}
	return fresh
}

// assumer is STS, retried within a budget.
type assumer struct {
	*sts.STS
	budget *budget
}

// AssumeRoleWithContext is what stscreds calls.
func (a assumer) AssumeRoleWithContext(ctx aws.Context, in *sts.AssumeRoleInput, o ...request.Option) (*sts.AssumeRoleOutput, error) {
	return a.STS.AssumeRoleWithContext(ctx, in, append(o, a.budget.retrying)...)
}

// roleProvider is the SDK's AssumeRoleProvider with our errors, a memory of
// refusals, and one of the credentials that are being renewed.
type roleProvider struct {
	stscreds.AssumeRoleProvider
	roles   *Roles
	account string

	last     credentials.Value
	lastEnds time.Time

	good    atomic.Pointer[good]   // nil: STS is asked for the next call
	expired atomic.Pointer[string] // the access key that AWS called expired last
}

// good are credentials as far as a request needs to know them without the SDK's
// lock, which is held while STS is asked.
type good struct {
	accessKey string
	until     time.Time // STS is asked again then
}

func (s *roleProvider) isGood() bool {
	g := s.good.Load()
	return g != nil && time.Now().Before(g.until)
}

// expire notes that AWS has called an access key expired, unless it is an older
// one: calls that were under way are told so later than others.
func (s *roleProvider) expire(accessKey string) {
	g := s.good.Load()
	if g != nil && g.accessKey == accessKey && s.good.CompareAndSwap(g, nil) {
		s.expired.Store(&accessKey)
	}
}

// IsExpired tells whether STS must be asked. The SDK asks it under the lock under
// which it has RetrieveWithContext called.
func (s *roleProvider) IsExpired() bool {
	return s.calledExpired() || s.AssumeRoleProvider.IsExpired()
}

func (s *roleProvider) calledExpired() bool {
	key := s.expired.Load()
	return key != nil && *key == s.last.AccessKeyID
}

// RetrieveWithContext assumes the role. The SDK calls it once for all requests
// that wait for these credentials, and with none of their deadlines.
func (s *roleProvider) RetrieveWithContext(ctx credentials.Context) (credentials.Value, error) {
	value, err := s.retrieve(ctx)
	switch common.CodeOf(err) {
	case common.Forbidden:
		s.roles.observer.Entered(Refused)
	default:
		s.roles.observer.Entered(Miss)
	}
	if err == nil {
		s.good.Store(&good{accessKey: value.AccessKeyID, until: s.ExpiresAt()})
	}
	return value, err
}

func (s *roleProvider) retrieve(ctx credentials.Context) (credentials.Value, error) {
	if err := s.roles.refused(s.account); err != nil {
		return credentials.Value{}, err
	}
	if s.calledExpired() { // whatever our clock says
		s.lastEnds = time.Time{}
	}
	timeout := s.roles.timeout
	if s.lastStillDo() {
		timeout /= 5 // everybody is waiting for what can wait
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, err := s.AssumeRoleProvider.RetrieveWithContext(ctx)
	if err == nil {
		s.last, s.lastEnds = value, s.ExpiresAt().Add(renewBefore)
		return value, nil
	}
	err = Translate(err)
	s.roles.remember(s.account, err)
	if common.CodeOf(err) != common.Forbidden && s.lastStillDo() {
		s.SetExpiration(time.Now().Add(renewAgain), 0)
		return s.last, nil
	}
	return credentials.Value{}, err
}

// lastStillDo tells whether the credentials that are being renewed outlive any
// request that is given them now.
func (s *roleProvider) lastStillDo() bool { return time.Until(s.lastEnds) > lastUse }

// refused returns the refusal with which the account answered a moment ago.
func (r *Roles) refused(account string) error {
	if last, ok := r.refusals.Get(account); ok && time.Now().Before(last.until) {
		return last.err
	}
	return nil
}

func (r *Roles) remember(account string, err error) {
	if common.CodeOf(err) == common.Forbidden {
		r.refusals.Add(account, refusal{err: err, until: time.Now().Add(refusalMemory)})
	}
}

var notInSessionName = regexp.MustCompile(`[^\w+=,.@-]`)

// sessionName returns a new name that tells in CloudTrail whose session it is.
func sessionName(org string) string {
	org = notInSessionName.ReplaceAllString(org, "-")
	if len(org) > maxOrgInName {
		org = org[:maxOrgInName]
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	return "spinup-" + org + "-ecr-api-" + hex.EncodeToString(id[:])
}
