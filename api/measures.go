package api

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
)

// unmatched is the route label of every path that is not in the table. So
// callers cannot create labels by asking for many paths.
const unmatched = "unmatched"

// buckets are for the time of a request, in seconds. An answer from memory
// takes a millisecond. A request takes up to 30 seconds if AWS stalls.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// The ways in which a call to AWS ends.
const (
	awsOK        = "ok" // AWS answered; the answer may be that there is no such repository
	awsThrottled = "throttled"
	awsQuota     = "quota" // of the account: reached until somebody does something about it
	awsDenied    = "denied"
	awsError     = "error"
	awsCancelled = "cancelled" // the caller has hung up, or there was no memory for the answer
)

// The ways in which the check of a token ends.
const (
	tokenRemembered = "remembered"
	tokenVerified   = "verified"
	tokenRefused    = "refused"
	tokenBusy       = "busy" // the queue for comparisons was full
)

// The limits that can be reached.
const (
	limitRequests        = "requests"         // maxInFlight
	limitAccountRequests = "account_requests" // maxInFlightPerAccount
	limitTokens          = "tokens"           // new tokens that are compared
	limitMemory          = "memory"           // of lists, and places of long bodies
	limitPublicRequests  = "public_requests"  // of a public path
	limitConnections     = "connections"      // maxConnections

	// Those of package roles.
	limitRetries     = string(roles.Retries)
	limitSessions    = string(roles.NewSessions)
	limitNewAccounts = string(roles.NewAccounts)
)

// measures are the metrics for Prometheus. Each service has its own registry.
type measures struct {
	registry *prometheus.Registry

	requests *prometheus.CounterVec
	problems *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	inAWS    *prometheus.CounterVec

	awsCalls    *prometheus.CounterVec
	awsDuration *prometheus.HistogramVec
	awsRetries  *prometheus.CounterVec
	assumeRole  *prometheus.CounterVec
	images      prometheus.Counter
	imageTags   prometheus.Counter
	tokenChecks *prometheus.CounterVec
	keyRefusals *prometheus.CounterVec
	keyNotAfter *prometheus.GaugeVec
	limits      *prometheus.CounterVec
	reloads     reloads
	connections *Connections
}

func newMeasures(table []route) *measures {
	m := &measures{
		registry:    prometheus.NewRegistry(),
		requests:    counters("requests_total", "Requests answered, by route template, method and status code.", "route", "method", "code"),
		problems:    counters("problems_total", "Requests answered with a problem document, by its code.", "code"),
		duration:    histograms("request_duration_seconds", "Time to answer a request, by route template and method.", "route", "method"),
		inFlight:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "ecr_api_requests_in_flight", Help: "Requests being answered now."}),
		inAWS:       counters("request_aws_seconds_total", "Time that requests waited for AWS; calls at the same time count once.", "route", "method"),
		awsCalls:    counters("aws_calls_total", "Calls to AWS by result; a call with its retries counts once.", "service", "operation", "result"),
		awsDuration: histograms("aws_call_duration_seconds", "Time that a call to AWS took, with all its attempts and the waits between.", "service", "operation"),
		awsRetries:  counters("aws_retries_total", "Attempts of calls to AWS beyond the first.", "service", "operation"),
		assumeRole:  counters("assume_role_total", "Sessions that requests asked for: from the cache, from STS, refused, or beyond a limit.", "result"),
		images:      counter("images_deleted_total", "Images deleted, by digest or with their last tag."),
		imageTags:   counter("image_tags_deleted_total", "Tags of images deleted, also those that went with their images."),
		tokenChecks: counters("token_checks_total", "Tokens checked, by result.", "result"),
		keyRefusals: counters("key_refusals_total", "Requests refused because they are outside the limits of their key, by key and limit.", "key", "limit"),
		keyNotAfter: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "ecr_api_key_not_after_timestamp_seconds", Help: "From when on a key is refused; +Inf: it has no end."}, []string{"key"}),
		limits:  counters("limits_reached_total", "How often a limit of the service was reached.", "limit"),
		reloads: newReloads(),
	}
	m.connections = NewConnections(m.limits.WithLabelValues(limitConnections))
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ecr_api_build_info", Help: "What was built, as labels; the value is 1."},
		[]string{"version", "githash", "goversion"})
	m.registry.MustRegister(m.requests, m.problems, m.duration, m.inFlight, m.inAWS,
		m.awsCalls, m.awsDuration, m.awsRetries, m.assumeRole, m.images, m.imageTags, m.tokenChecks, m.keyRefusals, m.keyNotAfter, m.limits, m.reloads.successful, m.reloads.lastSuccess, build,
		m.connections.Open, m.connections.ClosedEarly,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	v := common.ReadVersion()
	build.WithLabelValues(v.Version, v.GitHash, runtime.Version()).Set(1)
	m.startAtZero(table)
	return m
}

// countLostLines adds the log lines that the queue has lost.
func (m *measures) countLostLines(queue *common.LogQueue) {
	for kind, lost := range map[string]func(common.LostLines) uint64{
		"audit": func(l common.LostLines) uint64 { return l.Audit },
		"other": func(l common.LostLines) uint64 { return l.Other },
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name:        "ecr_api_log_lines_lost_total",
			Help:        "Log lines that could not be written.",
			ConstLabels: prometheus.Labels{"lines": kind},
		}, func() float64 {
			if queue == nil {
				return 0
			}
			return float64(lost(queue.Lost()))
		}))
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: "ecr_api_" + name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ecr_api_" + name, Help: help}, labels)
}

func histograms(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "ecr_api_" + name, Help: help, Buckets: buckets}, labels)
}

