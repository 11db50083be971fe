package roles

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
)

// An assumer is the STS client that assumes one role. Its calls keep to the pace
// and to the retry budget of STS.
type assumer struct {
	*sts.STS
	roles *Roles
	lane  func() lane // of the AssumeRole that is under way
}

// AssumeRoleWithContext is what stscreds calls. Its error is the one that
// translate made.
func (a assumer) AssumeRoleWithContext(ctx aws.Context, in *sts.AssumeRoleInput, o ...request.Option) (*sts.AssumeRoleOutput, error) {
	r, out := a.AssumeRoleRequest(in)
	r.SetContext(ctx)
	r.ApplyOptions(append(o, a.roles.budget.applyTo, a.keepPace)...)
	_ = r.Send() // the same error, not yet translated
	return out, r.Error
}

// keepPace is an option for a request to STS. Each attempt waits for its turn.
func (a assumer) keepPace(r *request.Request) {
	r.Handlers.Sign.PushFront(func(r *request.Request) {
		if err := a.roles.pace.wait(r.Context(), a.lane()); err != nil {
			r.Error = err
		}
	})
}

// An assumableRole is the SDK's AssumeRoleProvider with three additions. Its
// errors are common.Errors. It remembers refusals. It leaves out the source
// identity where the role does not take one.
type assumableRole struct {
	unprintable
	stscreds.AssumeRoleProvider
	roles    *Roles
	account  *accountMemory
	identity *string // nil if there is none to send
}

// A roleProvider provides the credentials of a session that is renewed. If a
// renewal fails, it keeps using the old credentials.
type roleProvider struct {
	assumableRole
	session *Session // whose credentials it provides

	last     *signer // has the last credentials
	lastEnds time.Time

	valid   atomic.Pointer[validity] // nil if the next call must ask STS
	expired atomic.Pointer[signer]   // the last one of which AWS said that it has expired or is unknown
}

// validity says which credentials are valid and how long. It is read without
// the SDK's lock, because the SDK holds that lock while it calls STS.
type validity struct {
	*signer
	until time.Time // STS is asked again then
}

// validSigner returns the signer of the credentials that are valid, or nil.
func (p *roleProvider) validSigner() *signer {
	if g := p.valid.Load(); g != nil && time.Now().Before(g.until) {
		return g.signer
	}
	return nil
}

// expire notes that AWS says that an access key has expired, or that it does not
// know the key. It ignores an older access key, because a slow call may report
// it after the renewal.
func (p *roleProvider) expire(accessKey string) {
	g := p.valid.Load()
	if g != nil && g.AccessKeyID == accessKey && p.valid.CompareAndSwap(g, nil) {
		p.expired.Store(g.signer)
	}
}

// IsExpired tells whether STS must be asked. The SDK holds the same lock when
// it calls IsExpired and RetrieveWithContext.
func (p *roleProvider) IsExpired() bool {
	return p.calledExpired() || p.AssumeRoleProvider.IsExpired()
}

func (p *roleProvider) calledExpired() bool {
	expired := p.expired.Load()
	return expired != nil && expired == p.last
}

// RetrieveWithContext assumes the role. The SDK calls it once for all requests
// that wait for these credentials. The context has no deadline.
func (p *roleProvider) RetrieveWithContext(ctx credentials.Context) (credentials.Value, error) {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		c.asked = true
	}
	value, err := p.retrieve(ctx)
	p.roles.observer.SessionRequested(resultOf(err))
	if err == nil {
		p.roles.keep(p.session)
		p.valid.Store(&validity{signer: p.last, until: p.ExpiresAt()})
	}
	return value, err
}

func resultOf(err error) SessionResult {
	switch {
	case common.CodeOf(err) == common.RoleRefused:
		return Refused
	case isLimit(err):
		return Limited
	default:
		return Miss
	}
}

func (p *roleProvider) retrieve(ctx credentials.Context) (credentials.Value, error) {
	if p.calledExpired() { // even if they are still good by our clock
		p.lastEnds = time.Time{}
	}
	timeout := p.roles.timeout
	if p.canKeepLast() {
		timeout /= 5 // requests are waiting, and the renewal can be tried again later
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, err := p.assume(ctx)
	if err == nil {
		p.last, p.lastEnds = &signer{Value: value}, p.ExpiresAt().Add(renewBefore)
		return value, nil
	}
	if common.CodeOf(err) != common.RoleRefused && p.canKeepLast() {
		p.SetExpiration(time.Now().Add(renewRetry), 0)
		return p.last.Value, nil
	}
	return credentials.Value{}, err
}

// assume assumes the role, unless STS refused that some seconds ago.
func (p *assumableRole) assume(ctx context.Context) (credentials.Value, error) {
	if err := p.account.refused(); err != nil {
		return credentials.Value{}, err
	}
	value, err := p.tryIdentity(ctx)
	if err == nil {
		return value, nil
	}
	err = p.roles.fromSTS(err) // an error from before the call, such as an ended context, is not translated yet
	p.account.remember(err)
	return credentials.Value{}, err
}

// tryIdentity assumes the role. If STS refuses that with a source identity, it
// tries without: STS names the action that it refuses, but no document says that
// it always does.
func (p *assumableRole) tryIdentity(ctx context.Context) (credentials.Value, error) {
	p.SourceIdentity = p.identity
	if !p.account.noIdentity.isOver() {
		p.SourceIdentity = nil
	}
	value, err := p.AssumeRoleProvider.RetrieveWithContext(ctx)
	if p.SourceIdentity == nil {
		return value, err
	}
	if err == nil {
		p.account.noIdentity.end()
	}
	if common.CodeOf(err) != common.RoleRefused {
		return value, err
	}
	p.SourceIdentity = nil
	value, err = p.AssumeRoleProvider.RetrieveWithContext(ctx)
	if p.account.noIdentity.extend(err == nil || errors.As(err, new(*tooLong))) {
		p.roles.observer.NoSourceIdentity(p.account.id)
	}
	return value, err
}

// lane returns the lane of the AssumeRole that is under way.
func (p *roleProvider) lane() lane {
	switch {
	case p.canKeepLast():
		return renewals
	case p.last != nil || p.account.known.Load():
		return knownRoles
	default:
		return unknownRoles
	}
}

// canKeepLast tells whether the credentials that are being renewed last longer
// than any request that gets them now.
func (p *roleProvider) canKeepLast() bool { return time.Until(p.lastEnds) > longestUse }

// unprintable keeps the secrets of a struct out of %v and its relatives.
type unprintable = common.Unprintable
