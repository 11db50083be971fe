package common

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answering answers readyPath with the status, and everything else with 404.
func answering(status int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+readyPath, func(w http.ResponseWriter, _ *http.Request) {
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	})
	return mux
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	plain, secured := &Config{}, &Config{TLSCertificate: "tls.crt"}
	for name, test := range map[string]struct {
		config *Config
		status int
		want   string // of the error, after the URL
	}{
		"ready":            {plain, http.StatusOK, ""},
		"ready, by TLS":    {secured, http.StatusOK, ""},
		"not ready":        {plain, http.StatusServiceUnavailable, " answered 503 Service Unavailable"},
		"not ready, TLS":   {secured, http.StatusServiceUnavailable, " answered 503 Service Unavailable"},
		"another program":  {plain, http.StatusNotFound, " answered 404 Not Found"},
		"a redirect":       {plain, http.StatusFound, " answered 302 Found"},
		"a token is asked": {plain, http.StatusForbidden, " answered 403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(answering(test.status))
			if test.config == secured {
				server.StartTLS()
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			want := ""
			if test.want != "" {
				want = "not healthy: " + server.URL + readyPath + test.want
			}
			err := test.config.Healthcheck(t.Context(), server.Listener.Addr().String())
			if diff := cmp.Diff(want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHealthcheckOfNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	err = (&Config{ListenAddress: address}).Healthcheck(t.Context(), "")
	if diff := cmp.Diff("not healthy: dial tcp "+address+": connect: connection refused", message(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A service that accepts and never answers is found out, here by a context that
// ends before the check's own time.
func TestHealthcheckOfTheStalled(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	address := listener.Addr().String()
	err = (&Config{}).Healthcheck(ctx, address)
	if diff := cmp.Diff("not healthy: no answer from http://"+address+readyPath+" within 3s", message(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestReadyURL(t *testing.T) {
	t.Parallel()
	plain, secured := &Config{}, &Config{TLSCertificate: "tls.crt"}
	for _, test := range []struct {
		config        *Config
		address       string
		want, message string
	}{
		{plain, ":8080", "http://127.0.0.1:8080/v1/ecr/ready", ""},
		{plain, "0.0.0.0:80", "http://127.0.0.1:80/v1/ecr/ready", ""},
		{secured, "[::]:8443", "https://127.0.0.1:8443/v1/ecr/ready", ""},
		{plain, "10.0.0.5:8080", "http://10.0.0.5:8080/v1/ecr/ready", ""},
		{secured, "[::1]:8443", "https://[::1]:8443/v1/ecr/ready", ""},
		{plain, "localhost:8080", "http://localhost:8080/v1/ecr/ready", ""},
		{plain, ":0", "", "the service listens on a port of the system's choice (:0): name one by -listen"},
		{plain, "nowhere", "", "address nowhere: missing port in address"},
	} {
		got, err := test.config.readyURL(test.address)
		if diff := cmp.Diff([]string{test.want, test.message}, []string{got, message(err)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.address, diff)
		}
	}
}
