package api

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

var (
	longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	farAway = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// newLimitedWorld starts a service with two accounts. Nobody has an alias but
// they.
func newLimitedWorld(t testing.TB) *world {
	return newWorld(t, func(c *common.Config, _ *[]route) {
		c.Accounts = map[string]string{"main": account, "other": account2}
	})
}

// limitKey gives the key these limits, by a reload.
func (w *world) limitKey(l common.Limits) {
	w.t.Helper()
	next := *w.service.settings.Load().config
	next.Token = common.Keys{{Name: "default", Secret: key, Limits: &l}}
	if _, err := w.service.Reload(&next); err != nil {
		w.t.Fatal(err)
	}
}

// wantLimited sends a request that is outside of this limit of the key, by GET
// and HEAD alike. AWS must not hear of it, and the log must say which limit it is.
func (w *world) wantLimited(t *testing.T, e exchange, limit string) {
	t.Helper()
	w.forget()
	e.status = 403
	methods := []string{e.method}
	if e.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	for _, e.method = range methods {
		e.want = "-"
		status, _, body := w.do(e)
		if status != 403 || e.method != http.MethodHead && !strings.Contains(body, `"code":"key-limited"`) {
			t.Errorf("%s %s, beyond %s: status %d, want 403: %s", e.method, e.path, limit, status, body)
			continue
		}
		if line := w.lastLine(t); line["limit"] != limit || line["msg"] != "audit" || line["outcome"] != "refused" || line["key"] != "default" {
			t.Errorf("%s %s, beyond %s: line %v", e.method, e.path, limit, line)
		}
	}
	if calls := w.called(); calls != nil {
		t.Errorf("%s %s, beyond %s: AWS was called: %v", e.method, e.path, limit, calls)
	}
}

// A key can do what its limits leave, and nothing else, in each row.
func TestEveryRowWithinTheLimitsOfAKey(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	for _, rt := range protectedRows() {
		entry, v := entryOf(t, rt), values{"group": "team-x", "name": strings.ToLower(rt.Name)}
		if rt.hasName() {
			w.addFullRepository(account, "team-x/"+v["name"], org)
		}
		e := entry.request(rt, v)
		unread := e // AWS must not hear of it, and nobody reads its body
		unread.body = cmp.Or(strings.Repeat("{", min(1, len(e.body))), e.body)

		for limit, outside := range limitsThatRefuse(rt) {
			w.limitKey(outside)
			w.wantLimited(t, unread, limit)
		}
		inside := common.Limits{
			Accounts: []string{"main"}, Groups: []string{"g", "team-*"}, Actions: []string{rt.Name}, Access: "write", NotAfter: farAway,
		}
		if v.fill(rt.Path) == v.fill(accountPath) {
			inside.Groups = nil
		}
		if rt.Method == http.MethodGet {
			inside.Access = common.ReadOnly
			w.limitKey(inside)
			head := e
			head.method = http.MethodHead
			w.run(head)
		}
		w.limitKey(inside)
		w.run(e)
	}
}

// limitsThatRefuse returns limits that a request of the row in group team-x of
// the account is outside of, by the name of the limit.
func limitsThatRefuse(rt route) map[string]common.Limits {
	others := []string{"ListRepositories"}
	if rt.Name == others[0] {
		others = []string{"ShowRepository"}
	}
	list := map[string]common.Limits{
		"accounts": {Accounts: []string{"other"}},
		"groups":   {Groups: []string{"team-y", "team", "x-*", "*-y"}},
		"actions":  {Actions: others},
		"notAfter": {NotAfter: longAgo, Access: "write"},
	}
	if rt.Method != http.MethodGet {
		list["access"] = common.Limits{Access: common.ReadOnly}
	}
	return list
}

// Whoever only reads gets no credentials and starts no preview, although they
// change nothing.
func TestRowsThatOnlyRead(t *testing.T) {
	t.Parallel()
	for _, rt := range protectedRows() {
		if want := strings.HasPrefix(rt.Name, "List") || strings.HasPrefix(rt.Name, "Show"); rt.reads() != want {
			t.Errorf("%s: a key that only reads may call it: %v, want %v", rt.Name, rt.reads(), want)
		}
	}
	if (route{Method: "GET", Access: accessPolicies}).reads() {
		t.Error("a key that only reads may get access")
	}
}

func TestGroupsOfAKey(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	w.limitKey(common.Limits{Groups: []string{"g", "team-*", "*.ops", "a*z"}})
	for path, want := range map[string]int{
		"g": 200, "%67": 200, "team-": 200, "team-x": 200, "te%61m-x": 200, "team%2Dx": 200, "team-x-y": 200, "my.ops": 200, ".ops": 200, "az": 200, "abcz": 200,
		"gg": 403, "G": 403, "g.": 403, "team": 403, "steam-x": 403, "Team-x": 403, "TEAM-X": 403, "team_x": 403, "%53team-x": 403,
		"my.ops.x": 403, "myxops": 403, "a": 403, "azy": 403, "spindev-00001": 403,
		"team-x%2Fy": 400, "g%2F..%2Fother": 400, "team-%2A": 400, "*": 400, "%2A": 400, "team-x%00": 400, "te%E2%80%8Bam-x": 400, "team-x%20": 400, "..": 404, ".": 400,
	} {
		e := exchange{method: "GET", path: base + "/" + path, status: want, want: "-"}
		if want == 403 {
			w.wantLimited(t, e, "groups")
			continue
		}
		w.run(e)
	}
	w.wantLimited(t, exchange{method: "GET", path: base}, "groups")
	w.limitKey(common.Limits{Groups: []string{"*"}})
	w.wantLimited(t, exchange{method: "GET", path: base}, "groups")
	w.run(exchange{method: "GET", path: base + "/any-group", status: 200, want: "[]"})
}

// The caller of a key with accounts does not learn which other accounts and
// aliases there are, also if they are busy.
func TestOtherAccountsOfAKeyLookAlike(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	w.addRepository(account, "g/a", org)
	for _, named := range []string{"main", account} {
		w.limitKey(common.Limits{Accounts: []string{named}})
		for _, path := range []string{"main", account} {
			w.run(exchange{method: "GET", path: "/v1/ecr/" + path + "/repositories", status: 200, want: `["g/a"]`})
		}
		answer := problemOf("key-limited", "Your key is good for these accounts only: "+named+".")
		for _, path := range []string{"other", account2, "none", "111111111111", "MAIN", "main%2F", "*", "%00", "x%2Fy"} {
			for _, rest := range []string{"", "/g", "/g/a", "/%2A", "/g/%2A", "/g/a/images/%2A", "/g/a/images?what=ever"} {
				e := exchange{method: "GET", path: "/v1/ecr/" + path + "/repositories" + rest, status: 403, want: answer}
				w.run(e)
				w.wantLimited(t, e, "accounts")
			}
		}
	}
	w.service.settings.Load().config.MaxInFlightPerAccount = 0
	for path, status := range map[string]int{"main": 503, "other": 403, "none": 403} {
		w.run(exchange{method: "GET", path: "/v1/ecr/" + path + "/repositories", status: status, want: "-"})
	}
}

// Without a map of accounts, a key can be limited to ids.
func TestAccountsOfAKeyWithoutAMap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limitKey(common.Limits{Accounts: []string{account2}})
	w.run(exchange{method: "GET", path: "/v1/ecr/" + account2 + "/repositories", status: 200, want: "[]"})
	for _, path := range []string{account, "main", "111111111111"} {
		w.wantLimited(t, exchange{method: "GET", path: "/v1/ecr/" + path + "/repositories"}, "accounts")
	}
}

