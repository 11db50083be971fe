package api

import (
	"net/http"

	"github.com/YaleSpinup/ecr-api/common"
)

// How many requests for one public path are answered at once. These paths need
// no token, so anybody can ask for them and not read the answers. An answer of
// the metrics takes memory of its own. The page's files are shared.
const (
	maxMetrics = 16
	maxDocs    = 64
)

// bounded answers at most so many requests of the row at once, and refuses the
// others. Ping, ready and version need no such limit: their answers are a few
// bytes, so nobody can keep a probe from its answer.
func bounded(atOnce int, serve func(*Service, route) http.Handler) func(*Service, route) http.Handler {
	return func(s *Service, rt route) http.Handler {
		next, admitted := serve(s, rt), make(chan struct{}, atOnce)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case admitted <- struct{}{}:
				defer func() { <-admitted }()
				next.ServeHTTP(w, r)
				// net/http keeps the end of an answer until the handler has returned.
				_ = http.NewResponseController(w).Flush() // a caller who does not read gets no end
			default:
				s.measures.limits.WithLabelValues(limitPublicRequests).Inc()
				writeError(w, r, common.Errorf(common.TooManyRequests, "Too many requests for this path are being answered. Try again."))
			}
		})
	}
}
