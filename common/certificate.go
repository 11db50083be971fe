package common

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// lookEvery is how often, at most, the files of a certificate are looked at.
const lookEvery = time.Second

// Certificate is a TLS certificate that follows its files: where they change, as
// when it is renewed, the next connection gets the new one.
type Certificate struct {
	certificate, key string // files
	failed           func(error)

	mu      sync.Mutex
	current *tls.Certificate
	changed [2]time.Time // when the files last changed
	looked  time.Time
}

// LoadCertificate reads a certificate and its key from PEM files. Later it calls
// failed where the files have changed into something that cannot be used; the
// certificate then stays as it was.
func LoadCertificate(certificate, key string, failed func(error)) (*Certificate, error) {
	c := &Certificate{certificate: certificate, key: key, failed: failed}
	return c, c.load()
}

// Get is for tls.Config.GetCertificate.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > lookEvery {
		if err := c.load(); err != nil {
			c.failed(err)
		}
	}
	return c.current, nil
}

func (c *Certificate) load() error {
	c.looked = time.Now()
	changed, err := modified(c.certificate, c.key)
	if err != nil || changed == c.changed {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certificate, c.key)
	if err != nil {
		return err // and try again: the second file may not be there yet
	}
	c.current, c.changed = &pair, changed
	return nil
}

func modified(certificate, key string) (times [2]time.Time, err error) {
	for i, file := range []string{certificate, key} {
		info, err := os.Stat(file)
		if err != nil {
			return times, err
		}
		times[i] = info.ModTime()
	}
	return times, nil
}
