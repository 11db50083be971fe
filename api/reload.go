package api

import (
	"fmt"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// settings are what Reload can replace while requests are under way. A request
// keeps the settings with which it began.
type settings struct {
	config *common.Config
	tokens *tokens

	refusals refusals // of its keys
}

// reloads are the metrics that tell whether the configuration in use is the
// latest. Prometheus names its own like this.
type reloads struct{ successful, lastSuccess prometheus.Gauge }

func newReloads() reloads {
	return reloads{
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ecr_api_config_last_reload_successful", Help: "1 if the configuration could be used when it was last read, otherwise 0."}),
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "ecr_api_config_last_reload_success_timestamp_seconds", Help: "When a configuration was last read that could be used."}),
	}
}

func (r reloads) succeeded() {
	r.successful.Set(1)
	r.lastSuccess.SetToCurrentTime()
}

// Reload uses the parts of the configuration that can change without a restart:
// the keys and the highest cost of a token, the accounts, users, the
// limits, the trusted proxies and the log level. Verified tokens of keys that remain are
// still good. Reload returns what has changed.
func (s *Service) Reload(config *common.Config) (common.Changes, error) {
	next := *s.settings.Load().config
	changes := next.Changes(config)
	next.Token, next.MaxTokenCost = config.Token, config.MaxTokenCost
	next.Accounts, next.TrustedProxies = config.Accounts, config.TrustedProxies
	next.Users = config.Users
	if !next.Users.Fit(next.Org) { // the org of the new configuration needs a restart
		s.ReloadFailed()
		return common.Changes{}, fmt.Errorf("users.boundary cannot be with the org in use, %q: restart the service", next.Org)
	}
	next.MaxInFlight, next.MaxInFlightPerAccount = config.MaxInFlight, config.MaxInFlightPerAccount
	next.LogLevel = config.LogLevel
	if err := s.use(&next); err != nil {
		s.ReloadFailed()
		return common.Changes{}, err
	}
	s.measures.reloads.succeeded()
	return changes, nil
}

// ReloadFailed notes for the metrics that the configuration could not be read.
func (s *Service) ReloadFailed() { s.measures.reloads.successful.Set(0) }

// use makes all requests that begin from now on use this configuration.
func (s *Service) use(config *common.Config) error {
	level, err := logrus.ParseLevel(config.LogLevel)
	if err != nil {
		return err
	}
	tokens, err := newTokens(config.Token, config.MaxTokenCost, s.gate, s.measures.tokenChecks)
	if err != nil {
		return err
	}
	var old common.Keys
	if current := s.settings.Load(); current != nil {
		tokens.keep(current.tokens)
		old = current.config.Token
	}
	refusals := s.measures.countKeys(old, config.Token)
	s.log.SetLevel(level)
	s.settings.Store(&settings{config: config, tokens: tokens, refusals: refusals})
	return nil
}
