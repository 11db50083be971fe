package local

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The host of a registry in AWS is let through to the registry, and to nothing
// else.
func TestGuard(t *testing.T) {
	t.Parallel()
	guarded := guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), "ecr-api")
	for _, test := range []struct {
		method, host, path, site string
		status                   int
	}{
		{"GET", "127.0.0.1:4566", "/v2/", "", 204},
		{"GET", "127.0.0.1:4566", "/faults", "", 204},
		{"GET", "ecr-api", "/v2/", "", 204},
		{"GET", "012345678901.dkr.ecr.us-east-1.amazonaws.com", "/v2/", "", 204},
		{"GET", "012345678901.DKR.ecr.us-east-1.amazonaws.com:443", "/v2/group/one/tags/list", "", 204},
		{"GET", "012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn", "/v2/", "", 204},
		{"POST", "012345678901.dkr.ecr.us-east-1.amazonaws.com", "/v2/group/one/blobs/uploads/", "cross-site", 403},
		{"POST", "127.0.0.1:4566", "/v2/group/one/blobs/uploads/", "cross-site", 403},
		{"POST", "012345678901.dkr.ecr.us-east-1.amazonaws.com", "/", "", 403},
		{"GET", "012345678901.dkr.ecr.us-east-1.amazonaws.com", "/faults", "", 403},
		{"GET", "012345678901.dkr.ecr.us-east-1.amazonaws.com", "/v2", "", 403},
		{"GET", "012345678901.dkr.ecr.us-east-1.amazonaws.com.cn", "/v2/", "", 403},
		{"GET", "012345678901.dkr.ecr.cn-north-1.amazonaws.com", "/v2/", "", 403},
		{"GET", "012345678901.dkr.ecr.us-east-1.example.com", "/v2/", "", 403},
		{"GET", "012345678901.dkr.ecr.us-east-1.amazonaws.com.example.com", "/v2/", "", 403},
		{"GET", "12345678901.dkr.ecr.us-east-1.amazonaws.com", "/v2/", "", 403},
		{"GET", "x012345678901.dkr.ecr.us-east-1.amazonaws.com", "/v2/", "", 403},
		{"GET", "012345678901.dkr.ecr.moon.amazonaws.com", "/v2/", "", 403},
		{"GET", "ecr.us-east-1.amazonaws.com", "/v2/", "", 403},
		{"GET", "example.com", "/v2/", "", 403},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Host = test.host
		if test.site != "" {
			r.Header.Set("Sec-Fetch-Site", test.site)
		}
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s %s%s: status %d, want %d", test.method, test.host, test.path, w.Code, test.status)
		}
	}
}
