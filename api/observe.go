package api

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

// observe is the outermost layer of every route. It gives the request an id,
// recovers from a panic, measures the time, and writes one log line.
func (s *Service) observe(route string, next http.Handler) http.Handler {
	next = s.recover(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recordOf(r)
		rec.id, rec.traceID = requestID(r), traceOf(r)
		rec.answer = statusWriter{ResponseWriter: w, stopping: &s.stopping}
		maps.Copy(w.Header(), headers)
		w.Header().Set("X-Request-Id", rec.id)
		s.measures.inFlight.Inc()
		defer func() {
			s.measures.inFlight.Dec()
			rec.took, rec.inAWS = time.Since(rec.start), rec.timeInAWS()
			rec.callerGone = r.Context().Err() != nil
			s.measures.answered(route, r.Method, rec)
			s.logRequest(route, r, rec)
		}()
		next.ServeHTTP(&rec.answer, r)
	})
}

// headers are of every answer.
var headers = http.Header{
	"X-Content-Type-Options": {"nosniff"},
	"Cache-Control":          {"no-store"},
}

// recover turns a panic into a 500, and a log line with its stack. If the
// answer has begun, it closes the connection, so that the caller does not take
// the answer for whole.
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
			rec, cause := recordOf(r), fmt.Errorf("panic: %v", p)
			s.log.WithFields(rec.ids()).Errorf("%v\n%s", cause, debug.Stack())
			if rec.answer.status != 0 {
				rec.err = &common.Error{Code: common.Internal, Cause: cause}
				panic(http.ErrAbortHandler)
			}
			writeError(w, r, &common.Error{Code: common.Internal, Cause: cause})
		}()
		next.ServeHTTP(w, r)
	})
}

const maxID = 64 // of a request id

// requestID keeps the caller's own id, so that a request can be followed
// through several services. It makes an id if there is none.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); len(id) <= maxID && isPlain(id) {
		return id
	}
	return rand.Text()
}

// A statusWriter remembers for the log line what was sent. When the service is
// stopping, it tells callers that the connection ends with this answer.
type statusWriter struct {
	http.ResponseWriter
	stopping *atomic.Bool
	status   int
	size     int   // bytes of the body
	err      error // why the caller did not get the whole answer
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
	n, err := w.ResponseWriter.Write(b)
	w.size += n
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
