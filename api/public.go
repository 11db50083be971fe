package api

import (
	"net/http"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
)

// How many requests for one public path are answered at once. These paths need
// no token, so anybody can ask for them and not read the answers. An answer of
// the metrics takes memory of its own. The page's files are shared.
const (
	maxMetrics = 16
	maxDocs    = 64
)

// bounded answers at most so many requests of the row at once, of one client a
// quarter of them, and refuses the others. Ping, ready and version need no such
// limit: their answers are a few bytes, so nobody can keep a probe from its
// answer.
func bounded(atOnce int, serve func(*Service, route) http.Handler) func(*Service, route) http.Handler {
	return func(s *Service, rt route) http.Handler {
		next, admitted := serve(s, rt), newPlaces(atOnce)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			client := clientNetwork(r, recordOf(r).settings.config.TrustedProxies)
			if !admitted.enter(client) {
				s.measures.limits.WithLabelValues(limitPublicRequests).Inc()
				writeError(w, r, common.Errorf(common.TooManyRequests, "Too many requests for this path are being answered. Try again."))
				return
			}
			defer admitted.leave(client)
			next.ServeHTTP(w, r)
			// net/http keeps the end of an answer until the handler has returned.
			_ = http.NewResponseController(w).Flush() // a caller who does not read gets no end
		})
	}
}

// places are for requests that are answered at once. One client gets a quarter
// of them, so that it cannot keep others out.
type places struct {
	max int

	mu       sync.Mutex
	taken    int
	byClient map[string]int
}

func newPlaces(most int) *places {
	return &places{max: most, byClient: map[string]int{}}
}

// enter returns false if there is no place. Otherwise the caller must call leave
// afterwards.
func (p *places) enter(client string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.max || p.byClient[client] >= p.max/4 {
		return false
	}
	p.taken++
	p.byClient[client]++
	return true
}

func (p *places) leave(client string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	p.byClient[client]--
	if p.byClient[client] == 0 {
		delete(p.byClient, client)
	}
}
