package iam

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/service/sts"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// OrgTag is the tag that says which org a repository, and a session, is of.
	OrgTag = "spinup:org"

	sessionDuration = 15 * time.Minute // the shortest that STS gives
	renewBefore     = 5 * time.Minute  // longer than any request lives
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
	sessions   *lru.Cache[sessionKey, *Session]
	refusals   *lru.Cache[string, refusal] // by account
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
func NewRoles(aws client.ConfigProvider, config *common.Config) (*Roles, error) {
	sessions, err := lru.New[sessionKey, *Session](maxSessions)
	if err != nil {
		return nil, err
	}
	refusals, err := lru.New[string, refusal](maxSessions)
	if err != nil {
		return nil, err
	}
	return &Roles{
		sts:        sts.New(aws),
		name:       config.Account.Role,
		externalID: config.Account.ExternalID,
		org:        config.Org,
		sessions:   sessions,
		refusals:   refusals,
	}, nil
}

// Session is a session in some account under some policy.
type Session struct {
	Name        string // by which CloudTrail tells its calls
	Credentials *credentials.Credentials
}

// Session returns a session in the scope's account that may do what the policy
// allows and nothing else. It is the same for the same kind of operation in the
// same scope. STS is asked when its credentials are first used, and again when
// they near their end; an error of theirs is a common.Error.
func (r *Roles) Session(kind string, scope Scope, policy func(Scope) Policy) *Session {
	key := sessionKey{account: scope.Account, group: scope.Group, kind: kind}
	if kept, ok := r.sessions.Get(key); ok {
		return kept
	}
	fresh := r.newSession(scope, policy(scope))
	if kept, ok, _ := r.sessions.PeekOrAdd(key, fresh); ok {
		return kept
	}
	return fresh
}

func (r *Roles) newSession(scope Scope, policy Policy) *Session {
	s := &roleProvider{roles: r, account: scope.Account}
	s.RoleSessionName = sessionName(r.org)
	s.Client = r.sts
	s.RoleARN = fmt.Sprintf("arn:%s:iam::%s:role/%s", scope.Partition, scope.Account, r.name)
	s.Policy = aws.String(policy.String())
	s.Tags = []*sts.Tag{{Key: aws.String(OrgTag), Value: aws.String(r.org)}}
	s.Duration = sessionDuration
	s.ExpiryWindow = renewBefore
	if r.externalID != "" {
		s.ExternalID = aws.String(r.externalID)
	}
	return &Session{Name: s.RoleSessionName, Credentials: credentials.NewCredentials(s)}
}

// roleProvider is the SDK's AssumeRoleProvider with our errors and a memory of
// refusals.
type roleProvider struct {
	stscreds.AssumeRoleProvider
	roles   *Roles
	account string
}

// RetrieveWithContext assumes the role. The SDK calls it once for all requests
// that wait for these credentials.
func (s *roleProvider) RetrieveWithContext(ctx credentials.Context) (credentials.Value, error) {
	if err := s.roles.refused(s.account); err != nil {
		return credentials.Value{}, err
	}
	value, err := s.AssumeRoleProvider.RetrieveWithContext(ctx)
	if err != nil {
		err = common.FromAWS(err, codes)
		s.roles.remember(s.account, err)
		return credentials.Value{}, err
	}
	return value, nil
}

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
