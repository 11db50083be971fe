package server

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

	"github.com/YaleSpinup/ecr-api/common"
)

// readyPath answers 200 if the service is ready for requests, otherwise 503.
const readyPath = "/v1/ecr/ready"

// healthcheckTime is how long CheckHealth may take.
const healthcheckTime = 3 * time.Second

// CheckHealth asks the service that runs with this configuration on this
// machine whether it is ready. If listen is not empty, it is the address of
// that service instead of the configured one. The error says in one line what
// is wrong.
func CheckHealth(ctx context.Context, config *common.Config, listen string) error {
	target, err := readyURL(cmp.Or(listen, config.ListenAddress), config.TLSCertificate != "")
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

// loopback uses no proxy and follows no redirect. It does not verify the
// certificate, because the certificate is for the name that callers use and not
// for this machine's address.
var loopback = &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12},
}

// readyURL returns the URL of readyPath for a service that listens on this
// address of this machine. The host is loopback, unless the address names a
// host.
func readyURL(address string, secured bool) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if port == "" || port == "0" {
		return "", fmt.Errorf("the system chooses the port on which the service listens (%s): give its address with -listen", address)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: readyPath}
	if secured {
		target.Scheme = "https"
	}
	return target.String(), nil
}
