// Package api is what callers see: the routes, the token, the bodies and the
// errors of the service.
package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/gorilla/mux"
	"github.com/sirupsen/logrus"
)

// Options of New. All of them are needed.
type Options struct {
	Config *common.Config
	Log    *logrus.Logger
}

// Service is what all requests share. It is an http.Handler.
type Service struct {
	live     atomic.Pointer[live]
	registry common.Registry // partition and region; the account is the caller's to name
	gate     *gate
	limits   *limits
	stopping atomic.Bool
	end      atomic.Pointer[time.Time] // once it is stopping
	measures *measures
	log      *logrus.Logger
	audit    *logrus.Logger // the same, whatever the level
	handler  http.Handler

	// connect returns a client for the scope that may do what the row's policy
	// allows, and the name of its session.
	connect func(route, iam.Scope) (client *ecr.Client, session string)
}

// live is what Reload can replace while requests are under way.
type live struct {
	config *common.Config
	tokens *tokens
}

// New returns the service. It asks nothing of AWS yet.
func New(o Options) (*Service, error) {
	return newService(o, routes)
}

func newService(o Options, table []route) (*Service, error) {
	if o.Config == nil || o.Log == nil {
		return nil, errors.New("api: Config and Log are needed")
	}
	if err := checkRoutes(table); err != nil {
		return nil, err
	}
	measures := newMeasures(table)
	observer := observer{measures, o.Log}
	aws, err := iam.NewSession(o.Config, observer)
	if err != nil {
		return nil, err
	}
	roles, err := iam.NewRoles(aws, o.Config, observer)
	if err != nil {
		return nil, err
	}
	api := ecr.New(aws)
	region := o.Config.Account.Region
	s := &Service{
		registry: common.Registry{Partition: iam.Partition(region), Region: region},
		gate:     newGate(),
		limits:   newLimits(measures.limits),
		measures: measures,
		log:      o.Log,
		audit:    auditLogger(o.Log),
		connect: func(rt route, scope iam.Scope) (*ecr.Client, string) {
			session := roles.Session(rt.Name, scope, rt.Policy)
			return api.Client(scope.Registry, session.Apply), session.Name
		},
	}
	if err := s.setLive(o.Config); err != nil {
		return nil, err
	}
	s.handler = s.router(table)
	return s, nil
}

// ServeHTTP answers a request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Stop turns the readiness of the service to no, for good. It goes on answering,
// and has callers close their connections; no request gets longer than to the end.
func (s *Service) Stop(end time.Time) {
	s.end.Store(&end)
	s.stopping.Store(true)
}

// Reload takes over what can change without a restart: the keys and how costly
// a token may be, the accounts, the limits, the trusted proxies and the log
// level. Tokens that have verified are forgotten. It returns the keys of the configuration
// that differ too, but need a restart.
func (s *Service) Reload(config *common.Config) (needRestart []string, err error) {
	next := *s.live.Load().config
	needRestart = next.NeedRestart(config)
	next.Token, next.MaxTokenCost = config.Token, config.MaxTokenCost
	next.Accounts, next.TrustedProxies = config.Accounts, config.TrustedProxies
	next.MaxInFlight, next.MaxInFlightPerAccount = config.MaxInFlight, config.MaxInFlightPerAccount
	next.LogLevel = config.LogLevel
	return needRestart, s.setLive(&next)
}

func (s *Service) setLive(config *common.Config) error {
	tokens, err := newTokens(config.Token, config.MaxTokenCost, s.gate, s.measures.tokenChecks)
	if err != nil {
		return err
	}
	level, err := logrus.ParseLevel(config.LogLevel)
	if err != nil {
		return err
	}
	s.log.SetLevel(level)
	s.live.Store(&live{config: config, tokens: tokens})
	return nil
}

// router mounts the table. gorilla/mux would redirect paths that it finds
// unclean, answer a wrong method without Allow, and run its middleware on
// matched routes only. So it matches escaped paths as they are, each path has
// one handler for all its methods, and what matches nothing is wrapped alike.
func (s *Service) router(table []route) http.Handler {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for path, rows := range byPath(table) {
		handler := s.methods(rows)
		if !rows[0].Public {
			handler = s.authenticate(handler)
		}
		router.Handle(path, s.observe(path, handler)).MatcherFunc(withoutDotDot)
	}
	router.NotFoundHandler = s.observe(unmatched, s.authenticate(http.HandlerFunc(notFound)))
	return router
}

// withoutDotDot keeps paths that climb from matching: they are not found.
func withoutDotDot(r *http.Request, _ *mux.RouteMatch) bool {
	return !slices.Contains(strings.Split(r.URL.EscapedPath(), "/"), "..")
}

func byPath(table []route) map[string][]route {
	paths := map[string][]route{}
	for _, rt := range table {
		paths[rt.Path] = append(paths[rt.Path], rt)
	}
	return paths
}

// methods dispatches to the row of the request's method. Every GET answers HEAD:
// net/http leaves the body out.
func (s *Service) methods(rows []route) http.Handler {
	handlers := map[string]http.Handler{}
	for _, rt := range rows {
		handlers[rt.Method] = named(rt.Name, rt.Handler(s, rt))
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

// named notes the row for the log.
func named(action string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recordOf(r).action = action
		next.ServeHTTP(w, r)
	})
}
