package server

// reload reads the configuration again and uses what can change without a
// restart. A broken configuration changes nothing.
func (s *server) reload() {
	if s.ReadConfig == nil {
		s.log.Warn("there is no configuration to read again")
		return
	}
	config, err := s.ReadConfig()
	if err != nil {
		s.log.WithError(err).Error("the configuration is broken: nothing changes")
		return
	}
	needRestart, err := s.service.Reload(config)
	if err != nil {
		s.log.WithError(err).Error("the configuration cannot be used: nothing changes")
		return
	}
	entry := s.log.WithField("keys", len(config.Token))
	if len(needRestart) > 0 {
		entry.WithField("needRestart", needRestart).Warn("configuration read again; some of it needs a restart")
		return
	}
	entry.Info("configuration read again")
}