// A key that has expired learns nothing, not even which paths there are. Public
// paths need no key.
func TestExpiredKey(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	w.limitKey(common.Limits{NotAfter: time.Now().Add(-time.Second), Accounts: []string{"other"}})
	for _, path := range []string{base, "/v1/ecr/none/repositories", "/none", "//", base + "/g/a/b/c", base + "/*"} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			w.wantLimited(t, exchange{method: method, path: path}, "notAfter")
		}
	}
	w.wantLimited(t, exchange{method: "DELETE", path: base + "/g/a"}, "notAfter")
	asked := map[string]any{"account": account, "group": "g", "name": "a", "method": "DELETE"}
	if diff := gocmp.Diff(asked, some(w.lastLine(t), "account", "group", "name", "method")); diff != "" {
		t.Errorf("the line does not say what was asked for (-want +got):\n%s", diff)
	}
	for _, path := range []string{"/v1/ecr/ping", "/metrics", "/docs"} {
		w.run(exchange{method: "GET", path: path, status: 200, want: "-"})
	}
	w.limitKey(common.Limits{NotAfter: time.Now().Add(time.Hour), Groups: []string{"g"}})
	w.run(
		exchange{method: "GET", path: "/none", status: 404, want: "-"},
		exchange{method: "PATCH", path: base, status: 405, want: "-"},
		exchange{method: "GET", path: base + "/g", status: 200, want: "[]"},
	)
}

