package roles

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	sessionDuration = 15 * time.Minute // the shortest that STS gives
	renewBefore     = 5 * time.Minute  // the old credentials are still good then
	longestUse      = 30 * time.Second // no request uses its credentials for longer
	renewRetry      = 30 * time.Second // time between a failed renewal and the next try
	maxSessions     = 1024             // if there are more, the least recently used one is dropped
	maxOrgInName    = 32               // of the 64 characters of a session name
	refusalMemory   = 5 * time.Second  // how long a refusal is remembered
)

// Roles assumes the management role of accounts and keeps the credentials, in
// memory only. It is safe for concurrent use.
type Roles struct {
	sts        *sts.STS
	name       string
	externalID string
	org        string
	refusal    string        // what callers are told if STS refuses the role
	timeout    time.Duration // of assuming a role, all attempts together
	pace       *pace
	budget     *budget // of STS
	accounts   accounts
	observer   Observer

	sessions  *lru.Cache[sessionKey, *Session]
	strangers *lru.Cache[sessionKey, *Session] // of accounts that are not known: they push no other session out
}

// A Want says which session a request needs.
type Want struct {
	Registry common.Registry
	Policy   string // session policy
	Key      string // name of the pre-shared key of the request; CloudTrail shows it as source identity
	Listed   bool   // the account is in the configuration
}

// A sessionKey identifies a session.
type sessionKey struct{ account, policy, key string }

// New returns Roles that assume the configured role. They call STS with the
// given AWS session of the SDK.
func New(sdk client.ConfigProvider, config *common.Config, o Observer) (*Roles, error) {
	r := &Roles{
		sts:        sts.New(sdk),
		name:       config.Account.Role,
		externalID: config.Account.ExternalID,
		org:        config.Org,
		timeout:    config.RequestTimeout,
		pace:       newPace(o),
		budget:     newBudget(o),
		observer:   o,
		refusal:    refusalText(config.Account.Role),
	}
	r.sts.Handlers.Sign.AfterEachFn = request.HandlerListStopOnError // keepPace may fail
	r.sts.Handlers.Unmarshal.PushBack(wantResult)
	r.sts.Handlers.CompleteAttempt.PushBack(r.pace.learn)
	r.sts.Handlers.Complete.PushFront(r.translate)
	return r, errors.Join(
		newCache(&r.accounts.known),
		newCache(&r.accounts.strangers),
		newCache(&r.sessions),
		newCache(&r.strangers),
	)
}

// newCache makes a cache of maxSessions entries.
func newCache[K comparable, V any](cache **lru.Cache[K, V]) (err error) {
	*cache, err = lru.New[K, V](maxSessions)
	return err
}

// A Session is a session of the management role in one account, under one
// session policy.
type Session struct {
	unprintable
	Name        string // CloudTrail has it with each of the session's calls
	Credentials *credentials.Credentials
	budget      *budget

	// Of a session that is renewed:
	key      sessionKey
	provider *roleProvider

	// Of a session of Once:
	fixed *signer
	ends  time.Time
}

// Expires returns when AWS ends a session of Once, by AWS's clock. It is zero
// for a session that is renewed.
func (s *Session) Expires() time.Time { return s.ends }

// Apply is an option for a request to AWS. The request is then signed with the
// session's credentials, and retried within the budget of its account.
func (s *Session) Apply(r *request.Request) {
	r.Config.Credentials = s.Credentials
	r.Handlers.Sign.Clear()
	r.Handlers.Sign.PushBack(s.sign)
	if s.fixed != nil {
		s.budget.apply(r, &retryer{in: onlySession})
		return
	}
	s.budget.apply(r, &retryer{in: renewedSession, expire: s.provider.expire})
}

// sign is a handler of the SDK. It takes the place of the SDK's signer.
func (s *Session) sign(r *request.Request) {
	signer, err := s.signer(r.Context())
	if err != nil {
		r.Error = err
		return
	}
	signer.sign(r, time.Now())
}

// signer returns a signer with the session's credentials. It asks the SDK for
// them only if STS must be asked, because the SDK starts a goroutine each time.
func (s *Session) signer(ctx context.Context) (*signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, awserr.New(request.CanceledErrorCode, "request context canceled", err)
	}
	if s.fixed != nil {
		return s.fixed, nil
	}
	if valid := s.provider.validSigner(); valid != nil {
		return valid, nil
	}
	start := time.Now()
	for {
		c := &caller{Context: ctx}
		value, err := s.Credentials.GetWithContext(c.context())
		if err == nil {
			return &signer{Value: value}, nil
		}
		if ctx.Err() != nil || !c.mayAskNext(err, start) {
			return nil, err
		}
	}
}

// Session returns a session in the registry's account that may do what the
// session policy allows and nothing else. The same account, policy and key get
// the same session. The credentials come from STS when they are first used, and
// are renewed before they expire. Their errors are common.Errors.
func (r *Roles) Session(w Want) *Session {
	s := r.session(w)
	if s.provider.validSigner() != nil {
		r.observer.SessionRequested(Hit)
	}
	return s
}

func (r *Roles) session(w Want) *Session {
	key := sessionKey{account: w.Registry.Account, policy: w.Policy, key: w.Key}
	if kept, ok := r.sessions.Get(key); ok {
		return kept
	}
	if kept, ok := r.strangers.Get(key); ok {
		if w.Listed { // a reload has listed it
			r.keep(kept)
		}
		return kept
	}
	account := r.accounts.get(key.account, w.Listed, r.observer)
	cache := r.strangers
	if account.known.Load() {
		cache = r.sessions
	}
	fresh := r.newSession(w, key, account)
	if kept, ok, _ := cache.PeekOrAdd(key, fresh); ok {
		return kept
	}
	return fresh
}

// keep notes that the session is of a known account.
func (r *Roles) keep(s *Session) {
	r.accounts.know(s.provider.account)
	r.sessions.PeekOrAdd(s.key, s)
	r.strangers.Remove(s.key)
}

func (r *Roles) newSession(w Want, key sessionKey, account *accountMemory) *Session {
	p := &roleProvider{assumableRole: r.assumable(w, account)}
	p.Client = assumer{r.sts, r, p.lane}
	p.Duration = sessionDuration
	p.ExpiryWindow = renewBefore
	p.session = &Session{Name: p.RoleSessionName, Credentials: credentials.NewCredentials(p), key: key, provider: p, budget: account.budget}
	return p.session
}

// assumable returns the role of the account for a new session. It has neither a
// client nor a duration.
func (r *Roles) assumable(w Want, account *accountMemory) assumableRole {
	p := assumableRole{roles: r, account: account, identity: identityFor(w.Key)}
	p.RoleSessionName = sessionName(r.org)
	p.RoleARN = fmt.Sprintf("arn:%s:iam::%s:role/%s", w.Registry.Partition, account.id, r.name)
	p.Policy = aws.String(w.Policy)
	p.Tags = []*sts.Tag{{Key: aws.String(common.OrgTag), Value: aws.String(r.org)}}
	if r.externalID != "" {
		p.ExternalID = aws.String(r.externalID)
	}
	return p
}

var notInSessionName = regexp.MustCompile(`[^\w+=,.@-]`)

// sessionName returns a new session name. In CloudTrail the name shows the org.
func sessionName(org string) string {
	org = notInSessionName.ReplaceAllString(org, "-")
	if len(org) > maxOrgInName {
		org = org[:maxOrgInName]
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	return "spinup-" + org + "-ecr-api-" + hex.EncodeToString(id[:])
}
