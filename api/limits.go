package api

import (
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/prometheus/client_golang/prometheus"
)

// limits counts the requests with a good token that are being answered: all of
// them, and those of each account. A change whose caller has hung up counts
// until it ends.
type limits struct {
	reached *prometheus.CounterVec // by limit

	mu        sync.Mutex
	inFlight  int
	byAccount map[string]int
}

func newLimits(reached *prometheus.CounterVec) *limits {
	return &limits{reached: reached, byAccount: map[string]int{}}
}

// enter admits a request for the account, unless too many are being answered.
// The limit for each account keeps room for other accounts if AWS stalls in
// one. If the error is nil, the caller must call leave afterwards.
func (l *limits) enter(account string, c *common.Config) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.inFlight >= c.MaxInFlight:
		l.reached.WithLabelValues(limitRequests).Inc()
		return common.Errorf(common.TooManyRequests, "Too many requests are being answered. Try again.")
	case l.byAccount[account] >= c.MaxInFlightPerAccount:
		l.reached.WithLabelValues(limitAccountRequests).Inc()
		return common.Errorf(common.TooManyRequests, "Too many requests about this account are being answered. Try again.")
	}
	l.inFlight++
	l.byAccount[account]++
	return nil
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
