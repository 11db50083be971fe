package api

import (
	"context"
	"errors"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"github.com/YaleSpinup/ecr-api/iam/users"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxPolicyTexts is how many texts of session policies are kept.
const maxPolicyTexts = 1024

// A connector makes the clients of requests. It is safe for concurrent use.
type connector struct {
	roles *roles.Roles
	ecr   *ecr.API
	users *users.API
	texts *lru.Cache[policyKey, string] // encoding a policy again would cost more than a lookup

	enhanced enhancedMemory
}

// A policyKey is what the text of a session policy depends on.
type policyKey struct {
	row     string // its name
	further string // name in the row's Further; empty for the row's own policy
	scope   iam.Scope
}

func newConnector(c *common.Config, o observer) (*connector, error) {
	sdk, err := roles.NewSDKSession(c, o)
	if err != nil {
		return nil, err
	}
	r, err := roles.New(sdk, c, o)
	if err != nil {
		return nil, err
	}
	texts, err := lru.New[policyKey, string](maxPolicyTexts)
	if err != nil {
		return nil, err
	}
	calls := ecr.New(sdk)
	calls.Removed = o.Removed
	enhanced, err := newEnhancedMemory()
	if err != nil {
		return nil, err
	}
	return &connector{roles: r, ecr: calls, users: users.New(sdk), texts: texts, enhanced: enhanced}, nil
}

// connect returns the clients of a request. They can do what the row's policy
// allows in the scope, and nothing else.
func (c *connector) connect(rt route, scope iam.Scope, rec *record) clients {
	want := roles.Want{
		Registry: scope.Registry,
		Policy:   c.policyText(policyKey{row: rt.Name, scope: scope}, rt.Policy),
		Key:      rec.key,
		Listed:   rec.settings.config.Accounts != nil, // no other account comes this far
	}
	return clients{connector: c, want: want, session: c.roles.Session(want), scope: scope, row: rt, record: rec}
}

// policyText returns the text of a session policy.
func (c *connector) policyText(key policyKey, policy func(iam.Scope) iam.Policy) string {
	text, ok := c.texts.Get(key)
	if !ok {
		text = policy(key.scope).String()
		c.texts.Add(key, text)
	}
	return text
}

// clients has the AWS clients of one request, which all use its session. A
// handler takes the clients that it needs.
type clients struct {
	connector *connector
	want      roles.Want
	session   *roles.Session

	// For other sessions of the request:
	row    route
	scope  iam.Scope
	record *record
}

// ECR returns the client of the request's registry.
func (c clients) ECR() *ecr.Client {
	return c.connector.ecr.Client(c.want.Registry, c.session.Apply)
}

// furtherECR is ECR, in the session of that name in the row's Further.
func (t target) furtherECR(further string) *ecr.Client {
	return t.connector.ecr.Client(t.want.Registry, t.further(further, t.repositoryScope()).Apply)
}

// further returns the session of that name in the row's Further.
func (t target) further(name string, scope iam.Scope) *roles.Session {
	want := t.want
	want.Policy = t.connector.policyText(policyKey{t.row.Name, name, scope}, t.row.Further[name])
	return t.connector.roles.Session(want)
}

// repositoryScope is the scope of sessions that are for the repository alone.
func (t target) repositoryScope() iam.Scope {
	scope := t.scope
	scope.Name = t.Name
	return scope
}

// inOwnSession makes a call in a session that has that access to the request's
// repository, and returns when the session ends. The session is for this request
// alone, so that a caller may get its rights. As with other sessions, a call
// whose session AWS does not know is made once more, in another session.
func (t target) inOwnSession(ctx context.Context, access string, call func(*ecr.Client) error) (ends time.Time, err error) {
	want := t.want
	want.Policy = t.row.Access[access](t.repositoryScope()).String()
	ends, err = t.once(ctx, want, call)
	if errors.Is(err, roles.ErrLost) {
		return t.once(ctx, want, call)
	}
	return ends, err
}

// once makes a call in a new session, and returns when the session ends.
func (c clients) once(ctx context.Context, want roles.Want, call func(*ecr.Client) error) (ends time.Time, err error) {
	session, err := c.connector.roles.Once(ctx, want)
	if err != nil {
		return time.Time{}, err
	}
	c.record.access.session = session.Name
	if err := call(c.connector.ecr.Client(want.Registry, session.Apply)); err != nil {
		return time.Time{}, err
	}
	return session.Expires(), nil
}
