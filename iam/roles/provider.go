package roles

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/sts"
)

// An assumer is an STS client with the retry budget of one account.
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

// A roleProvider is the SDK's AssumeRoleProvider with three additions. Its
// errors are common.Errors. It remembers refusals. If a renewal fails, it keeps
// using the old credentials.
type roleProvider struct {
	unprintable
	stscreds.AssumeRoleProvider
	roles   *Roles
	account string

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
	value, err := p.retrieve(ctx)
	result := Miss
	if common.CodeOf(err) == common.RoleRefused {
		result = Refused
	}
	p.roles.observer.SessionRequested(result)
	if err == nil {
		p.valid.Store(&validity{signer: p.last, until: p.ExpiresAt()})
	}
	return value, err
}

func (p *roleProvider) retrieve(ctx credentials.Context) (credentials.Value, error) {
	if err := p.roles.refused(p.account); err != nil {
		return credentials.Value{}, err
	}
	if p.calledExpired() { // even if they are still good by our clock
		p.lastEnds = time.Time{}
	}
	timeout := p.roles.timeout
	if p.canKeepLast() {
		timeout /= 5 // requests are waiting, and the renewal can be tried again later
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, err := p.AssumeRoleProvider.RetrieveWithContext(ctx)
	if err == nil {
		p.last, p.lastEnds = &signer{Value: value}, p.ExpiresAt().Add(renewBefore)
		return value, nil
	}
	err = p.roles.fromSTS(err) // an error from before the call, such as an ended context, is not translated yet
	p.roles.remember(p.account, err)
	if common.CodeOf(err) != common.RoleRefused && p.canKeepLast() {
		p.SetExpiration(time.Now().Add(renewRetry), 0)
		return p.last.Value, nil
	}
	return credentials.Value{}, err
}

// canKeepLast tells whether the credentials that are being renewed last longer
// than any request that gets them now.
func (p *roleProvider) canKeepLast() bool { return time.Until(p.lastEnds) > longestUse }

// unprintable keeps the secrets of a struct out of %v and its relatives.
type unprintable struct{}

// Format implements fmt.Formatter.
func (unprintable) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }
