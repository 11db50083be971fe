package common

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// readyPath tells whether the service can answer: 200, or 503.
const readyPath = "/v1/ecr/ready"

// healthcheckTime is how long Healthcheck may take.
const healthcheckTime = 3 * time.Second

// Healthcheck asks the service that runs with this configuration on this machine
// whether it is ready. listen, if not empty, is where it listens instead of the
// configured address. The error says in one line what is wrong.
func (c *Config) Healthcheck(ctx context.Context, listen string) error {
	target, err := c.readyURL(cmp.Or(listen, c.ListenAddress))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	answer, err := loopback.RoundTrip(request)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not healthy: no answer from %s within %v", target, healthcheckTime)
	}
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("not healthy: %s answered %s", target, answer.Status)
	}
	return nil
}

// loopback goes through no proxy, and follows no redirect. The certificate has
// the name by which callers know the service, which is not the one asked here.
var loopback = &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
}

// readyURL is where a service that listens on this address is asked from its own
// machine: on loopback, unless it listens on one address only.
func (c *Config) readyURL(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if port == "" || port == "0" {
		return "", fmt.Errorf("the service listens on a port of the system's choice (%s): name one by -listen", address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: readyPath}
	if c.TLSCertificate != "" {
		target.Scheme = "https"
	}
	return target.String(), nil
}
