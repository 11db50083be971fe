package roles

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
)

// An assumer is STS with the retries of one account.
type assumer struct {
	*sts.STS
	budget *budget
}

// AssumeRoleWithContext is what stscreds calls. Its error is the one that
// translate made.
func (a assumer) AssumeRoleWithContext(ctx aws.Context, in *sts.AssumeRoleInput, o ...request.Option) (*sts.AssumeRoleOutput, error) {
	r, out := a.AssumeRoleRequest(in)
	r.SetContext(ctx)
	r.ApplyOptions(append(o, a.budget.applyTo)...)
	_ = r.Send() // the same error, not yet translated
	return out, r.Error
}

// A roleProvider is the SDK's AssumeRoleProvider. It adds our errors, the
// memory of refusals, and the old credentials, which stay in use where a
// renewal fails.
type roleProvider struct {
	stscreds.AssumeRoleProvider
	roles   *Roles
	account string

	last     credentials.Value
	lastEnds time.Time

	good    atomic.Pointer[good]   // nil: the next call asks STS
	expired atomic.Pointer[string] // the access key that AWS last called expired
}

// good tells what a request needs to know of good credentials. It is read
// without the SDK's lock, which the SDK holds while it asks STS.
type good struct {
	accessKey string
	until     time.Time // STS is asked again then
}

func (p *roleProvider) isGood() bool {
	g := p.good.Load()
	return g != nil && time.Now().Before(g.until)
}

// expire notes that AWS has called an access key expired. It ignores an older
// access key: a call that took long is told so after the others.
func (p *roleProvider) expire(accessKey string) {
	g := p.good.Load()
	if g != nil && g.accessKey == accessKey && p.good.CompareAndSwap(g, nil) {
		p.expired.Store(&accessKey)
	}
}

// IsExpired tells whether STS must be asked. The SDK holds the same lock when
// it calls IsExpired and RetrieveWithContext.
func (p *roleProvider) IsExpired() bool {
	return p.calledExpired() || p.AssumeRoleProvider.IsExpired()
}

func (p *roleProvider) calledExpired() bool {
	key := p.expired.Load()
	return key != nil && *key == p.last.AccessKeyID
}

// RetrieveWithContext assumes the role. The SDK calls it once for all requests
// that wait for these credentials. The context has none of their deadlines.
func (p *roleProvider) RetrieveWithContext(ctx credentials.Context) (credentials.Value, error) {
	value, err := p.retrieve(ctx)
	entry := Miss
	if common.CodeOf(err) == common.Forbidden {
		entry = Refused
	}
	p.roles.observer.Entered(entry)
	if err == nil {
		p.good.Store(&good{accessKey: value.AccessKeyID, until: p.ExpiresAt()})
	}
	return value, err
}

func (p *roleProvider) retrieve(ctx credentials.Context) (credentials.Value, error) {
	if err := p.roles.refused(p.account); err != nil {
		return credentials.Value{}, err
	}
	if p.calledExpired() { // whatever our clock says
		p.lastEnds = time.Time{}
	}
	timeout := p.roles.timeout
	if p.canKeepLast() {
		timeout /= 5 // requests are waiting for a renewal that can be put off
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, err := p.AssumeRoleProvider.RetrieveWithContext(ctx)
	if err == nil {
		p.last, p.lastEnds = value, p.ExpiresAt().Add(renewBefore)
		return value, nil
	}
	err = common.FromAWS(err, codes) // such as a context that ended before the call
	p.roles.remember(p.account, err)
	if common.CodeOf(err) != common.Forbidden && p.canKeepLast() {
		p.SetExpiration(time.Now().Add(renewAgain), 0)
		return p.last, nil
	}
	return credentials.Value{}, err
}

// canKeepLast tells whether the credentials that are being renewed last longer
// than any request that gets them now.
func (p *roleProvider) canKeepLast() bool { return time.Until(p.lastEnds) > longestUse }
