package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// observe is the outermost layer of every route. It gives the request an id and
// its settings, recovers from a panic, measures the time, and writes one log
// line.
func (s *Service) observe(route string, next http.Handler) http.Handler {
	measured := s.measures.instrument(route, s.recover(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record{id: requestID(r), start: time.Now(), settings: s.settings.Load()}
		status := &statusWriter{ResponseWriter: w, stopping: &s.stopping}
		w.Header().Set("X-Request-Id", rec.id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		defer func() {
			if rec.inAWS = rec.timeInAWS(); rec.inAWS > 0 {
				s.measures.inAWS.WithLabelValues(route, strings.ToLower(r.Method)).Add(rec.inAWS.Seconds())
			}
			s.logRequest(route, r, rec, status.status, time.Since(rec.start))
		}()
		measured.ServeHTTP(status, r.WithContext(context.WithValue(r.Context(), recordKey{}, rec)))
	})
}

// recover turns a panic into a 500, and a log line with its stack.
func (s *Service) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.log.WithField("requestId", recordOf(r).id).Errorf("panic: %v\n%s", p, debug.Stack())
			writeError(w, r, &common.Error{Code: common.Internal, Cause: fmt.Errorf("panic: %v", p)})
		}()
		next.ServeHTTP(w, r)
	})
}

var wellFormedID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID keeps the caller's own id, so that a request can be followed
// through several services. It makes an id if there is none.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); wellFormedID.MatchString(id) {
		return id
	}
	return rand.Text()
}

// A statusWriter remembers the status for the log line. When the service is
// stopping, it tells callers that the connection ends with this answer.
type statusWriter struct {
	http.ResponseWriter
	stopping *atomic.Bool
	status   int
}

// WriteHeader remembers the first status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		if w.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
