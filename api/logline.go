package api

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
)

// logFields are the fields of the log line that are not of a path variable.
var logFields = []string{
	"requestId", "traceId", "method", "route", "status", "outcome", "code", "duration", "bytes", "client", "userAgent", "path",
	"key", "limit", "action", "session", "access", "accessSession", "expiresAt", "awsCalls", "awsTime", "sharedWith", "memoryWait",
	"error", "awsCode", "awsRequestId", "applied", "unknown", "deletedImages", "deletedTags", "dryRun", "sharedGroups", "sharedAccounts", "lostPolicy",
	"madeAccessKey", "deletedAccessKeys", "deletedUsers", "takenOver",
	"deleted",              // of the line "images deleted"
	"time", "level", "msg", // of logrus
}

// What callers send makes a log line only so long. These are characters.
const (
	maxLoggedPath  = 100
	maxLoggedError = 2000 // AWS's words about a denial are long

	maxLoggedPolicy = 20_480 // twice what a policy may have: AWS may make it longer
)

// ids are the fields of every line about the request.
func (rec *record) ids() logrus.Fields {
	ids := logrus.Fields{"requestId": rec.id}
	if rec.traceID != "" {
		ids["traceId"] = rec.traceID
	}
	return ids
}

// logRequest writes the request's one line. A change or a refusal is written at
// any log level, as "audit".
func (s *Service) logRequest(route string, r *http.Request, rec *record) {
	message, level := "request", levelOf(rec)
	if isAudited(rec) {
		message = "audit"
	}
	logger := s.loggerOf(message, rec)
	if !logger.IsLevelEnabled(level) {
		return
	}
	fields := rec.fields(route, r)
	if route == unmatched && rec.key != "" {
		fields.Add("path", common.Clip(r.URL.EscapedPath(), maxLoggedPath))
	}
	addError(&fields, cmp.Or(rec.err, rec.left, rec.answer.err))
	fields.Entry(logger).Log(level, message)
}

// loggerOf returns the logger for a line. Only callers with a good token get
// into the room of audit lines, so that a flood of others cannot fill it.
func (s *Service) loggerOf(message string, rec *record) *logrus.Logger {
	switch {
	case message != "audit":
		return s.log
	case rec.key == "":
		return s.refusals
	default:
		return s.audit
	}
}

// levelOf returns the level of the request's line.
func levelOf(rec *record) logrus.Level {
	status := rec.answer.status
	switch {
	case rec.probe && status < http.StatusBadRequest:
		return logrus.DebugLevel
	case rec.err == errStopping:
		return logrus.InfoLevel
	case status >= http.StatusInternalServerError || common.CodeOf(rec.err) == common.Internal:
		return logrus.ErrorLevel
	case needsLook(rec.err) || rec.left != nil:
		return logrus.WarnLevel
	default:
		return logrus.InfoLevel
	}
}

// needsLook tells whether an operator should look at the error: AWS has refused
// the role or a call, or a change is half-done.
func needsLook(err error) bool {
	var e *common.Error
	if !errors.As(err, &e) {
		return false
	}
	refused := e.Code == common.RoleRefused || e.Code == common.DeniedByAWS
	return refused || common.CodeOf(e.Cause) == common.DeniedByAWS || len(e.Applied) > 0 || len(e.Unknown) > 0
}

// knownMethod returns "other" for a method that HTTP does not have, so that
// callers cannot write any text into the log.
func knownMethod(method string) string {
	if _, ok := methodLabels[method]; ok {
		return method
	}
	return "other"
}

// fields returns what is known about the request. LogFields are sorted by name,
// so it costs the least to add them in nearly that order.
func (rec *record) fields(route string, r *http.Request) common.LogFields {
	fields := make(common.LogFields, 0, len(logFields))
	add := func(name, value string) {
		if value != "" {
			fields.Add(name, value)
		}
	}
	rec.addAccess(&fields)
	add("action", rec.action)
	rec.addCalls(&fields)
	rec.addRemovals(&fields)
	fields.Add("bytes", bodySize(r, rec))
	fields.Add("client", clientAddress(r, rec.settings.config.TrustedProxies))
	add("code", string(common.CodeOf(rec.err)))
	if rec.dryRun {
		fields.Add("dryRun", true)
	}
	fields.Add("duration", rec.took.Seconds())
	addNames(&fields, "deletedAccessKeys", rec.deletedKeys)
	addNames(&fields, "deletedUsers", rec.deletedUsers)
	add("key", rec.key)
	add("limit", rec.limit)
	add("madeAccessKey", rec.madeKey)
	if rec.memoryWait > 0 {
		fields.Add("memoryWait", rec.memoryWait.Seconds())
	}
	fields.Add("method", knownMethod(r.Method))
	fields.Add("outcome", outcome(rec))
	fields.Add("requestId", rec.id)
	fields.Add("route", route)
	add("session", rec.session)
	rec.addSharing(&fields)
	add("sharedWith", rec.sharedWith)
	fields.Add("status", rec.answer.status)
	if rec.takenOver {
		fields.Add("takenOver", true)
	}
	add("traceId", rec.traceID)
	add("userAgent", printable(r.UserAgent(), maxUserAgent))
	for _, v := range pathVars {
		add(v.LogField, common.Clip(*v.In(&rec.path), maxFullName)) // a longer one is refused
	}
	return fields
}

