package common

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestGuardLocal(t *testing.T) {
	t.Parallel()
	const page = "This answers no requests that another web page sends.\n"
	guarded := GuardLocal(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("welcome")) }), "ecr-api", "192.0.2.1", "Named:80")
	type header = map[string]string
	for _, test := range []struct {
		name, method, host string
		header             header
		want               string // "" if it is answered
	}{
		{"name", "GET", "localhost", nil, ""},
		{"name in capitals", "GET", "LocalHost:8080", nil, ""},
		{"address", "GET", "127.0.0.1:8080", nil, ""},
		{"another loopback address", "GET", "127.1.2.3", nil, ""},
		{"IPv6", "GET", "[::1]:8080", nil, ""},
		{"IPv6 without a port", "GET", "[::1]", nil, ""},
		{"allowed name", "GET", "ecr-api:8080", nil, ""},
		{"allowed name without its port", "GET", "named", nil, ""},
		{"allowed address", "GET", "192.0.2.1:8080", nil, ""},
		{"name of somebody else", "GET", "example.com:8080", nil, "This answers requests to localhost and loopback addresses, not to \"example.com\". With -local and -local-aws, -allow-hosts adds names.\n"},
		{"name that begins alike", "GET", "localhost.example.com", nil, "This answers requests to localhost and loopback addresses, not to \"localhost.example.com\". With -local and -local-aws, -allow-hosts adds names.\n"},
		{"address of this machine", "GET", "192.0.2.2:8080", nil, "This answers requests to localhost and loopback addresses, not to \"192.0.2.2\". With -local and -local-aws, -allow-hosts adds names.\n"},
		{"every address", "GET", "0.0.0.0:8080", nil, "This answers requests to localhost and loopback addresses, not to \"0.0.0.0\". With -local and -local-aws, -allow-hosts adds names.\n"},
		{"none", "GET", "", nil, "This answers requests to localhost and loopback addresses, not to \"\". With -local and -local-aws, -allow-hosts adds names.\n"},

		{"program", "POST", "localhost", nil, ""},
		{"its own page", "POST", "localhost", header{"Sec-Fetch-Site": "same-origin"}, ""},
		{"its own page, older browser", "POST", "localhost:8080", header{"Origin": "http://localhost:8080"}, ""},
		{"address bar", "GET", "localhost", header{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, ""},
		{"link in another page", "GET", "localhost", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, ""},
		{"page on another port reads", "GET", "localhost", header{"Sec-Fetch-Site": "same-site"}, ""},
		{"page on another port changes", "DELETE", "localhost", header{"Sec-Fetch-Site": "same-site"}, page},
		{"another page reads", "GET", "localhost", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, page},
		{"frame in another page", "GET", "localhost", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, page},
		{"another page changes", "POST", "localhost", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, page},
		{"form in another page", "POST", "localhost", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, page},
		{"another page changes, older browser", "POST", "localhost", header{"Origin": "https://example.com"}, page},
		{"another page asks whether it may change", "OPTIONS", "localhost", header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, page},
		{"another page with an allowed name", "POST", "ecr-api", header{"Sec-Fetch-Site": "cross-site"}, page},
	} {
		r := httptest.NewRequest(test.method, "/", nil)
		r.Host = test.host
		for name, value := range test.header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		status, want := http.StatusForbidden, test.want
		if want == "" {
			status, want = http.StatusOK, "welcome"
		}
		if w.Code != status || w.Body.String() != want {
			t.Errorf("%s: %d %q, want %d %q", test.name, w.Code, w.Body, status, want)
		}
	}
}
