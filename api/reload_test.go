package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A request keeps the settings with which it began, also if a reload comes
// before its token is checked.
func TestRequestKeepsItsSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := *w.service.settings.Load().config
	next.Token = common.Keys{{Name: "next", Secret: "another key"}}
	next.Accounts = map[string]string{"other": account2}
	next.MaxInFlight = 0
	next.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	rt := rowNamed("ListRepositories")
	answer := w.service.authenticate(rt.Endpoint.serve(w.service, rt))
	w.service.router = mux.NewRouter()
	w.service.router.Handle(rt.Path, w.service.observe(rt.Path, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := w.service.Reload(&next); err != nil {
			t.Error(err)
		}
		answer.ServeHTTP(rw, r)
	})))
	r := httptest.NewRequest("GET", base, nil)
	r.Header.Set("X-Auth-Token", token())
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	recorder := httptest.NewRecorder()
	w.service.ServeHTTP(recorder, r)
	if recorder.Code != 200 || recorder.Body.String() != "[]\n" {
		t.Errorf("status %d: %s", recorder.Code, recorder.Body)
	}
	if client := w.logged(t)[0]["client"]; client != "192.0.2.1" {
		t.Errorf("the client is %v by the log", client)
	}
	w.run(exchange{name: "the next request", method: "GET", path: base, status: 403, want: "-"})
}

func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(exchange{name: "before", method: "GET", path: base, status: 200, want: `["g/a"]`})

	next := *w.service.settings.Load().config
	next.Token = common.Keys{{Name: "next", Secret: "another key"}}
	next.Accounts = map[string]string{"main": account}
	next.LogLevel = "error"
	next.Org, next.Account.Role = "another-org", "another-role"
	changes, err := w.service.Reload(&next)
	if err != nil {
		t.Fatal(err)
	}
	want := common.Changes{
		Now:         []string{"accounts changed", "accounts.main added", "logLevel changed", "token.default removed", "token.next added"},
		NeedRestart: []string{"account", "org"},
	}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	w.run(exchange{name: "the token of a key that is gone", method: "GET", path: base, status: 403, want: "-"})
	with := map[string]string{"X-Auth-Token": hash(t, "another key", 4)}
	w.run(
		exchange{name: "the new key", method: "GET", path: "/v1/ecr/main/repositories", header: with, status: 200, want: `["g/a"]`},
		exchange{name: "the org is as before", method: "GET", path: "/v1/ecr/main/repositories/g/a", header: with, status: 200, want: "-"},
		exchange{name: "the accounts have changed", method: "GET", path: "/v1/ecr/" + account2 + "/repositories", header: with, status: 404, want: "-"},
	)
	lines := w.logged(t)
	if n := len(lines); n != 2 || lines[1]["msg"] != "audit" {
		t.Errorf("at level error, only the refusal is logged: %v", lines)
	}
}

// A reload keeps the tokens that are in use, so that a flood of new tokens does
// not stop their callers.
func TestReloadInAFlood(t *testing.T) {
	t.Parallel()
	w, release := occupied(t)
	var inUse []string
	for range 20 {
		inUse = append(inUse, hash(t, key, 4))
		rememberForTest(t, w, inUse[len(inUse)-1])
	}
	var flood sync.WaitGroup
	defer flood.Wait()
	defer release()
	w.floodFrom(t, &flood, "127.0.0.1", maxWaitingEach)

	same := *w.service.settings.Load().config
	changes, err := w.service.Reload(&same)
	if diff := cmp.Diff(common.Changes{}, changes); diff != "" || err != nil {
		t.Errorf("changes: %v %s", err, diff)
	}
	for i, token := range inUse {
		if status := w.statusOf(token); status != http.StatusOK {
			t.Errorf("token %d: status %d, want 200", i, status)
		}
	}
}

