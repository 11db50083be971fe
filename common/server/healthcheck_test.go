package server

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

// ready answers /v1/ecr/ready with the status, and every other path with 404.
func ready(status int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ecr/ready", func(w http.ResponseWriter, _ *http.Request) {
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	})
	return mux
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckHealth(t *testing.T) {
	t.Parallel()
	plain, secured := &common.Config{}, &common.Config{TLSCertificate: "tls.crt"}
	for name, test := range map[string]struct {
		config *common.Config
		status int
		want   string // of the error, after the URL
	}{
		"ready":             {plain, http.StatusOK, ""},
		"ready, by TLS":     {secured, http.StatusOK, ""},
		"not ready":         {plain, http.StatusServiceUnavailable, " answered 503 Service Unavailable"},
		"not ready, by TLS": {secured, http.StatusServiceUnavailable, " answered 503 Service Unavailable"},
		"another program":   {plain, http.StatusNotFound, " answered 404 Not Found"},
		"a redirect":        {plain, http.StatusFound, " answered 302 Found"},
		"a token is needed": {plain, http.StatusForbidden, " answered 403 Forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := httptest.NewUnstartedServer(ready(test.status))
			if test.config == secured {
				service.StartTLS()
			} else {
				service.Start()
			}
			t.Cleanup(service.Close)
			want := ""
			if test.want != "" {
				want = "not healthy: " + service.URL + "/v1/ecr/ready" + test.want
			}
			err := CheckHealth(t.Context(), test.config, service.Listener.Addr().String())
			if diff := cmp.Diff(want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckHealthWhereNothingListens(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	err = CheckHealth(t.Context(), &common.Config{ListenAddress: address}, "")
	if diff := cmp.Diff("not healthy: dial tcp "+address+": connect: connection refused", message(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A service that accepts connections and never answers is not healthy. Here the
// context ends first, so that the test does not wait for three seconds.
func TestCheckHealthWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	address := listener.Addr().String()
	err = CheckHealth(ctx, &common.Config{}, address)
	if diff := cmp.Diff("not healthy: no answer from http://"+address+"/v1/ecr/ready within 3s", message(err)); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestReadyURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		address       string
		secured       bool
		want, message string
	}{
		{":8080", false, "http://127.0.0.1:8080/v1/ecr/ready", ""},
		{"0.0.0.0:80", false, "http://127.0.0.1:80/v1/ecr/ready", ""},
		{"[::]:8443", true, "https://127.0.0.1:8443/v1/ecr/ready", ""},
		{"10.0.0.5:8080", false, "http://10.0.0.5:8080/v1/ecr/ready", ""},
		{"[::1]:8443", true, "https://[::1]:8443/v1/ecr/ready", ""},
		{"localhost:8080", false, "http://localhost:8080/v1/ecr/ready", ""},
		{":0", false, "", "the system chooses the port on which the service listens (:0): give its address with -listen"},
		{"nowhere", false, "", "address nowhere: missing port in address"},
	} {
		got, err := readyURL(test.address, test.secured)
		if diff := cmp.Diff([]string{test.want, test.message}, []string{got, message(err)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.address, diff)
		}
	}
}
