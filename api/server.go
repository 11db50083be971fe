// Package api is the HTTP side of the service: routes, token, bodies and
// errors.
package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	"github.com/gorilla/mux"
	"github.com/sirupsen/logrus"
)

// Options are the options of New. Config and Log are needed.
type Options struct {
	Config *common.Config
	Log    *logrus.Logger

	// Queue is what Log writes to. Without it, audit lines go where the others
	// go, and the service does not know whether they are written.
	Queue *common.LogQueue

	// ListMemory is how many bytes all lists under way may take together. 0
	// means a default.
	ListMemory int64

	// MaxConnections is how many connections callers may have. 0 means that
	// there is no limit.
	MaxConnections int
}

// A Service is what all requests share. It is an http.Handler.
type Service struct {
	settings  atomic.Pointer[settings]
	registry  common.Registry // partition and region; the path of a request names the account
	connector *connector
	gate      *gate
	limits    *limits
	lists     *lists
	bodies    *longBodies
	stopping  atomic.Bool
	end       atomic.Pointer[time.Time] // set once the service is stopping
	measures  *measures
	log       *logrus.Logger
	refusals  *logrus.Logger   // the same, at any log level
	audit     *logrus.Logger   // the same, with room of its own in the queue
	logQueue  *common.LogQueue // may be nil
	router    *mux.Router
}

// New returns the service. It does not call AWS.
func New(o Options) (*Service, error) {
	return newService(o, routes)
}

func (o Options) check() error {
	if o.Config == nil || o.Log == nil {
		return errors.New("api: Config and Log are needed")
	}
	return nil
}

func newService(o Options, table []route) (*Service, error) {
	if err := firstError(o.check(), checkRoutes(table, pathVars)); err != nil {
		return nil, err
	}
	measures := newMeasures(table)
	audit := auditLogger(o.Log, auditOut(o))
	connector, err := newConnector(o.Config, observer{measures, o.Log, audit})
	if err != nil {
		return nil, err
	}
	waits := measures.limits.WithLabelValues(limitMemory)
	lists, err := newLists(cmp.Or(o.ListMemory, defaultListMemory), waits, o.Log)
	if err != nil {
		return nil, err
	}
	region := o.Config.Account.Region
	s := &Service{
		registry:  common.Registry{Partition: roles.Partition(region), Region: region},
		connector: connector,
		gate:      newGate(),
		limits:    newLimits(measures.limits),
		lists:     lists,
		bodies:    newLongBodies(waits),
		measures:  measures,
		log:       o.Log,
		logQueue:  o.Queue,
		refusals:  auditLogger(o.Log, o.Log.Out),
		audit:     audit,
	}
	if o.MaxConnections > 0 {
		s.gate.keepBelow(max(1, o.MaxConnections/4))
	}
	measures.countLostLines(o.Queue)
	if err := s.use(o.Config); err != nil {
		return nil, err
	}
	measures.reloads.succeeded()
	s.router = s.newRouter(table)
	return s, nil
}

// ServeHTTP answers a request. It calls the handler that the router finds. If
// the router did that, it would copy the request twice.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &record{start: time.Now(), settings: s.settings.Load()}
	s.router.Match(r, &rec.match) // every path matches something, if only notFound
	rec.match.Handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), recordKey{}, rec)))
}

// Stop makes the service not ready, for good. The service still answers
// requests, and tells callers to close their connections. No request runs
// longer than until end.
func (s *Service) Stop(end time.Time) {
	s.end.Store(&end)
	s.stopping.Store(true)
}

// newRouter mounts the table. By default gorilla/mux redirects paths with // or
// .., answers a wrong method without Allow, and runs its middleware only on
// routes that match. Here it matches escaped paths as they are, each path has
// one handler for all its methods, and a path that does not exist gets the same
// layers.
func (s *Service) newRouter(table []route) *mux.Router {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, rows := range byPath(table) {
		path, handler := rows[0].Path, s.byMethod(rows)
		if !rows[0].Public {
			handler = s.authenticate(handler)
		}
		router.MatcherFunc(shapedLike(path)).Path(path).Handler(s.observe(path, handler))
	}
	router.NotFoundHandler = s.observe(unmatched, s.authenticate(http.HandlerFunc(notFound)))
	return router
}

// shapedLike matches the paths that have as many segments as the template, and
// no segment "..". Most paths that the template does not match fail this quick
// check, and mux does not run its regular expression.
func shapedLike(template string) mux.MatcherFunc {
	slashes := strings.Count(template, "/")
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		path := r.URL.EscapedPath()
		return strings.Count(path, "/") == slashes && !hasDotDot(path)
	}
}

// hasDotDot tells whether a segment of the path is "..".
func hasDotDot(path string) bool {
	return strings.Contains(path, "/../") || strings.HasSuffix(path, "/..")
}

// byMethod dispatches to the row of the request's method. Every GET answers
// HEAD too: net/http leaves the body out.
func (s *Service) byMethod(rows []route) http.Handler {
	handlers := map[string]http.Handler{}
	for _, rt := range rows {
		handlers[rt.Method] = withRow(rt, rt.Endpoint.serve(s, rt))
	}
	if get, ok := handlers[http.MethodGet]; ok {
		handlers[http.MethodHead] = get
	}
	wrong := methodNotAllowed(handlers)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, ok := handlers[r.Method]
		if !ok {
			handler = wrong
		}
		handler.ServeHTTP(w, r)
	})
}

// withRow notes the row for the log.
func withRow(rt route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := recordOf(r)
		rec.action, rec.probe, rec.changes, rec.givesAccess = rt.Name, rt.Probe, rt.changes(), rt.Access != nil
		next.ServeHTTP(w, r)
	})
}
