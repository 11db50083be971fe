package common

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

// knownOperations are those that a key may be limited to in these tests.
var knownOperations = []string{"ShowImage", "CreateCredentials"}

func TestKeysWithLimits(t *testing.T) {
	t.Parallel()
	const text = `{
		"platform": "1",
		"plain": {"key": "2"},
		"auditor": {"key": "3", "access": "read"},
		"writer": {"access": "write", "key": "4"},
		"pipeline": {"key": "5", "accounts": ["prod", "210987654321"], "groups": ["spindev-00001", "team-*", "*"],
			"actions": ["CreateCredentials", "ShowImage"], "notAfter": "2027-01-01T00:00:00+01:00"}
	}`
	c, err := ParseConfig(document(t, keys{"token": json.RawMessage(text), "accounts": json.RawMessage(`{"prod": "012345678901", "test": "210987654321"}`)}), knownOperations)
	if err != nil {
		t.Fatal(err)
	}
	want := Keys{
		{Name: "platform", Secret: "1"},
		{Name: "plain", Secret: "2", Limits: &Limits{}},
		{Name: "auditor", Secret: "3", Limits: &Limits{Access: "read"}},
		{Name: "writer", Secret: "4", Limits: &Limits{Access: "write"}},
		{Name: "pipeline", Secret: "5", Limits: &Limits{
			Accounts: []string{"prod", "210987654321"}, Groups: []string{"spindev-00001", "team-*", "*"},
			Actions: []string{"CreateCredentials", "ShowImage"}, NotAfter: time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC),
		}},
	}
	if diff := cmp.Diff(want, c.Token); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestBadKeyLimits(t *testing.T) {
	t.Parallel()
	const (
		list     = " must be a list of names, one at least"
		account  = " is neither an alias nor an id in accounts"
		id       = " is not an account id (twelve digits); aliases need accounts"
		group    = " is neither a group nor a pattern of groups (lower-case letters, digits and . _ - *)"
		action   = " is not the name of an operation that needs a token; docs/configuration.md has them"
		access   = "token.p.access must be read or write"
		notAfter = `token.p.notAfter must be a time such as "2027-01-01T00:00:00Z"`
	)
	given := json.RawMessage(`{"prod": "012345678901"}`)
	for _, test := range []struct{ limits, want string }{
		{`"Access": "read"`, "token.p.Access is not a known key"},
		{`"acces": "read", "group": ["g"]`, "token.p.acces is not a known key; token.p.group is not a known key"},
		{`"access": "read", "access": "write"`, "token.p.access is given twice"},
		{`"key": "another"`, "token.p.key is given twice"},
		{`"access": ""`, access},
		{`"access": null`, access},
		{`"access": "READ"`, access},
		{`"access": "admin"`, access},
		{`"access": ["read"]`, access},
		{`"accounts": []`, "token.p.accounts" + list},
		{`"accounts": null`, "token.p.accounts" + list},
		{`"accounts": "prod"`, "token.p.accounts" + list},
		{`"accounts": {}`, "token.p.accounts" + list},
		{`"accounts": [5]`, "token.p.accounts" + list},
		{`"groups": []`, "token.p.groups" + list},
		{`"groups": null`, "token.p.groups" + list},
		{`"actions": []`, "token.p.actions" + list},
		{`"actions": null`, "token.p.actions" + list},
		{`"accounts": ["prod", "sandbox", "210987654321", "", "Prod", "012345678901"]`,
			"token.p.accounts[1]" + account + "; token.p.accounts[2]" + account + "; token.p.accounts[3]" + account + "; token.p.accounts[4]" + account},
		{`"accounts": ["*"]`, "token.p.accounts[0]" + account},
		{`"accounts": ["prod", "prod"]`, "token.p.accounts[1] is in the list already"},
		{`"groups": ["g", "", "Team-*", "a/b", "team-?", "[a-z]", "a\\*", "größe", "a b", null, "g"]`,
			"token.p.groups[1]" + group + "; token.p.groups[2]" + group + "; token.p.groups[3]" + group + "; token.p.groups[4]" + group + "; token.p.groups[5]" + group +
				"; token.p.groups[6]" + group + "; token.p.groups[7]" + group + "; token.p.groups[8]" + group +
				"; token.p.groups[9]" + group + "; token.p.groups[9] is in the list already; token.p.groups[10] is in the list already"},
		{`"groups": ["` + strings.Repeat("g", 257) + `"]`, "token.p.groups[0]" + group},
		{`"actions": ["CreateCredentials", "createCredentials", "Ping", "*", "ShowImage"]`,
			"token.p.actions[1]" + action + "; token.p.actions[2]" + action + "; token.p.actions[3]" + action},
		{`"actions": ["ShowImage", "ShowImage"]`, "token.p.actions[1] is in the list already"},
		{`"notAfter": ""`, notAfter},
		{`"notAfter": null`, notAfter},
		{`"notAfter": "2027-01-01"`, notAfter},
		{`"notAfter": "2027-01-01T00:00:00"`, notAfter},
		{`"notAfter": "2027-13-01T00:00:00Z"`, notAfter},
		{`"notAfter": 1798761600`, notAfter},
		{`"notAfter": "0001-01-01T00:00:00Z"`, notAfter},
	} {
		changes := keys{"token": json.RawMessage(`{"p": {"key": "` + marked + `", ` + test.limits + `}}`), "accounts": given}
		wantBad(t, changes, test.want)
	}
	for token, want := range map[string]string{
		`{"p": {}}`:                 "token.p.key is missing",
		`{"p": {"key": ""}}`:        "token.p.key is missing",
		`{"p": {"key": null}}`:      "token.p.key is missing",
		`{"p": {"key": 5}}`:         "token.p.key must be a string",
		`{"p": {"key": {}}}`:        "token.p.key must be a string",
		`{"p": ["` + marked + `"]}`: "token.p must be a string, or an object with the key and its limits",
		`{"p": {"key": "` + strings.Repeat("x", 73) + `"}}`: "token.p.key is over 72 bytes: bcrypt ignores the rest",
		`{"p": {"key": "a\u0000"}}`:                         "token.p.key holds a NUL byte, which bcrypt cannot compare",
		`{"a b": {"key": "x"}}`:                             "token has a key with a bad name (1 to 64 letters, digits and . _ -)",
		`{"a b": {"key": 5}, "a b": "y"}`: "token has a key with a bad name (1 to 64 letters, digits and . _ -); " +
			"token has a key with a bad name (1 to 64 letters, digits and . _ -)",
		`{"p": {"key": "x"}, "p": "y"}`:                   "token.p is given twice",
		`{"p": {"key": "x", "accounts": ["prod"]}}`:       "token.p.accounts[0]" + id,
		`{"default": {"key": "x", "accounts": ["1234"]}}`: "token.default.accounts[0]" + id,
		`{"a": "x", "p": {"key": "x"}}`:                   "token.p.key is the same as token.a: a token would be of both, and their limits may differ",
		`{"a": {"key": "x"}, "b": "y", "c": "x"}`:         "token.c is the same as token.a.key: a token would be of both, and their limits may differ",
	} {
		wantBad(t, keys{"token": json.RawMessage(token)}, want)
	}
	wantBad(t, keys{"token": json.RawMessage(`{"p": {"key": "x", "accounts": ["prod"]}}`), "accounts": []string{"x"}}, "accounts must be an object of strings")
}

