package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws/policy"
	"github.com/YaleSpinup/ecr-api/iam"
)

// Only what has the whole form of a hash, at a cost that we pay, comes as far as
// the gate.
func FuzzToken(f *testing.F) {
	good := token()
	for _, seed := range []string{
		good, "", key, "$2x$" + good[4:], "$2a$31" + good[6:], "$2a$13" + good[6:], good + "\n", "\x00" + good,
		"$2a$1" + good[6:] + "x", "$2a$-1" + good[6:], "$2a$04$" + strings.Repeat("é", 26) + "x", strings.Repeat("$", 60),
	} {
		f.Add(seed)
	}
	shut := &gate{comparing: make(chan struct{}), admitted: make(chan struct{})} // nobody enters
	tokens, err := newTokens(common.Keys{{Name: "default", Secret: key}}, 12, shut, newMeasures(nil).tokenChecks)
	if err != nil {
		f.Fatal(err)
	}
	form := regexp.MustCompile(`\A\$2[aby]\$(0[0-9]|1[0-2])\$[./A-Za-z0-9]{53}\z`)
	f.Fuzz(func(t *testing.T, token string) {
		want := errBadToken
		if form.MatchString(token) && token[4:6] >= "04" {
			want = errBusy
		}
		if _, err := tokens.verify(token); err != want {
			t.Errorf("%q: %v, want %v", token, err, want)
		}
	})
}

// Whatever the path, a handler sees only names that mean nothing in a policy,
// and the session is that of the path's account and group.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		base, base + "/g", base + "/g/a", base + "/g/a/images", base + "/..", base + "/%2e%2e/a", base + "/a%2Fb/c", base + "//a",
		base + "/*", base + "/g/%3F", base + "/g/a%00", base + "/%24%7Baws%3Ausername%7D/a", "/v1/ecr/%30%31%32345678901/repositories",
		"/v1/ecr/main/repositories/g", "/v1/ecr/ping/../" + account, "*", "", "//", "/v1/ecr/" + account + "/repositories/g/a?name=b",
	} {
		f.Add(seed)
	}
	w := newWorld(f, func(c *common.Config, table *[]route) {
		for i, rt := range *table {
			if !rt.Public {
				(*table)[i].Handler = endpoint(echo)
			}
		}
	})
	name := regexp.MustCompile(`\A[A-Za-z0-9._-]{1,254}\z`)
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip("no server would take it")
		}
		r := &http.Request{Method: "GET", URL: u, Header: http.Header{"X-Auth-Token": {token()}}, Body: http.NoBody}
		recorder := httptest.NewRecorder()
		w.service.ServeHTTP(recorder, r.WithContext(t.Context()))
		switch recorder.Code {
		case 200, 400, 404:
		default:
			t.Fatalf("%q: status %d", path, recorder.Code)
		}
		var got echoed
		if recorder.Code != 200 || json.Unmarshal(recorder.Body.Bytes(), &got) != nil {
			return // refused, or a public path
		}
		for _, n := range []string{got.Group, got.Name} {
			if n != "" && (!name.MatchString(n) || n == "." || n == "..") {
				t.Errorf("%q: the handler saw %q", path, n)
			}
		}
		scope := iam.Scope{Registry: common.Registry{Partition: "aws", Region: region, Account: account}, Org: org, Group: got.Group}
		if got.Group == "" {
			return
		}
		p, err := policy.Parse(showPolicy(scope).String())
		if err != nil {
			t.Fatalf("%q: the policy: %v", path, err)
		}
		for _, other := range []string{"other/a", got.Group + "x/a", "a", got.Group} {
			d, err := policy.Decide(policy.Request{Action: "ecr:DescribeRepositories", Resource: scope.ARN(other)}, p)
			if err != nil || d == policy.Allow && !strings.HasPrefix(other, got.Group+"/") {
				t.Errorf("%q: the session may describe %s: %v, %v", path, other, d, err)
			}
		}
	})
}

type echoed struct{ Group, Name string }

func echo(_ context.Context, c call, _ nothing) (echoed, error) {
	return echoed{Group: c.Group, Name: c.Name}, nil
}

// A body is taken whole or refused in words, and what is taken is what was said.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"RepositoryName": "a"}`, `{"RepositoryName": "a", "ScanOnPush": "true", "Tags": [{"Key": "k", "Value": "v"}]}`,
		`{"ScanOnPush": false}`, `{"KmsKeyId": null}`, `{}`, `null`, ``, `[]`, `{"a": 1}`, `{"Tags": [], "tags": null}`, `{"RepositoryName": "a"}x`,
		`{"Tags": [{"Key": "k"}, {"Key": "k"}]}`, `{"ſcanOnPush": true}`, `{"ScanOnPush": true, "ſcanOnPush": false}`, strings.Repeat("[", 20000), `{"RepositoryName": "\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var create createRequest
		checkDecoded(t, body, decodeJSON(body, &create))
		if decodeJSON(body, &create) == nil && create.check() == nil && checkName("", create.RepositoryName) != nil {
			t.Errorf("%q passed with the name %q", body, create.RepositoryName)
		}
		var update updateRequest
		checkDecoded(t, body, decodeJSON(body, &update))
	})
}

func checkDecoded(t *testing.T, body []byte, err error) {
	t.Helper()
	if err != nil {
		var e *common.Error
		if !errors.As(err, &e) || e.Code != common.BadRequest || e.Message == "" {
			t.Errorf("%q: %v is no answer to a caller", body, err)
		}
		return
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		t.Errorf("%q was taken and is no object: %v", body, err)
	}
	seen := map[string]bool{}
	for k := range object {
		if folded := strings.Map(fold, k); seen[folded] {
			t.Errorf("%q was taken with %q twice", body, k)
		} else {
			seen[folded] = true
		}
	}
}
