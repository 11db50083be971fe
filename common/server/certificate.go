package server

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// reloadEvery is the shortest time between two checks whether the files of a
// certificate have changed.
const reloadEvery = time.Second

// certificate is a TLS certificate that follows its files. When they change,
// for example because it was renewed, the next connection gets the new one.
type certificate struct {
	certificateFile, keyFile string
	failed                   func(error)

	mu      sync.Mutex
	current *tls.Certificate
	changed [2]time.Time // when the files of current last changed
	looked  time.Time    // when the files were last checked
}

// loadCertificate reads a certificate and its key from PEM files. If the files
// change later and cannot be used, it calls failed and keeps the old
// certificate.
func loadCertificate(certificateFile, keyFile string, failed func(error)) (*certificate, error) {
	c := &certificate{certificateFile: certificateFile, keyFile: keyFile, failed: failed}
	return c, c.load()
}

// get is for tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > reloadEvery {
		if err := c.load(); err != nil {
			c.failed(err)
		}
	}
	return c.current, nil
}

func (c *certificate) load() error {
	c.looked = time.Now()
	changed, err := timesOf(c.certificateFile, c.keyFile)
	if err != nil || changed == c.changed {
		return err
	}
	pair, err := readPair(c.certificateFile, c.keyFile)
	if err != nil {
		return err // the next check tries again: the new key may not be written yet
	}
	c.current, c.changed = &pair, changed
	return nil
}

// readPair reads a certificate and its key. The error names the key of the
// configuration that names the file.
func readPair(certificateFile, keyFile string) (tls.Certificate, error) {
	certificate, err := os.ReadFile(certificateFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tlsCertificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tlsKey: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("tlsCertificate and tlsKey (%s, %s): %w", certificateFile, keyFile, err)
	}
	return pair, nil
}

// timesOf returns when the files last changed.
func timesOf(certificateFile, keyFile string) (times [2]time.Time, err error) {
	certificate, err := os.Stat(certificateFile)
	if err != nil {
		return times, fmt.Errorf("tlsCertificate: %w", err)
	}
	key, err := os.Stat(keyFile)
	if err != nil {
		return times, fmt.Errorf("tlsKey: %w", err)
	}
	return [2]time.Time{certificate.ModTime(), key.ModTime()}, nil
}
