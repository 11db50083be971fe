package registry_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestHostileNames(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	const form = "a repository here has a name like 012345678901/us-east-1/group/name, not "
	const pattern = "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression " +
		`'[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''`
	for _, test := range []struct{ path, message string }{
		{"/v2/library/alpine/manifests/latest", form + `"library/alpine"`},
		{"/v2/a/manifests/latest", form + `"a"`},
		{"/v2/012345678901/us-east-1/manifests/latest", form + `"012345678901/us-east-1"`},
		{"/v2/012345678901/moon/group/one/manifests/latest", form + `"012345678901/moon/group/one"`},
		{"/v2/01234567890/us-east-1/group/one/manifests/latest", form + `"01234567890/us-east-1/group/one"`},
		{"/v2/0123456789012/us-east-1/group/one/manifests/latest", form + `"0123456789012/us-east-1/group/one"`},
		{"/v2//012345678901/us-east-1/group/one/manifests/latest", form + `"/012345678901/us-east-1/group/one"`},
		{"/v2/012345678901/us-east-1//group/one/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group//one/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group/../one/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/../../etc/blobs/" + unknown, pattern},
		{"/v2/012345678901/us-east-1/%2e%2e/one/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group/one%00/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group/one%0a/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group/one%0aX:%20y/tags/list", pattern},
		{"/v2/012345678901/us-east-1/Group/one/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group/*/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/group/%ff/manifests/latest", pattern},
		{"/v2/012345678901/us-east-1/a/manifests/latest", "Invalid parameter at 'repositoryName' failed to satisfy constraint: " +
			"'Member must have length greater than or equal to 2'"},
		{"/v2/012345678901/us-east-1/" + strings.Repeat("a", 10<<10) + "/manifests/latest", "Invalid parameter at 'repositoryName' failed to satisfy constraint: " +
			"'Member must have length less than or equal to 256'"},
		{"/v2/012345678901/us-east-1/group%2fone/manifests/latest", "the path must not have an escaped slash"},
		{"/v2/012345678901/us-east-1/group/one%2Fmanifests/latest/tags/list", "the path must not have an escaped slash"},
	} {
		c.wantError(test.path[:min(len(test.path), 100)], c.send("GET", test.path, ""), 400, "NAME_INVALID", test.message)
	}
	for _, path := range []string{"/v2/..", "/v2/../faults", "/v2/_catalog", "/v2/x", "/v2/token", one, one + "/", one + "/tags", one + "/tags/list/",
		one + "/tags/x", one + "/manifests", one + "/manifests/", one + "/manifests/a/b", one + "/blobs/", one + "/blobs/a/b", "/v2/tags/list", "/v2/manifests/v1"} {
		c.wantError(path, c.send("GET", path, ""), 404, "UNSUPPORTED", fmt.Sprintf("there is no %q here", path))
	}
	if calls := operations(b.Calls()); calls != nil {
		t.Errorf("the operations %v", calls)
	}
}

// The end of a path can look like a name and a name like the end of a path.
func TestNamesLikePaths(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	for _, name := range []string{"manifests/tags", "blobs/uploads", "tags/list", "group/manifests/latest", "referrers/blobs"} {
		b.Add(t, name)
		c.pushImage("/v2/012345678901/us-east-1/"+name, "list")
		body := fmt.Sprintf(`{"name":"012345678901/us-east-1/%s","tags":["list"]}`, name)
		if got := c.send("GET", "/v2/012345678901/us-east-1/"+name+"/tags/list", ""); got.body != body {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	for _, test := range []struct{ path, allow string }{
		{"/v2/", "GET, HEAD"},
		{one + "/tags/list", "GET, HEAD"},
		{one + "/referrers/" + unknown, "GET, HEAD"},
		{one + "/manifests/v1", "DELETE, GET, HEAD, PUT"},
		{one + "/blobs/" + unknown, "GET, HEAD"},
		{one + "/blobs/uploads/", "POST"},
		{one + "/blobs/uploads", "POST"},
		{one + "/blobs/uploads/x", "DELETE, GET, PATCH, PUT"},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"} {
			if strings.Contains(", "+test.allow+",", ", "+method+",") {
				continue
			}
			got := c.send(method, test.path, "")
			if got.status != 405 || got.header.Get("Allow") != test.allow {
				t.Errorf("%s %s: %v", method, test.path, got)
			}
			if method != "HEAD" {
				c.wantError(method+" "+test.path, got, 405, "UNSUPPORTED", "this path takes "+test.allow+fmt.Sprintf(", not %q", method))
			}
		}
	}
	if calls := operations(b.Calls()); calls != nil {
		t.Errorf("the operations %v", calls)
	}
}

// What no client of Go would send.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	authorization := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.user+":"+c.password)) + "\r\n"
	for _, test := range []struct {
		name, text string
		status     int
	}{
		{"dots", "GET " + one + "/../../../../../faults HTTP/1.1\r\nHost: x\r\n" + authorization + "\r\n", 404},
		{"dots in the name", "GET /v2/012345678901/us-east-1/../us-east-1/group/one/tags/list HTTP/1.1\r\nHost: x\r\n" + authorization + "\r\n", 400},
		{"whole URL", "GET http://x" + one + "/tags/list HTTP/1.1\r\nHost: x\r\n" + authorization + "\r\n", 200},
		{"bad length", "PATCH " + one + "/blobs/uploads/x HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Length: -1\r\n\r\n", 400},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		awstest.Must(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, test.text)
		awstest.Must(t, err)
		w, err := http.ReadResponse(bufio.NewReader(conn), nil)
		awstest.Must(t, err)
		awstest.Must(t, w.Body.Close())
		if w.StatusCode != test.status {
			t.Errorf("%s: status %d, want %d", test.name, w.StatusCode, test.status)
		}
	}
}