// startAtZero creates each series with the value 0. Without that, Prometheus
// would not see the first increase in a rate.
func (m *measures) startAtZero(table []route) {
	for _, rt := range table {
		if rt.Policy != nil {
			m.inAWS.WithLabelValues(rt.Path, methodLabel(rt.Method))
		}
	}
	for code := range statuses {
		m.problems.WithLabelValues(string(code))
	}
	for _, call := range awsOperations(table) {
		for _, result := range []string{awsOK, awsThrottled, awsQuota, awsDenied, awsError, awsCancelled} {
			m.awsCalls.WithLabelValues(call.Service, call.Operation, result)
		}
		m.awsDuration.WithLabelValues(call.Service, call.Operation)
		m.awsRetries.WithLabelValues(call.Service, call.Operation)
	}
	for _, result := range []roles.SessionResult{roles.Hit, roles.Miss, roles.Refused, roles.Limited} {
		m.assumeRole.WithLabelValues(string(result))
	}
	for _, result := range []string{tokenRemembered, tokenVerified, tokenRefused, tokenBusy} {
		m.tokenChecks.WithLabelValues(result)
	}
	for _, limit := range []string{limitRequests, limitAccountRequests, limitTokens, limitMemory, limitPublicRequests, limitConnections, limitRetries, limitSessions, limitNewAccounts} {
		m.limits.WithLabelValues(limit)
	}
}

// awsOperations returns the calls to AWS that the policies of the rows allow.
func awsOperations(table []route) []roles.Call {
	calls := []roles.Call{{Service: "sts", Operation: "AssumeRole"}}
	seen := map[string]bool{}
	for _, rt := range table {
		if rt.Policy == nil {
			continue
		}
		for _, statement := range rt.Policy(iam.Scope{}).Statement {
			for _, action := range statement.Action {
				service, operation, _ := strings.Cut(action, ":")
				if statement.Effect != "Allow" || service == "kms" || seen[action] { // ECR calls KMS, not this service
					continue
				}
				seen[action] = true
				calls = append(calls, roles.Call{Service: service, Operation: operation})
			}
		}
	}
	return calls
}

// answered counts and times a request. A request whose connection was closed
// without an answer is not counted.
func (m *measures) answered(route, method string, rec *record) {
	label := methodLabel(method)
	if rec.inAWS > 0 {
		m.inAWS.WithLabelValues(route, label).Add(rec.inAWS.Seconds())
	}
	if rec.problem != "" {
		m.problems.WithLabelValues(string(rec.problem)).Inc()
	}
	if rec.answer.status != 0 {
		m.requests.WithLabelValues(route, label, strconv.Itoa(rec.answer.status)).Inc()
		m.duration.WithLabelValues(route, label).Observe(rec.took.Seconds())
	}
}

// methodLabels are the methods of HTTP, as metrics have them.
var methodLabels = map[string]string{
	"GET": "get", "HEAD": "head", "POST": "post", "PUT": "put", "PATCH": "patch",
	"DELETE": "delete", "CONNECT": "connect", "OPTIONS": "options", "TRACE": "trace",
}

// methodLabel returns the label of a method. Methods that HTTP does not have
// share one label, so that callers cannot create labels.
func methodLabel(method string) string {
	if label, ok := methodLabels[method]; ok {
		return label
	}
	return "unknown"
}

func (m *measures) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// An observer counts and logs what packages roles and ecr report.
type observer struct {
	*measures
	log   *logrus.Logger
	audit *logrus.Logger
}

// Called counts the call and keeps it for the log line.
func (o observer) Called(ctx context.Context, call roles.Call) {
	result := awsResult(call.Code)
	took := call.End.Sub(call.Start)
	o.awsCalls.WithLabelValues(call.Service, call.Operation, result).Inc()
	o.awsDuration.WithLabelValues(call.Service, call.Operation).Observe(took.Seconds())
	o.awsRetries.WithLabelValues(call.Service, call.Operation).Add(float64(call.Retries))
	rec, ok := ctx.Value(recordKey{}).(*record)
	if !ok {
		return
	}
	rec.noteCall(call)
	if o.log.IsLevelEnabled(logrus.DebugLevel) {
		o.log.WithFields(rec.ids()).WithFields(logrus.Fields{
			"service": call.Service, "operation": call.Operation, "result": result,
			"duration": took.Seconds(), "retries": call.Retries, "awsRequestIds": call.RequestIDs,
		}).Debug("AWS call")
	}
}

// SessionRequested counts how a request got its session.
func (o observer) SessionRequested(e roles.SessionResult) {
	o.assumeRole.WithLabelValues(string(e)).Inc()
}

// LimitReached counts a call that was not made because of a limit.
func (o observer) LimitReached(l roles.Limit) { o.limits.WithLabelValues(string(l)).Inc() }

// NoSourceIdentity logs what is missing in the set-up of an account.
func (o observer) NoSourceIdentity(account string) {
	o.log.WithField("account", account).Warn("CloudTrail will not show which key the calls in this account are for: " +
		"the trust policy of the role, or the policy of the service's identity, does not allow sts:SetSourceIdentity (docs/aws.md)")
}

// awsResult returns the result label for the error code of a call.
func awsResult(code common.Code) string {
	switch code {
	case "", common.BadRequest, common.RepositoryNotFound, common.ImageNotFound, common.LifecycleNotFound, common.RepositoryExists, common.RepositoryNotEmpty,
		common.UserNotFound, common.UserExists, common.UserConflict:
		return awsOK
	case common.Throttled:
		return awsThrottled
	case common.QuotaReached:
		return awsQuota
	case common.DeniedByAWS, common.OtherOrg, common.RoleRefused:
		return awsDenied
	case common.Canceled:
		return awsCancelled
	default:
		return awsError
	}
}
