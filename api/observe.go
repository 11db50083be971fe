package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/sirupsen/logrus"
)

// A record is what becomes known of a request while it is answered, for its log
// line.
type record struct {
	id                   string
	start                time.Time
	key                  string // name of the key that its token is a hash of
	action               string // name of the row that it came to
	account, group, name string
	session              string // name of the AWS session
	err                  error
	inAWS                time.Duration // for which the request waited for AWS

	mu       sync.Mutex
	awsCalls []iam.Call // also those that ran at the same time
}

type recordKey struct{}

func recordOf(r *http.Request) *record {
	return r.Context().Value(recordKey{}).(*record)
}

// noteCall keeps a call to AWS for the log line of the request that made it: by
// AWS's id of it the call is found in CloudTrail.
func (rec *record) noteCall(call iam.Call) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.awsCalls = append(rec.awsCalls, call)
}

// observe is the outermost layer of every route: it names the request, recovers
// from a panic, measures, and logs one line.
func (s *Service) observe(route string, next http.Handler) http.Handler {
	measured := s.measures.instrument(route, s.recover(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &record{id: requestID(r), start: time.Now()}
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

// recover turns a panic into a 500 and a log line with its stack.
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

// logRequest writes the request's one line. A change or a refusal is written
// whatever the log level, as "audit".
func (s *Service) logRequest(route string, r *http.Request, rec *record, status int, took time.Duration) {
	logger, message := s.log, "request"
	if audited(r, rec, status) {
		logger, message = s.audit, "audit"
	} else if !logger.IsLevelEnabled(logrus.InfoLevel) && status < http.StatusInternalServerError {
		return
	}
	fields := logrus.Fields{
		"requestId": rec.id,
		"method":    knownMethod(r.Method),
		"route":     route,
		"status":    status,
		"outcome":   outcome(status, rec.err),
		"duration":  took.Seconds(),
		"client":    clientAddress(r, s.live.Load().config.TrustedProxies),
	}
	rec.addTo(fields)
	if route == unmatched && rec.key != "" {
		fields["path"] = r.URL.EscapedPath()
	}
	addError(fields, rec.err)
	level := logrus.InfoLevel
	if status >= http.StatusInternalServerError {
		level = logrus.ErrorLevel
	}
	logger.WithFields(fields).Log(level, message)
}

// knownMethod keeps callers, who can make methods up, from filling the log.
func knownMethod(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE":
		return method
	default:
		return "other"
	}
}

// addTo adds what is known of the request.
func (rec *record) addTo(fields logrus.Fields) {
	for _, f := range []struct{ name, value string }{
		{"key", rec.key}, {"action", rec.action}, {"account", rec.account}, {"group", rec.group}, {"name", rec.name}, {"session", rec.session},
	} {
		if f.value != "" {
			fields[f.name] = f.value
		}
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if len(rec.awsCalls) == 0 {
		return
	}
	ids := make([]string, 0, len(rec.awsCalls))
	for _, call := range rec.awsCalls {
		for _, id := range call.RequestIDs {
			ids = append(ids, call.Operation+" "+id)
		}
	}
	fields["awsCalls"], fields["awsTime"] = ids, rec.inAWS.Seconds()
}

// timeInAWS returns how long the request waited for AWS.
func (rec *record) timeInAWS() time.Duration {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return timeIn(rec.awsCalls)
}

// timeIn returns how long at least one of the calls was under way.
func timeIn(calls []iam.Call) (total time.Duration) {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b iam.Call) int { return a.Start.Compare(b.Start) })
	var until time.Time
	for _, call := range calls {
		from := call.Start
		if from.Before(until) {
			from = until
		}
		if call.End.After(from) {
			total += call.End.Sub(from)
			until = call.End
		}
	}
	return total
}

// audited tells whether the request changed something, or tried to, or was
// refused.
func audited(r *http.Request, rec *record, status int) bool {
	return rec.action != "" && changes(r.Method) ||
		status == http.StatusForbidden || common.CodeOf(rec.err) == common.Unavailable || status == 0
}

func outcome(status int, err error) string {
	var e *common.Error
	switch {
	case errors.As(err, &e) && len(e.Unknown) > 0:
		return "unknown"
	case status == 0:
		return "dropped"
	case status == http.StatusForbidden || status == http.StatusServiceUnavailable:
		return "refused"
	case status >= http.StatusBadRequest:
		return "failed"
	default:
		return "done"
	}
}

// auditLogger writes where and how the logger does, at any level.
func auditLogger(log *logrus.Logger) *logrus.Logger {
	return &logrus.Logger{
		Out:       log.Out,
		Formatter: log.Formatter,
		Hooks:     log.Hooks,
		Level:     logrus.InfoLevel,
		ExitFunc:  log.ExitFunc,
	}
}

// addError adds what went wrong: the cause, which callers don't see, or where
// there is none, what they were told.
func addError(fields logrus.Fields, err error) {
	if err == nil {
		return
	}
	fields["error"] = err.Error()
	var e *common.Error
	if !errors.As(err, &e) {
		return
	}
	fields["error"] = e.Message
	if e.Cause != nil {
		fields["error"] = e.Cause.Error()
	}
	if e.AWSCode != "" {
		fields["awsCode"], fields["awsRequestId"] = e.AWSCode, e.AWSRequestID
	}
	if len(e.Applied) > 0 {
		fields["applied"] = e.Applied
	}
	if len(e.Unknown) > 0 {
		fields["unknown"] = e.Unknown
	}
}

var wellFormedID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// requestID keeps the caller's own id, so that a request can be followed through
// several services, and makes one where there is none.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); wellFormedID.MatchString(id) {
		return id
	}
	return rand.Text()
}

// statusWriter remembers the status for the log line. Once the service is
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
