package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

func hash(t *testing.T, key string, cost int) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(key), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func TestToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := token()
	for _, c := range []struct {
		name, token string
		status      int
	}{
		{"good", good, 200},
		{"good again", good, 200},
		{"hash of another implementation", "$2y$" + good[4:], 200},
		{"hash of an old implementation", "$2b$" + good[4:], 200},
		{"no token", "", 403},
		{"the key itself", key, 403},
		{"hash of another key", hash(t, "another key", bcrypt.MinCost), 403},
		{"cut short", good[:59], 403},
		{"with a letter more", good + "x", 403},
		{"of an unknown version", "$2x$" + good[4:], 403},
		{"of version 2", "$2$" + good[4:] + "x", 403},
		{"one letter off", good[:59] + string(good[59]^1), 403},
		{"of cost 31", "$2a$31" + good[6:], 403}, // would take a day and a half
		{"of cost 13", "$2a$13" + good[6:], 403},
		{"of cost 99", "$2a$99" + good[6:], 403},
		{"of cost 00", "$2a$00" + good[6:], 403},
	} {
		status, _, body := w.do(exchange{method: "GET", path: base, header: map[string]string{"X-Auth-Token": c.token}})
		if status != c.status {
			t.Errorf("token %s: status %d, want %d: %s", c.name, status, c.status, body)
		}
	}
}

func TestCostOverTheLimitIsNotHashed(t *testing.T) {
	t.Parallel()
	const maxCost = 5
	tokens, err := newTokens(common.Keys{{Name: "default", Secret: key}}, maxCost, newGate(), newMeasures(nil).tokenChecks)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.verify(t.Context(), hash(t, key, maxCost), ""); err != nil {
		t.Errorf("a hash at the highest cost: %v", err)
	}
	if _, err := tokens.verify(t.Context(), hash(t, key, maxCost+1), ""); err != errBadToken {
		t.Errorf("a hash of the right key over the highest cost: %v", err)
	}
}

func TestEveryPathNeedsTheTokenUnlessPublic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	public := map[string]string{}
	for _, rt := range routes {
		if rt.Public {
			public[rt.Path] = ""
		}
	}
	want := map[string]string{"/v1/ecr/ping": "", "/v1/ecr/ready": "", "/v1/ecr/version": "", "/v1/ecr/metrics": "", "/metrics": "",
		"/v1/ecr/openapi.json": "", "/v1/ecr/docs": "", "/v1/ecr/docs/files/{file}": "", "/docs": "", "/": ""}
	if diff := cmp.Diff(want, public); diff != "" {
		t.Errorf("public paths (-want +got):\n%s", diff)
	}
	noToken := map[string]string{"X-Auth-Token": ""}
	var paths []string
	for _, rt := range routes {
		paths = append(paths, inG.fill(rt.Path))
	}
	paths = append(paths, "/nothing", "//", "/docs/", "//v1/ecr/ping", "/v1/ecr/ping/", "/v1/ecr/p%69ng", "/v1/ecr/x/../ping", "/v1/ecr/bad/repositories", base+"/*")
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			status, _, body := w.do(exchange{method: method, path: path, header: noToken})
			if _, ok := want[path]; ok || path == "/v1/ecr/docs/files/swagger-ui.css" {
				if status == http.StatusForbidden {
					t.Errorf("%s %s without a token: status %d", method, path, status)
				}
				continue
			}
			if status != http.StatusForbidden {
				t.Errorf("%s %s without a token: status %d, want 403: %s", method, path, status, body)
				continue
			}
			if method == "HEAD" {
				continue
			}
			detail := "The X-Auth-Token header must be a bcrypt hash of the pre-shared key, of cost 12 at most."
			if diff := cmp.Diff(parse(t, problemOf("token-missing", detail)), parse(t, body)); diff != "" {
				t.Errorf("%s %s without a token: answer (-want +got):\n%s", method, path, diff)
			}
		}
	}
	if calls := w.called(); calls != nil {
		t.Errorf("AWS was called: %v", calls)
	}
}

func TestPublicPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *common.Config, table *[]route) {})
	get := func(path string) (string, http.Header) {
		t.Helper()
		r, err := http.Get(w.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		w.check(r)
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 200 {
			t.Fatalf("GET %s: %d, %v", path, r.StatusCode, err)
		}
		return string(body), r.Header
	}
	if body, header := get("/v1/ecr/ping"); body != "pong" || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Errorf("ping: %q, %v", body, header)
	}
	body, _ := get("/v1/ecr/version")
	var keys []string
	for k, v := range parse(t, body).(map[string]any) {
		if v == "" {
			t.Errorf("version: %s is empty", k)
		}
		keys = append(keys, k)
	}
	if len(keys) != 3 || !strings.Contains(body, `"version"`) || !strings.Contains(body, `"githash"`) || !strings.Contains(body, `"buildstamp"`) {
		t.Errorf("version: %s", body)
	}
	for _, path := range []string{"/metrics", "/v1/ecr/metrics"} {
		if body, _ := get(path); !strings.Contains(body, `ecr_api_requests_total{code="200",method="get",route="/v1/ecr/ping"} 1`) {
			t.Errorf("%s does not count the ping:\n%s", path, body)
		}
	}
}

func TestPanicIsAnswered500(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeRows(func(rt *route) {
		if rt.Name == "ListRepositories" {
			rt.Endpoint = handledBy(func(context.Context, target, nothing) (any, error) { panic("a marked panic") })
		}
	}))
	w.run(
		exchange{method: "GET", path: base, status: 500, want: problemOf("internal", internalError)},
		exchange{method: "GET", path: base + "/g", status: 200, want: `[]`},
	)
	if log := w.log.String(); !strings.Contains(log, "a marked panic") || !strings.Contains(log, "auth_test.go") {
		t.Errorf("the log has no panic with its stack:\n%s", log)
	}
}
