package roles

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go/aws/credentials"
)

// Once assumes the role now, for the longest time that AWS gives, and returns
// the session. It is for credentials that a caller gets: nobody else has the
// session, and it is kept in no cache and never renewed. The errors are those of
// other sessions.
func (r *Roles) Once(ctx context.Context, w Want) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	account := r.accounts.get(w.Registry.Account, w.Listed, r.observer)
	role := r.assumable(w, account)
	role.Client = assumer{r.sts, r, account.laneOfOnce}
	value, ends, err := role.assumeForLongest(ctx)
	r.observer.SessionRequested(resultOf(err))
	if err != nil {
		return nil, err
	}
	r.accounts.know(account)
	return &Session{
		Name:        role.RoleSessionName,
		Credentials: credentials.NewStaticCredentialsFromCreds(value),
		budget:      account.budget,
		fixed:       &signer{Value: value},
		ends:        ends,
	}, nil
}

func (m *accountMemory) laneOfOnce() lane {
	if m.known.Load() {
		return ownSessions
	}
	return unknownRoles
}

// assumeForLongest assumes the role for the most whole hours that AWS gives.
// Nobody but AWS knows the maximum of the role, so it tries. It returns the
// longest session that AWS gave, also if a try for a longer one failed for
// another reason.
func (p *assumableRole) assumeForLongest(ctx context.Context) (longest credentials.Value, ends time.Time, err error) {
	var has time.Duration
	for {
		next := p.account.maxDuration.next()
		if next <= has {
			return longest, ends, nil
		}
		p.Duration = next
		value, err := p.assume(ctx)
		var refused *tooLong
		switch {
		case err == nil:
			longest, ends, has = value, p.ExpiresAt(), next
			p.account.maxDuration.give(next)
		case errors.As(err, &refused):
			p.account.maxDuration.refuse(refused.asked)
		case has > 0:
			return longest, ends, nil
		default:
			return credentials.Value{}, time.Time{}, err
		}
	}
}
