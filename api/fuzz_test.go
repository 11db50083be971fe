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

// Only a token that has the form of a hash and a cost that we accept reaches
// the gate.
func FuzzToken(f *testing.F) {
	good := token()
	for _, seed := range []string{
		good, "", key, "$2x$" + good[4:], "$2a$31" + good[6:], "$2a$13" + good[6:], good + "\n", "\x00" + good,
		"$2a$1" + good[6:] + "x", "$2a$-1" + good[6:], "$2a$04$" + strings.Repeat("é", 26) + "x", strings.Repeat("$", 60),
	} {
		f.Add(seed)
	}
	shut := &gate{checked: queue{max: 1, maxEach: 1}} // without a place to compare
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
		if _, err := tokens.verify(t.Context(), token, ""); err != want {
			t.Errorf("%q: %v, want %v", token, err, want)
		}
	})
}

// For every path, a handler sees only names that have no special meaning in a
// policy, and the session is limited to the path's group.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{
		base, base + "/g", base + "/g/a", base + "/g/a/images", base + "/..", base + "/%2e%2e/a", base + "/a%2Fb/c", base + "//a",
		base + "/*", base + "/g/%3F", base + "/g/a%00", base + "/%24%7Baws%3Ausername%7D/a", "/v1/ecr/%30%31%32345678901/repositories",
		"/v1/ecr/main/repositories/g", "/v1/ecr/ping/../" + account, "*", "", "//", "/v1/ecr/" + account + "/repositories/g/a?name=b",
	} {
		f.Add(seed)
	}
	for _, rt := range routes {
		f.Add(values{}.fill(rt.Path))
		for _, hostile := range hostileSegments {
			f.Add(values{"group": hostile, "name": hostile}.fill(rt.Path))
		}
	}
	w := newWorld(f, changeRows(func(rt *route) {
		rt.Endpoint, rt.Access, rt.Status = handledBy(echo), nil, 0
		if rowsOf(rt.Path)[0].Name == rt.Name {
			rt.Method = http.MethodGet
		}
	}))
	name := regexp.MustCompile(`\A[A-Za-z0-9._-]{1,254}\z`)
	harmless := regexp.MustCompile(`\A[A-Za-z0-9._:-]{1,300}\z`) // for any variable
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip("it is not a path")
		}
		r := &http.Request{Method: "GET", URL: u, Header: http.Header{"X-Auth-Token": {token()}}, Body: http.NoBody}
		recorder := httptest.NewRecorder()
		w.service.ServeHTTP(recorder, r.WithContext(t.Context()))
		switch recorder.Code {
		case 200, 400, 404:
		default:
			t.Fatalf("%q: status %d", path, recorder.Code)
		}
		var got pathValues
		if recorder.Code != 200 || json.Unmarshal(recorder.Body.Bytes(), &got) != nil {
			return // refused, or a public path
		}
		for _, v := range pathVars {
			if seen := *v.In(&got); seen != "" && !harmless.MatchString(seen) {
				t.Errorf("%q: the handler saw %q as {%s}", path, seen, v.Name)
			}
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

// echo answers with what a handler sees of the path.
func echo(_ context.Context, t target, _ nothing) (pathValues, error) { return t.pathValues, nil }

// Every row that takes a body either accepts the whole body or refuses it with
// a reason.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"RepositoryName": "a"}`, `{"RepositoryName": "a", "ScanOnPush": "true", "Tags": [{"Key": "k", "Value": "v"}]}`,
		`{"ScanOnPush": false}`, `{"KmsKeyId": null}`, `{}`, `null`, ``, `[]`, `{"a": 1}`, `{"Tags": [], "tags": null}`, `{"RepositoryName": "a"}x`,
		`{"Tags": [{"Key": "k"}, {"Key": "k"}]}`, `{"ſcanOnPush": true}`, `{"ScanOnPush": true, "ſcanOnPush": false}`, strings.Repeat("[", 20000), `{"RepositoryName": "\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	for _, rt := range protectedRows() {
		for _, body := range entryOf(f, rt).bodies {
			f.Add([]byte(values{}.fill(body)))
		}
	}
	name := regexp.MustCompile(`\A[A-Za-z0-9._-]+\z`)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, rt := range protectedRows() {
			in := rt.Endpoint.newInput()
			err := decodeJSON(body, in)
			if isForAWS(in) && err == nil {
				_ = in.(input).check() // it does not panic
				continue
			}
			checkDecoded(t, body, err)
			if n, ok := in.(namer); ok && err == nil && in.(input).check() == nil {
				var p pathValues
				n.name(&p)
				if !name.MatchString(p.Name + p.User) {
					t.Errorf("%s took %q with the names %+v", rt, body, p)
				}
			}
		}
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
	for k := range object {
		for other := range object {
			if k != other && strings.EqualFold(k, other) {
				t.Errorf("%q was taken with %q twice", body, k)
			}
		}
	}
}