func TestAnswersOutsideTheLimitsOfAKey(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	many := strings.Split("a b c d e f g", " ")
	for _, test := range []struct {
		limits       common.Limits
		method, path string
		detail       string
	}{
		{common.Limits{Accounts: []string{"other"}}, "GET", "", "Your key is good for these accounts only: other."},
		{common.Limits{Groups: []string{"b", "team-*"}}, "GET", "/g", "Your key is good for these groups only: b, team-*."},
		{common.Limits{Groups: many}, "GET", "/h", "Your key is good for these groups only: a, b, c, d, e and 2 more."},
		{common.Limits{Groups: []string{"b"}}, "GET", "",
			"Your key is good for these groups only: b. A list of the whole account needs a key without such a limit."},
		{common.Limits{Access: "read"}, "POST", "/g/a/credentials", "Your key only reads: it is good for GET and HEAD."},
		{common.Limits{Actions: []string{"CreateCredentials", "ShowImage"}}, "DELETE", "/g/a",
			"Your key is good for these operations only: CreateCredentials, ShowImage. This is DeleteRepository."},
		{common.Limits{NotAfter: longAgo.In(time.FixedZone("", 3600))}, "GET", "", "Your key was good until 2020-01-01T00:00:00Z. Ask whoever runs the service for another."},
	} {
		w.limitKey(test.limits)
		w.run(exchange{method: test.method, path: base + test.path, status: 403, want: problemOf("key-limited", test.detail)})
	}
	w.limitKey(common.Limits{Groups: []string{"b"}})
	w.do(exchange{method: "DELETE", path: "/v1/ecr/main/repositories/g/a"})
	want := map[string]any{
		"msg": "audit", "level": "info", "requestId": "test", "method": "DELETE", "client": "127.0.0.1", "key": "default", "limit": "groups", "route": repositoryPath,
		"action": "DeleteRepository", "account": account, "group": "g", "name": "a", "status": 403.0, "outcome": "refused", "code": "key-limited",
		"error": "Your key is good for these groups only: b.",
	}
	if diff := gocmp.Diff(want, comparable(t, w.lastLine(t))); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// A token that is remembered gets the limits of the new configuration at once.
func TestReloadOfLimits(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	create := exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`, status: 200, want: "-"}
	w.run(create)
	w.limitKey(common.Limits{Access: common.ReadOnly})
	w.wantLimited(t, exchange{method: "DELETE", path: base + "/g/a"}, "access")
	w.limitKey(common.Limits{})
	w.run(exchange{method: "DELETE", path: base + "/g/a", status: 200, want: "-"})

	w.limitKey(common.Limits{Accounts: []string{"main"}})
	w.run(exchange{method: "GET", path: base, status: 200, want: "[]"})
	next := *w.service.settings.Load().config
	next.Accounts = map[string]string{"main": account2, "old": account}
	if _, err := w.service.Reload(&next); err != nil {
		t.Fatal(err)
	}
	w.wantLimited(t, exchange{method: "GET", path: base}, "accounts") // the alias is of another account now
	w.run(exchange{method: "GET", path: "/v1/ecr/main/repositories", status: 200, want: "[]"})
	for series, count := range map[string]string{"access": "1", "accounts": "2"} {
		if got := w.metrics()[`ecr_api_key_refusals_total{key="default",limit="`+series+`"}`]; got != count {
			t.Errorf("refused by %s: %q, want %q", series, got, count)
		}
	}
	if checks := w.metrics()[`ecr_api_token_checks_total{result="verified"}`]; checks != "1" {
		t.Errorf("the token was compared %s times", checks)
	}
}

// answerAfter returns the answer to a list of the group. The change comes when the
// request has its settings, and before its token is checked.
func (w *world) answerAfter(change func(), group string) *httptest.ResponseRecorder {
	rt := rowNamed("ListGroupRepositories")
	answer := w.service.authenticate(rt.Endpoint.serve(w.service, rt))
	w.service.router = mux.NewRouter()
	w.service.router.Handle(rt.Path, w.service.observe(rt.Path, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		change()
		answer.ServeHTTP(rw, r)
	})))
	r := httptest.NewRequest("GET", base+"/"+group, nil)
	r.Header.Set("X-Auth-Token", token())
	recorder := httptest.NewRecorder()
	w.service.ServeHTTP(recorder, r)
	return recorder
}

// A request under way keeps the limits with which it began.
func TestRequestKeepsTheLimitsOfItsKey(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	for group, want := range map[string]int{"g": 200, "h": 403} {
		w.limitKey(common.Limits{Groups: []string{"g"}})
		got := w.answerAfter(func() { w.limitKey(common.Limits{Groups: []string{"h"}}) }, group)
		if got.Code != want {
			t.Errorf("%s: status %d, want %d: %s", group, got.Code, want, got.Body)
		}
	}
}

// Each limit of each key is a series from the start, and those of keys that are
// gone are no more.
func TestSeriesOfKeys(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	ends := map[string]*common.Limits{"a": {NotAfter: longAgo.Add(500 * time.Millisecond)}, "b": {Access: common.ReadOnly}}
	seconds := map[string]string{"default": "+Inf", "a": "1.5778368005e+09", "b": "+Inf"}
	for _, names := range [][]string{{"default"}, {"a", "default"}, {"b"}} {
		next := *w.service.settings.Load().config
		next.Token = nil
		want := map[string]string{}
		for _, name := range names {
			next.Token = append(next.Token, common.Key{Name: name, Secret: common.Secret(name), Limits: ends[name]})
			for _, limit := range []string{"accounts", "groups", "access", "actions", "notAfter"} {
				want[`refusals_total{key="`+name+`",limit="`+limit+`"}`] = "0"
			}
			want[`not_after_timestamp_seconds{key="`+name+`"}`] = seconds[name]
		}
		if _, err := w.service.Reload(&next); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, value := range w.metrics() {
			if _, of, ok := strings.Cut(name, "ecr_api_key_"); ok {
				got[of] = value
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("series with the keys %v (-want +got):\n%s", names, diff)
		}
	}
}

// A request may be refused after a reload has taken its key away. It brings no
// series of that key back.
func TestRefusalsOfAKeyThatIsGone(t *testing.T) {
	t.Parallel()
	w := newLimitedWorld(t)
	w.limitKey(common.Limits{Groups: []string{"g"}})
	got := w.answerAfter(func() {
		next := *w.service.settings.Load().config
		next.Token = common.Keys{{Name: "next", Secret: "another key"}}
		if _, err := w.service.Reload(&next); err != nil {
			t.Error(err)
		}
	}, "h")
	if got.Code != 403 || w.lastLine(t)["limit"] != "groups" {
		t.Errorf("status %d: %s", got.Code, got.Body)
	}
	families, err := w.service.measures.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "key" && l.GetValue() != "next" {
					t.Errorf("%s has the key %s", f.GetName(), l.GetValue())
				}
			}
		}
	}
}

func TestOperationsOfKeys(t *testing.T) {
	t.Parallel()
	var want []string
	for _, rt := range protectedRows() {
		want = append(want, rt.Name)
	}
	if diff := gocmp.Diff(want, Operations()); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if _, err := common.LoadConfig("../config/config.example.json", "", Operations()); err != nil {
		t.Error(err)
	}
}

// The page on configuration names the operations that a key may be limited to.
func TestOperationsAreInTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "is one operation: ")
	line, _, _ := strings.Cut(after, ".\n")
	var named []string
	for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(line, -1) {
		named = append(named, word[1])
	}
	if diff := gocmp.Diff(Operations(), named); diff != "" {
		t.Errorf("operations (-table +docs):\n%s", diff)
	}
}
