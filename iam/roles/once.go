package roles

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go/aws/credentials"
)

// Once assumes the role now, for the longest time that AWS gives, and returns
// the session. It is for credentials that a caller gets: nobody else has the
// session, and it is kept in no cache and never renewed. The errors are those of
// other sessions.
func (r *Roles) Once(ctx context.Context, w Want) (*Session, error) {
	account := r.accounts.get(w.Registry.Account, w.Listed, r.observer)
	s := r.newSession(w, sessionKey{}, account)
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	value, err := s.provider.retrieveLongest(ctx)
	r.observer.SessionRequested(resultOf(err))
	if err != nil {
		return nil, err
	}
	r.accounts.know(account)
	s.fixed, s.ends = s.provider.last, s.provider.lastEnds
	s.Credentials = credentials.NewStaticCredentialsFromCreds(value)
	return s, nil
}

// retrieveLongest assumes the role for the longest time that AWS gives. Nobody
// but AWS knows the maximum of the role, so it tries.
func (p *roleProvider) retrieveLongest(ctx context.Context) (credentials.Value, error) {
	for {
		p.Duration = p.account.maxDuration.get()
		value, err := p.retrieve(ctx)
		var refused *tooLong
		if !errors.As(err, &refused) {
			return value, err
		}
		p.account.maxDuration.lower(refused.next)
	}
}