// wantBad checks the message about a configuration with these changes, and that
// it holds no secret.
func wantBad(t *testing.T, changes keys, want string) {
	t.Helper()
	_, err := ParseConfig(document(t, changes), knownOperations)
	if diff := cmp.Diff("bad configuration: "+want, messageWithoutPositions(err)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", changes["token"], diff)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), marked) {
		t.Errorf("the secret is in %v", err)
	}
}

// Two plain keys may be the same: both are good for everything.
func TestSameKeyTwice(t *testing.T) {
	t.Parallel()
	if _, err := ParseConfig(document(t, keys{"token": json.RawMessage(`{"a": "x", "b": "x"}`)}), nil); err != nil {
		t.Error(err)
	}
}

func TestPositionsOfBadLimits(t *testing.T) {
	t.Parallel()
	const text = `{
	"account": {"region": "us-east-1", "role": "ecr-api"}, "org": "o",
	"token": {
		"platform": "x",
		"pipeline": {
			"key": "y", "groups": [ "g",
				"Team"],
			"actions": ["ShowImage","PushImage" ], "access": "all", "more": [1]
		}
	}
}`
	_, err := ParseConfig([]byte(text), knownOperations)
	want := `bad configuration: ` +
		`token.pipeline.access (line 8, column 43) must be read or write; ` +
		`token.pipeline.more (line 8, column 60) is not a known key; ` +
		`token.pipeline.groups[1] (line 7, column 5) is neither a group nor a pattern of groups (lower-case letters, digits and . _ - *); ` +
		`token.pipeline.actions[1] (line 8, column 28) is not the name of an operation that needs a token; docs/configuration.md has them`
	if diff := cmp.Diff(want, message(err)); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		limits Limits
		now    time.Time
		want   bool
	}{
		{Limits{}, end, false},
		{Limits{NotAfter: end}, end.Add(-1), false},
		{Limits{NotAfter: end}, end, true},
		{Limits{NotAfter: end}, end.Add(time.Hour), true},
	} {
		if got := test.limits.Expired(test.now); got != test.want {
			t.Errorf("%v at %v: %v", test.limits.NotAfter, test.now, got)
		}
	}
}

