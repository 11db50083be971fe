package server

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
)

// announce tells what runs, where it listens, and what is unsafe about its
// configuration.
func (s *server) announce(url string) error {
	version := common.ReadVersion()
	s.log.WithFields(logrus.Fields{
		"url": url, "version": version.Version, "githash": version.GitHash,
		"region": s.Config.Account.Region, "org": s.Config.Org, "accounts": accountsOf(s.Config), "keys": len(s.Config.Token),
	}).Info("listening")
	s.warnOf(s.Config)
	if s.Listening == nil {
		return nil
	}
	return s.Listening(url)
}

func (s *server) warnOf(config *common.Config) {
	if s.Warnings == nil {
		return
	}
	for _, warning := range s.Warnings(config) {
		s.log.Warn(warning)
	}
}

// accountsOf returns the number of accounts, or "any" if there is no list.
func accountsOf(c *common.Config) any {
	if c.Accounts == nil {
		return "any"
	}
	return len(c.Accounts)
}

// askSTS warns if STS does not know this service, so that its operator need not
// wait for the first request to fail.
func (s *server) askSTS(ctx context.Context) {
	if s.AskSTS == nil {
		return
	}
	if err := s.AskSTS(ctx, s.Config); err != nil && ctx.Err() == nil {
		s.log.WithError(err).Warn("STS cannot be used: requests that need AWS will fail")
	}
}
