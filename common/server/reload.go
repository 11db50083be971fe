package server

import (
	"github.com/YaleSpinup/ecr-api/api"
	"github.com/sirupsen/logrus"
)

// Operations returns the names of the operations that a key may be limited to.
func Operations() []string { return api.Operations() }

// reload reads the configuration again and uses what can change without a
// restart. A broken configuration changes nothing.
func (s *server) reload() {
	config, err := s.ReadConfig()
	if err != nil {
		s.service.ReloadFailed()
		s.log.WithError(err).Error("the configuration is broken: nothing changes")
		return
	}
	changes, err := s.service.Reload(config)
	if err != nil {
		s.log.WithError(err).Error("the configuration cannot be used: nothing changes")
		return
	}
	defer s.warnOf(config)
	fields := logrus.Fields{"keys": len(config.Token)}
	if len(changes.Now) > 0 {
		fields["changed"] = changes.Now
	}
	if len(changes.NeedRestart) > 0 {
		fields["needRestart"] = changes.NeedRestart
		s.log.WithFields(fields).Warn("configuration read again; some of it needs a restart")
		return
	}
	s.log.WithFields(fields).Info("configuration read again")
}
