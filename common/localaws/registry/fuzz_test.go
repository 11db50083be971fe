package registry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// No request makes the registry fail. What it refuses has an error of the
// protocol, and no header has a line of its own choice.
func FuzzRequest(f *testing.F) {
	for _, step := range steps {
		f.Add(step.method, one+strings.Replace(step.path, "ID", "00000000-0000-4000-8000-000000000000", 1), "", "", step.body)
	}
	f.Add("PATCH", one+"/blobs/uploads/x", "", "0-3", "four")
	f.Add("GET", "/v2/group/one/tags/list?n=-1&last=%00", "012345678901.dkr.ecr.us-east-1.amazonaws.com", "", "")
	f.Add("GET", "/v2/012345678901/us-east-1/../..//%2f/blobs/"+layerDigest, "[::1]:1", "bytes=0-", "")
	b, c := start(f)
	c.pushImage(one, "v1")
	f.Fuzz(func(t *testing.T, method, target, host, contentRange, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(u.Path, "/v2/") {
			t.Skip()
		}
		r := &http.Request{Method: method, URL: u, Host: host, Header: http.Header{"Content-Range": {contentRange}},
			Body: http.NoBody, ContentLength: int64(len(body))}
		if body != "" {
			r.Body = httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)).Body
		}
		r.SetBasicAuth(c.user, c.password)
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		var refusal struct {
			Errors []struct{ Code, Message string }
		}
		if w.Code >= 500 || w.Code >= 400 && (json.Unmarshal(w.Body.Bytes(), &refusal) != nil || len(refusal.Errors) != 1) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for name, values := range w.Header() {
			if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("%s: %q", name, values)
			}
		}
	})
}
