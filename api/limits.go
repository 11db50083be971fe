package api

import (
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/prometheus/client_golang/prometheus"
)

// limits counts the requests with a good token that are being answered, in all
// and by account. A change whose caller has gone counts until its end.
type limits struct {
	reached *prometheus.CounterVec // by limit

	mu        sync.Mutex
	inFlight  int
	byAccount map[string]int
}

func newLimits(reached *prometheus.CounterVec) *limits {
	return &limits{reached: reached, byAccount: map[string]int{}}
}

// enter lets a request about the account in, unless too many are being
// answered. The limit of each account keeps room for the others where AWS
// stalls in one. After a nil error, call leave.
func (l *limits) enter(account string, c *common.Config) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.inFlight >= c.MaxInFlight:
		l.reached.WithLabelValues(limitRequests).Inc()
		return nil, common.Errorf(common.Unavailable, "Too many requests are being answered. Try again.")
	case l.byAccount[account] >= c.MaxInFlightPerAccount:
		l.reached.WithLabelValues(limitAccountRequests).Inc()
		return nil, common.Errorf(common.Unavailable, "Too many requests about this account are being answered. Try again.")
	}
	l.inFlight++
	l.byAccount[account]++
	return func() { l.leave(account) }, nil
}

func (l *limits) leave(account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.byAccount[account]--
	if l.byAccount[account] == 0 {
		delete(l.byAccount, account)
	}
}
