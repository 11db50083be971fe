package server

import (
	"crypto/tls"
	"net"
)

// secure puts TLS around the listener if a certificate is configured. It also
// returns the scheme of the service's URL.
func (s *server) secure(plain net.Listener) (listener net.Listener, scheme string, err error) {
	if s.Config.TLSCertificate == "" {
		return plain, "http", nil
	}
	certificate, err := loadCertificate(s.Config.TLSCertificate, s.Config.TLSKey, func(err error) {
		s.log.WithError(err).Error("the files of the TLS certificate changed and cannot be used: the old certificate stays")
	})
	if err != nil {
		return nil, "", err
	}
	return tls.NewListener(plain, &tls.Config{
		GetCertificate: certificate.get,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
	}), "https", nil
}