func TestPrintToken(t *testing.T) {
	t.Parallel()
	three := Keys{
		{Name: "platform", Secret: "1"},
		{Name: "auditor", Secret: "2", Limits: &Limits{Access: "read", NotAfter: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{Name: "pipeline", Secret: "3", Limits: &Limits{NotAfter: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}},
	}
	for _, test := range []struct {
		name, secret, warning, err string
	}{
		{"-", "1", "", ""},
		{"", "", "", `token in the configuration has no key "": it has platform, auditor, pipeline`}, // of an unset variable
		{"platform", "1", "", ""},
		{"auditor", "2", "", ""},
		{"pipeline", "3", "warning: the key pipeline was good until 2020-01-01T00:00:00Z: the service refuses this token\n", ""},
		{"Pipeline", "", "", `token in the configuration has no key "Pipeline": it has platform, auditor, pipeline`},
	} {
		var out, warnings bytes.Buffer
		name := []string{test.name}
		if test.name == "-" {
			name = nil
		}
		err := three.PrintToken(&out, &warnings, name...)
		if message(err) != test.err || warnings.String() != test.warning {
			t.Errorf("%q: error %v, warnings %q", test.name, err, &warnings)
		}
		token := strings.TrimSuffix(out.String(), "\n")
		if test.err == "" && bcrypt.CompareHashAndPassword([]byte(token), []byte(test.secret)) != nil || test.err != "" && token != "" {
			t.Errorf("%q: %q", test.name, token)
		}
	}
}

// The page shows the keys of the example once more, where it explains them.
func TestPageShowsTheKeysOfTheExample(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../config/config.example.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`(?s)    "token": \{.*?\n    \}`).FindString(string(example))
	shown := "```json\n" + strings.TrimPrefix(strings.ReplaceAll(keys, "\n    ", "\n"), "    ") + "\n```\n"
	if keys == "" || !strings.Contains(string(page), shown) {
		t.Errorf("docs/configuration.md does not show\n%s", shown)
	}
}