// A token stays good without a comparison if its key is still there, also under
// another name.
func TestReloadKeepsTokens(t *testing.T) {
	t.Parallel()
	one, two := common.Key{Name: "one", Secret: "the first key"}, common.Key{Name: "two", Secret: "the second key"}
	for name, test := range map[string]struct {
		keys    common.Keys
		maxCost int
		want    [3]string // by token: the name of the key, or "" if the token is not remembered
	}{
		"same keys":           {common.Keys{one, two}, 12, [3]string{"one", "two", "one"}},
		"another order":       {common.Keys{two, one}, 12, [3]string{"one", "two", "one"}},
		"a key removed":       {common.Keys{two}, 12, [3]string{"", "two", ""}},
		"a key renamed":       {common.Keys{{Name: "old", Secret: one.Secret}, two}, 12, [3]string{"old", "two", "old"}},
		"a key changed":       {common.Keys{{Name: "one", Secret: "another"}, two}, 12, [3]string{"", "two", ""}},
		"secrets exchanged":   {common.Keys{{Name: "one", Secret: two.Secret}, {Name: "two", Secret: one.Secret}}, 12, [3]string{"two", "one", "two"}},
		"a lower cost":        {common.Keys{one, two}, 4, [3]string{"one", "two", ""}},
		"exactly that cost":   {common.Keys{one, two}, 5, [3]string{"one", "two", "one"}},
		"all keys are others": {common.Keys{{Name: "three", Secret: "the third key"}}, 12, [3]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *common.Config, _ *[]route) { c.Token = common.Keys{one, two} })
			tokens := []string{hash(t, string(one.Secret), 4), hash(t, string(two.Secret), 4), hash(t, string(one.Secret), 5)}
			for _, token := range tokens {
				rememberForTest(t, w, token)
			}
			next := *w.service.settings.Load().config
			next.Token, next.MaxTokenCost = test.keys, test.maxCost
			if _, err := w.service.Reload(&next); err != nil {
				t.Fatal(err)
			}
			var got [3]string
			for i, token := range tokens {
				known, _ := w.service.settings.Load().tokens.known(token)
				got[i] = known.Name
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("keys of the tokens (-want +got):\n%s", diff)
			}
		})
	}
}

// The token that is used least is still the first to be forgotten.
func TestReloadKeepsTheOrderOfTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := w.service.settings.Load().tokens
	first, second := hash(t, key, 4), hash(t, key, 4)
	for _, token := range []string{first, second, first} {
		if _, known := tokens.known(token); !known {
			rememberForTest(t, w, token)
		}
	}
	same := *w.service.settings.Load().config
	if _, err := w.service.Reload(&same); err != nil {
		t.Fatal(err)
	}
	kept := w.service.settings.Load().tokens
	kept.verified.Resize(1)
	if _, known := kept.known(first); !known {
		t.Error("the token that was used last is forgotten")
	}
}

// A comparison that began before a reload does not bring a removed key back.
func TestReloadWhileAComparisonWaits(t *testing.T) {
	t.Parallel()
	w, release := occupied(t)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if status := w.statusOf(token()); status != http.StatusOK {
			t.Errorf("the request that began before the reload: status %d, want 200", status)
		}
	})
	waitFor(t, "the request to wait", func() bool { n, _ := w.service.gate.lengths(); return n == 1 })
	next := *w.service.settings.Load().config
	next.Token = common.Keys{{Name: "next", Secret: "another key"}}
	if _, err := w.service.Reload(&next); err != nil {
		t.Fatal(err)
	}
	release()
	waiting.Wait()
	w.run(exchange{name: "the next request", method: "GET", path: base, status: 403, want: "-"})
}

func TestReloadIsMeasured(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-time.Second)
	w := newWorld(t)
	want := func(when, successful string) {
		t.Helper()
		_, _, body := w.do(exchange{method: "GET", path: "/metrics"})
		if !strings.Contains(body, "\necr_api_config_last_reload_successful "+successful+"\n") {
			t.Errorf("%s: it is not %s:\n%s", when, successful, body)
		}
	}
	want("at the start", "1")
	good := *w.service.settings.Load().config
	bad := good
	bad.LogLevel = "loud"
	if _, err := w.service.Reload(&bad); err == nil {
		t.Error("the level loud is good")
	}
	want("after a configuration that cannot be used", "0")
	if _, err := w.service.Reload(&good); err != nil {
		t.Fatal(err)
	}
	want("after a good one", "1")
	w.service.ReloadFailed()
	want("after one that cannot be read", "0")
	last := testutil.ToFloat64(w.service.measures.reloads.lastSuccess)
	if last < float64(start.Unix()) || last > float64(time.Now().Unix()+1) {
		t.Errorf("the last success was at %f", last)
	}
}

// The org of a configuration needs a restart, so it may not be the one that
// goes with users.
func TestReloadOfUsersBesideAnotherOrg(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutUsers)
	w.service.settings.Load().config.Org = "an org"
	next := *w.service.settings.Load().config
	next.Org, next.Users.Boundary = "org", "ecr-api-users"
	_, err := w.service.Reload(&next)
	if want := `users.boundary cannot be with the org in use, "an org": restart the service`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if users := w.service.settings.Load().config.Users; users != (common.Users{}) {
		t.Errorf("users are %v", users)
	}
	next.Users.Boundary = ""
	if _, err := w.service.Reload(&next); err != nil {
		t.Error(err)
	}
}

func TestReloadOfUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutUsers)
	next := *w.service.settings.Load().config
	next.Users = common.Users{Boundary: "ecr-api-users", FormerGroup: "former"}
	changes, err := w.service.Reload(&next)
	if diff := cmp.Diff(common.Changes{Now: []string{"users changed"}}, changes); diff != "" || err != nil {
		t.Errorf("changes (-want +got): %v\n%s", err, diff)
	}
	if users := w.service.settings.Load().config.Users; users != next.Users {
		t.Errorf("users are %v", users)
	}
}