const maxUserAgent = 100 // bytes in the log

// printable returns the beginning of a text. Whatever is not printable ASCII
// becomes a question mark.
func printable(text string, length int) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, text[:min(len(text), length)])
}

// bodySize returns how many bytes of the answer's body were sent. net/http does
// not send the body of an answer to HEAD.
func bodySize(r *http.Request, rec *record) int {
	if r.Method == http.MethodHead {
		return 0
	}
	return rec.answer.size
}

// maxLoggedCalls is how many attempts of calls to AWS a log line names. A
// deletion of 100,000 images makes thousands, and logs may cut long lines.
const maxLoggedCalls = 200

// addCalls adds the calls to AWS: the attempts by AWS's ids, and once more a
// call with attempts that AWS did not answer.
func (rec *record) addCalls(fields *common.LogFields) {
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
		if len(call.RequestIDs) <= call.Retries {
			ids = append(ids, call.Operation+" -")
		}
	}
	if more := len(ids) - maxLoggedCalls; more > 0 {
		ids = append(ids[:maxLoggedCalls], fmt.Sprintf("%d more", more))
	}
	fields.Add("awsCalls", ids)
	fields.Add("awsTime", rec.inAWS.Seconds())
}

// addAccess adds which access the caller asked for and got. CloudTrail has the
// name of the session with each call that is made with it.
func (rec *record) addAccess(fields *common.LogFields) {
	if rec.access.asked != "" {
		fields.Add("access", rec.access.asked)
	}
	if rec.access.session != "" {
		fields.Add("accessSession", rec.access.session)
	}
	if !rec.access.expires.IsZero() {
		fields.Add("expiresAt", rec.access.expires.UTC().Format(time.RFC3339))
	}
}

// isAudited tells whether the request changed something or gave access, tried
// to, or was refused. A probe is never audited.
func isAudited(rec *record) bool {
	if rec.probe {
		return false
	}
	switch rec.answer.status {
	case 0, http.StatusForbidden, http.StatusServiceUnavailable:
		return true
	}
	return rec.changes || rec.givesAccess
}

// notTaken tells whether a success is of no use because the caller did not take the
// answer: it is a read, or the answer has a secret. A change is done all the same.
func (rec *record) notTaken() bool {
	hasSecret := rec.givesAccess || rec.madeKey != ""
	return rec.answer.err != nil && (!rec.changes || hasSecret) || rec.callerGone && rec.err == nil && hasSecret
}

// outcome tells how a request ended.
func outcome(rec *record) string {
	var e *common.Error
	status := rec.answer.status
	switch {
	case errors.As(rec.err, &e) && len(e.Unknown) > 0:
		return "unknown"
	case e != nil && len(e.Applied) > 0 || rec.left != nil:
		return "partial"
	case status == 0 || rec.notTaken():
		return "dropped"
	case status == http.StatusForbidden || status == http.StatusServiceUnavailable:
		return "refused"
	case status >= http.StatusBadRequest || rec.err != nil:
		return "failed"
	default:
		return "done"
	}
}

// auditOut returns where audit lines go.
func auditOut(o Options) io.Writer {
	if o.Queue == nil {
		return o.Log.Out
	}
	return o.Queue.Audit()
}

// auditLogger returns a logger that writes as the other does, at any log level.
func auditLogger(log *logrus.Logger, out io.Writer) *logrus.Logger {
	return &logrus.Logger{
		Out:       out,
		Formatter: log.Formatter,
		Hooks:     log.Hooks,
		Level:     logrus.InfoLevel,
		ExitFunc:  log.ExitFunc,
	}
}

// addError adds what went wrong. That is the cause, which callers do not see.
// If there is no cause, it is the message that the caller got.
func addError(fields *common.LogFields, err error) {
	if err == nil {
		return
	}
	var e *common.Error
	if !errors.As(err, &e) {
		fields.Add("error", common.Clip(err.Error(), maxLoggedError))
		return
	}
	message := e.Message
	if e.Cause != nil {
		message = e.Cause.Error()
	}
	fields.Add("error", common.Clip(message, maxLoggedError))
	if e.LostPolicy != "" { // nobody else has it any more
		fields.Add("lostPolicy", common.Clip(e.LostPolicy, maxLoggedPolicy))
	}
	if e.AWSCode != "" {
		fields.Add("awsCode", e.AWSCode)
	}
	if e.AWSRequestID != "" {
		fields.Add("awsRequestId", e.AWSRequestID)
	}
	if len(e.Applied) > 0 {
		fields.Add("applied", e.Applied)
	}
	if len(e.Unknown) > 0 {
		fields.Add("unknown", e.Unknown)
	}
}
