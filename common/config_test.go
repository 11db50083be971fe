package common

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// minimal has the keys that a configuration needs. No value is a default.
const minimal = `{
	"listenAddress": ":8081",
	"account": {"region": "us-west-2", "akid": "AKID", "secret": "hush", "externalId": "outside", "role": "manager"},
	"token": "shared",
	"logLevel": "debug",
	"org": "spinners"
}`

func minimalConfig() *Config {
	return &Config{
		ListenAddress: ":8081",
		Account:       Account{Region: "us-west-2", AKID: "AKID", Secret: "hush", ExternalID: "outside", Role: "manager"},
		Token:         Keys{{Name: "default", Secret: "shared"}},
		MaxTokenCost:  12,
		LogLevel:      "debug",
		Org:           "spinners",

		RequestTimeout: 25 * time.Second, MaxInFlight: 512, MaxInFlightPerAccount: 128,
	}
}

// keys are changes to minimal, by path, such as "account.role".
type keys map[string]any

// absent is the value that removes a key.
type absent struct{}

// document returns minimal with these changes.
func document(t *testing.T, changes keys) []byte {
	t.Helper()
	var top map[string]any
	if err := json.Unmarshal([]byte(minimal), &top); err != nil {
		t.Fatal(err)
	}
	for path, value := range changes {
		object, key := top, path
		if inner, ok := strings.CutPrefix(path, "account."); ok {
			object, key = top["account"].(map[string]any), inner
		}
		object[key] = value
		if value == (any)(absent{}) {
			delete(object, key)
		}
	}
	text, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func manyKeys(n int) map[string]string {
	keys := map[string]string{}
	for i := range n {
		keys[fmt.Sprint("key", i)] = "secret"
	}
	return keys
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// positions matches the positions in messages. Only tests about them look at
// them.
var positions = regexp.MustCompile(` \(line [0-9]+, column [0-9]+\)`)

func messageWithoutPositions(err error) string {
	return positions.ReplaceAllString(message(err), "")
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document []byte
		want     func(*Config)
	}{
		"minimal":       {[]byte(minimal), func(*Config) {}},
		"default level": {document(t, keys{"logLevel": absent{}}), func(c *Config) { c.LogLevel = "info" }},
		"default listen address": {document(t, keys{"listenAddress": absent{}}),
			func(c *Config) { c.ListenAddress = ":8080" }},
		"null is absent": {document(t, keys{"listenAddress": nil, "logLevel": nil, "accounts": nil, "account.endpoint": nil}),
			func(c *Config) { c.ListenAddress, c.LogLevel = ":8080", "info" }},
		"credentials from the SDK": {document(t, keys{"account.akid": absent{}, "account.secret": absent{}}),
			func(c *Config) { c.Account.AKID, c.Account.Secret = "", "" }},
		"empty akid and secret": {document(t, keys{"account.akid": "", "account.secret": ""}),
			func(c *Config) { c.Account.AKID, c.Account.Secret = "", "" }},
		"no external id": {document(t, keys{"account.externalId": absent{}}),
			func(c *Config) { c.Account.ExternalID = "" }},
		"endpoint": {document(t, keys{"account.endpoint": "https://aws.example:8443"}),
			func(c *Config) { c.Account.Endpoint = "https://aws.example:8443" }},
		"endpoint with a slash": {document(t, keys{"account.endpoint": "https://aws.example/"}),
			func(c *Config) { c.Account.Endpoint = "https://aws.example/" }},
		"role with a path": {document(t, keys{"account.role": "spinup/ecr-api"}),
			func(c *Config) { c.Account.Role = "spinup/ecr-api" }},
		"region of another partition": {document(t, keys{"account.region": "us-gov-west-1"}),
			func(c *Config) { c.Account.Region = "us-gov-west-1" }},
		"accounts": {document(t, keys{"accounts": map[string]string{"prod.1": "012345678901", "210987654321": "210987654321"}}),
			func(c *Config) {
				c.Accounts = map[string]string{"prod.1": "012345678901", "210987654321": "210987654321"}
			}},
		"empty accounts": {document(t, keys{"accounts": map[string]string{}}),
			func(c *Config) { c.Accounts = map[string]string{} }},
		"longest token": {document(t, keys{"token": strings.Repeat("é", 36)}),
			func(c *Config) { c.Token[0].Secret = Secret(strings.Repeat("é", 36)) }},
		"named keys": {document(t, keys{"token": json.RawMessage(`{"z": "1", "a": "2"}`)}),
			func(c *Config) { c.Token = Keys{{Name: "z", Secret: "1"}, {Name: "a", Secret: "2"}} }},
		"longest org": {document(t, keys{"org": strings.Repeat("o", 64)}),
			func(c *Config) { c.Org = strings.Repeat("o", 64) }},
		"org with every character": {document(t, keys{"org": "aZ0 +-=._:/@"}),
			func(c *Config) { c.Org = "aZ0 +-=._:/@" }},
		"org of one character": {document(t, keys{"org": "o"}), func(c *Config) { c.Org = "o" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := minimalConfig()
			test.want(want)
			got, err := ParseConfig(test.document, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestShippedConfigs(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../config/config.example.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		document []byte
		want     Config
	}{
		{"config.example.json", example, Config{
			ListenAddress: ":8080", MaxTokenCost: 12,
			Account: Account{
				Region: "us-east-1", AKID: "AKIAIOSFODNN7EXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
				ExternalID: "a-long-random-string-of-your-own", Role: "ecr-api",
			},
			Token: Keys{
				{Name: "platform", Secret: "a-long-random-string"},
				{Name: "auditor", Secret: "another-long-random-string", Limits: &Limits{Access: "read"}},
				{Name: "pipeline", Secret: "a-third-long-random-string", Limits: &Limits{
					Accounts: []string{"production"}, Groups: []string{"spindev-00001"}, Actions: []string{"CreateCredentials"},
					NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
				}},
			},
			LogLevel: "info", Org: "spindev",
			Accounts:       map[string]string{"production": "012345678901", "sandbox": "210987654321"},
			Users:          Users{Boundary: "ecr-api-users"},
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			RequestTimeout: 25 * time.Second, ShutdownDelay: 5 * time.Second, MaxInFlight: 512, MaxInFlightPerAccount: 128,
		}},
		{"config.local.json", config.Local, Config{
			ListenAddress: "127.0.0.1:8080",
			Account: Account{
				Region: "us-east-1", AKID: "local", Secret: "local", ExternalID: "local", Role: "ecr-api",
				Endpoint: "http://127.0.0.1:4566",
			},
			Token: Keys{{Name: "default", Secret: "local"}}, MaxTokenCost: 12, LogLevel: "info", Org: "spindev",
			Users:          Users{Boundary: "ecr-api-users"},
			RequestTimeout: 25 * time.Second, MaxInFlight: 512, MaxInFlightPerAccount: 128,
		}},
	} {
		got, err := ParseConfig(test.document, knownOperations)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if diff := cmp.Diff(&test.want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// The example must have every key, because users look there.
func TestExampleHasEveryKey(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../config/config.example.json")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Account, Users map[string]any }
	var top map[string]any
	if err := errors.Join(json.Unmarshal(example, &got), json.Unmarshal(example, &top)); err != nil {
		t.Fatal(err)
	}
	if keys, fields := len(top), reflect.TypeFor[Config]().NumField(); keys != fields {
		t.Errorf("%d keys for %d fields", keys, fields)
	}
	if keys, fields := len(got.Account), reflect.TypeFor[Account]().NumField(); keys != fields {
		t.Errorf("%d keys for %d fields of the account", keys, fields)
	}
	if keys, fields := len(got.Users), reflect.TypeFor[Users]().NumField(); keys != fields {
		t.Errorf("%d keys for %d fields of users", keys, fields)
	}
}

// The test compares the whole message, so it also finds a key too many.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	const (
		badOrg        = "cannot be the value of a tag (letters, digits, inner spaces and + - = . _ : / @)"
		badRole       = "account.role is not a role name (letters, digits and + = , . @ _ - /)"
		badExternalID = "account.externalId is not an external id (2 to 1224 letters, digits and + = , . @ : / _ -)"
		badURL        = `account.endpoint must be like "http://127.0.0.1:4566", without a path, a query or a user`
		badRegion     = `account.region must be like "us-east-1"`
		badListen     = `listenAddress must be like ":8080" or "127.0.0.1:8080"`
		badLevel      = "logLevel must be one of panic, fatal, error, warn, info, debug, trace"
		bothKeys      = "account.akid goes with account.secret: give both or neither"
		longKey       = "token is over 72 bytes: bcrypt ignores the rest"
		tokenKind     = "token must be a string, or an object with a key for each name"
		proxyKind     = `trustedProxies must be an array of networks such as "10.0.0.0/8"`
		badPprof      = `pprofAddress must be on loopback, like "127.0.0.1:6060"`
		nulKey        = "token holds a NUL byte, which bcrypt cannot compare"
	)
	for _, test := range []struct {
		changes keys
		want    string
	}{
		{keys{"listenAddress": "8080"}, badListen},
		{keys{"listenAddress": ""}, badListen},
		{keys{"listenAddress": 8080}, "listenAddress must be a string"},
		{keys{"logLevel": "loud"}, badLevel},
		{keys{"logLevel": ""}, badLevel},
		{keys{"logLevel": true}, "logLevel must be a string"},

		{keys{"token": absent{}}, "token is missing"},
		{keys{"token": ""}, "token is missing"},
		{keys{"token": nil}, "token is missing"},
		{keys{"token": strings.Repeat("t", 73)}, longKey},
		{keys{"token": strings.Repeat("é", 36) + "t"}, longKey},
		{keys{"token": "a\x00b"}, nulKey},
		{keys{"token": strings.Repeat("t", 72) + "\x00"}, longKey + "; " + nulKey},
		{keys{"token": []string{"shared"}}, tokenKind},
		{keys{"token": 5}, tokenKind},
		{keys{"token": map[string]any{"new": 5}}, "token.new must be a string, or an object with the key and its limits"},
		{keys{"token": json.RawMessage(`{"new": "a", "new": "b"}`)}, "token.new is given twice"},
		{keys{"token": map[string]any{}}, "token is missing"},
		{keys{"token": map[string]any{"new": "a", "old": ""}}, "token.old is missing"},
		{keys{"token": map[string]any{"a b": "a"}}, "token has a key with a bad name (1 to 64 letters, digits and . _ -)"},
		{keys{"token": map[string]any{"new": strings.Repeat("t", 73), "old": "a\x00"}}, "token.new" + strings.TrimPrefix(longKey, "token") + "; token.old" + strings.TrimPrefix(nulKey, "token")},
		{keys{"token": manyKeys(9)}, "token has more than 8 keys: a wrong token is compared with each of them"},

		{keys{"maxTokenCost": 3}, "maxTokenCost must be 4 to 16"},
		{keys{"maxTokenCost": 17}, "maxTokenCost must be 4 to 16"},
		{keys{"maxTokenCost": "12"}, "maxTokenCost must be a whole number"},
		{keys{"maxTokenCost": 12.5}, "maxTokenCost must be a whole number"},
		{keys{"requestTimeout": "999ms"}, "requestTimeout must be 1s to 29s"},
		{keys{"requestTimeout": "29.1s"}, "requestTimeout must be 1s to 29s"},
		{keys{"requestTimeout": ""}, `requestTimeout must be a duration such as "25s"`},
		{keys{"requestTimeout": 25}, `requestTimeout must be a duration such as "25s"`},
		{keys{"shutdownDelay": "-1s"}, "shutdownDelay must be 0s to 5m0s"},
		{keys{"shutdownDelay": "6m"}, "shutdownDelay must be 0s to 5m0s"},
		{keys{"shutdownDelay": "5"}, `shutdownDelay must be a duration such as "25s"`},
		{keys{"maxInFlight": 0}, "maxInFlight must be at least 1"},
		{keys{"maxInFlight": "512"}, "maxInFlight must be a whole number"},
		{keys{"maxConnections": -1}, "maxConnections must be at least 1, or 0 for as many as the process's files allow"},
		{keys{"maxInFlightPerAccount": -1}, "maxInFlightPerAccount must be at least 1"},

		{keys{"pprofAddress": ":6060"}, badPprof},
		{keys{"pprofAddress": "0.0.0.0:6060"}, badPprof},
		{keys{"pprofAddress": "192.0.2.1:6060"}, badPprof},
		{keys{"pprofAddress": "localhost"}, badPprof},
		{keys{"pprofAddress": "localhost.example.com:6060"}, badPprof},
		{keys{"pprofAddress": 6060}, "pprofAddress must be a string"},
		{keys{"trustedProxies": "10.0.0.0/8"}, proxyKind},
		{keys{"trustedProxies": []string{"10.0.0.1"}}, proxyKind},
		{keys{"tlsCertificate": "cert.pem"}, "tlsCertificate goes with tlsKey: give both or neither"},
		{keys{"tlsKey": "key.pem"}, "tlsCertificate goes with tlsKey: give both or neither"},
		{keys{"tlsKey": 1}, "tlsKey must be a string"},

		{keys{"org": absent{}}, "org is missing"},
		{keys{"org": ""}, "org is missing"},
		{keys{"org": strings.Repeat("o", 65)}, "org is over 64 characters"},
		{keys{"org": "a*"}, "org " + badOrg},
		{keys{"org": "a\n"}, "org " + badOrg},
		{keys{"org": " a"}, "org " + badOrg},
		{keys{"org": "a "}, "org " + badOrg},
		{keys{"org": "größe"}, "org " + badOrg},
		{keys{"org": "${aws:PrincipalTag/x}"}, "org " + badOrg},
		{keys{"org": "aws:me"}, "org " + badOrg},
		{keys{"org": 1}, "org must be a string"},

		{keys{"account.region": absent{}}, "account.region is missing"},
		{keys{"account.region": "us east"}, badRegion},
		{keys{"account.region": "us-east-1.evil.example"}, badRegion},
		{keys{"account.region": "US-EAST-1"}, badRegion},
		{keys{"account.role": absent{}}, "account.role is missing"},
		{keys{"account.role": "no role"}, badRole},
		{keys{"account.role": "r*"}, badRole},
		{keys{"account.role": "a//b"}, badRole},
		{keys{"account.role": "a/"}, badRole},
		{keys{"account.role": "/"}, badRole},
		{keys{"account.role": strings.Repeat("r", 65)}, badRole},
		{keys{"account.role": strings.Repeat("r", 513)}, badRole},
		{keys{"account.externalId": "x"}, badExternalID},
		{keys{"account.externalId": "x y"}, badExternalID},
		{keys{"account.externalId": strings.Repeat("x", 1225)}, badExternalID},
		{keys{"account.akid": absent{}}, bothKeys},
		{keys{"account.secret": absent{}}, bothKeys},
		{keys{"account.endpoint": "127.0.0.1:4566"}, badURL},
		{keys{"account.endpoint": "ftp://aws.example"}, badURL},
		{keys{"account.endpoint": "http://"}, badURL},
		{keys{"account.endpoint": "http://%zz"}, badURL},
		{keys{"account.endpoint": "https://aws.example/x"}, badURL},
		{keys{"account.endpoint": "https://aws.example//"}, badURL},
		{keys{"account.endpoint": "https://aws.example?x=y"}, badURL},
		{keys{"account.endpoint": "https://aws.example/#x"}, badURL},
		{keys{"account.endpoint": "https://me:hush@aws.example"}, badURL},

		{keys{"account.region": 1}, "account.region must be a string"},
		{keys{"account.externalId": 1}, "account.externalId must be a string"},
		{keys{"account.endpoint": false}, "account.endpoint must be a string"},
		{keys{"account": absent{}}, "account.region is missing; account.role is missing"},
		{keys{"account": nil}, "account must be an object"},
		{keys{"account": "012345678901"}, "account must be an object"},
		{keys{"account": []string{}}, "account must be an object"},

		{keys{"accounts": map[string]string{"prod": "1234"}}, "accounts.prod must be twelve digits"},
		{keys{"accounts": map[string]any{"prod": nil}}, "accounts.prod must be twelve digits"},
		{keys{"accounts": map[string]string{"a/b": "012345678901"}}, "accounts.a/b is not an alias (1 to 64 letters, digits and . _ -)"},
		{keys{"accounts": map[string]string{"": "012345678901"}}, "accounts. is not an alias (1 to 64 letters, digits and . _ -)"},
		{keys{"accounts": map[string]string{strings.Repeat("a", 65): "012345678901"}},
			"accounts." + strings.Repeat("a", 65) + " is not an alias (1 to 64 letters, digits and . _ -)"},
		{keys{"accounts": map[string]string{"012345678901": "210987654321"}}, "accounts.012345678901 is an account id, and cannot be the alias of another account"},
		{keys{"accounts": []string{"012345678901"}}, "accounts must be an object of strings"},
		{keys{"accounts": map[string]string{"b": "2", "a": "1"}}, "accounts.a must be twelve digits; accounts.b must be twelve digits"},

		{keys{"Org": "spinners"}, "Org is not a known key"},
		{keys{"tokens": "x", "comment": "y"}, "comment is not a known key; tokens is not a known key"},
		{keys{"account.Role": "x"}, "account.Role is not a known key"},
		{keys{"account.token": "x"}, "account.token is not a known key"},

		{keys{
			"listenAddress": "nowhere", "logLevel": "loud", "token": "a\x00", "org": absent{}, "more": 1,
			"accounts": map[string]string{"prod": "1"}, "account.region": 5, "account.role": "", "account.externalId": "?",
			"account.akid": absent{}, "account.endpoint": "here", "account.more": 1,
		}, "more is not a known key; account.more is not a known key; account.region must be a string; " + badListen + "; " +
			"account.role is missing; " + badExternalID + "; " + bothKeys + "; " + badURL + "; " + nulKey + "; " + badLevel + "; " +
			"org is missing; accounts.prod must be twelve digits"},
		{keys{"listenAddress": absent{}, "account": absent{}, "token": absent{}, "logLevel": absent{}, "org": absent{}},
			"account.region is missing; account.role is missing; token is missing; org is missing"},
	} {
		_, err := ParseConfig(document(t, test.changes), nil)
		if diff := cmp.Diff("bad configuration: "+test.want, messageWithoutPositions(err)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.changes, diff)
		}
	}
}

// encoding/json would use the last value without an error.
func TestKeysGivenTwice(t *testing.T) {
	t.Parallel()
	for old, test := range map[string]struct{ twice, want string }{
		`"org":`:     {`"org": "another", "org":`, "org is given twice"},
		`"region":`:  {`"region": "us-east-1", "region":`, "account.region is given twice"},
		`"account":`: {`"account": {"region": "us-east-1", "role": "another"}, "account":`, "account is given twice"},
		`"org"`: {`"accounts": {"prod": "012345678901", "b": "210987654321", "pr\u006fd": "210987654321", "b": "x"}, "org"`,
			"accounts.b is given twice; accounts.prod is given twice"},
	} {
		_, err := ParseConfig([]byte(strings.Replace(minimal, old, test.twice, 1)), nil)
		if diff := cmp.Diff("bad configuration: "+test.want, messageWithoutPositions(err)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", old, diff)
		}
	}
}

// A key of the wrong type also counts as empty. The message must not say that
// as well.
func TestWrongTypeIsTheOnlyReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		changes keys
		want    string
	}{
		{keys{"account.secret": 5}, "account.secret must be a string"},
		{keys{"account.akid": 5}, "account.akid must be a string"},
		{keys{"account.akid": absent{}, "account.secret": 5}, "account.secret must be a string"},
		{keys{"accounts": map[string]any{"prod": 5, "test": "012345678901"}}, "accounts must be an object of strings"},
	} {
		_, err := ParseConfig(document(t, test.changes), nil)
		if diff := cmp.Diff("bad configuration: "+test.want, messageWithoutPositions(err)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.changes, diff)
		}
	}
}

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	good, bad, none := write("good.json", minimal), write("bad.json", `{"org": "x"}`), filepath.Join(dir, "none.json")
	inBase64 := base64.StdEncoding.EncodeToString([]byte(minimal))
	const missing = "bad configuration: account.region is missing; account.role is missing; token is missing"
	for name, test := range map[string]struct {
		file, env string
		want      string // the error
	}{
		"file":                            {good, "", ""},
		"bad file":                        {bad, "", bad + ": " + missing},
		"no file":                         {none, "", "reading the configuration (see -config, or set API_CONFIG): open " + none + ": no such file or directory"},
		"JSON, no file":                   {none, minimal, ""},
		"JSON instead of the file":        {bad, minimal, ""},
		"bad JSON instead of a good file": {good, `{"org": "x"}`, "API_CONFIG: " + missing},
		"JSON between spaces":             {none, "\n  " + minimal + "\n", ""},
		"base64":                          {none, inBase64, ""},
		"base64 in lines":                 {none, inBase64[:76] + "\n" + inBase64[76:152] + "\r\n" + inBase64[152:] + "\n", ""},
		"base64 instead of the file":      {bad, inBase64, ""},
		"base64 of a bad document":        {good, base64.StdEncoding.EncodeToString([]byte(`{"org": "x"}`)), "API_CONFIG: " + missing},
		"base64 of another text":          {good, base64.StdEncoding.EncodeToString([]byte("hello")), "API_CONFIG: not a JSON object (broken at line 1, column 1)"},
		"broken JSON":                     {good, minimal[:40], "API_CONFIG: not a JSON object (it ends too early, at line 3, column 12)"},
		"neither JSON nor base64":         {good, "hush?", "API_CONFIG is neither a JSON object nor one in base64"},
		"base64 without its end":          {good, inBase64[:len(inBase64)-1], "API_CONFIG is neither a JSON object nor one in base64"},
		"only spaces":                     {good, " \n", "API_CONFIG: not a JSON object (it ends too early, at line 1, column 1)"},
		"JSON that is not an object":      {good, "[]", "API_CONFIG is neither a JSON object nor one in base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := LoadConfig(test.file, test.env, nil)
			if diff := cmp.Diff(test.want, message(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			want := minimalConfig()
			if test.want != "" {
				want = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAccountID(t *testing.T) {
	t.Parallel()
	given := map[string]string{"prod": "012345678901", "test-1": "210987654321"}
	for _, test := range []struct {
		accounts map[string]string
		name     string
		id       string
		ok       bool
	}{
		{given, "prod", "012345678901", true},
		{given, "test-1", "210987654321", true},
		{given, "210987654321", "210987654321", true},
		{given, "111111111111", "", false},
		{given, "Prod", "", false},
		{given, "", "", false},
		{map[string]string{}, "012345678901", "", false},
		{map[string]string{}, "prod", "", false},
		{nil, "012345678901", "012345678901", true},
		{nil, "111111111111", "111111111111", true},
	} {
		id, ok := (&Config{Accounts: test.accounts}).AccountID(test.name)
		if id != test.id || ok != test.ok {
			t.Errorf("%q of %v: %q, %v, want %q, %v", test.name, test.accounts, id, ok, test.id, test.ok)
		}
	}
	for _, name := range []string{"", "prod", "01234567890", "0123456789012", "01234567890a", "012345678901\n", "٠١٢٣٤٥٦٧٨٩٠١"} {
		if _, ok := (&Config{}).AccountID(name); ok {
			t.Errorf("%q counts as an account", name)
		}
	}
}

// marked is part of both secrets in the tests that search for secrets.
const marked = "S3CR3T"

func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	good := string(document(t, keys{"token": marked, "account.secret": marked}))
	for name, text := range map[string]string{
		"wrong keys":            string(document(t, keys{"token": marked, "account.secret": marked, "org": "", "more": marked})),
		"long":                  string(document(t, keys{"token": strings.Repeat(marked, 13)})),
		"NUL":                   string(document(t, keys{"token": marked + "\x00"})),
		"array":                 string(document(t, keys{"token": []string{marked}, "account.secret": []string{marked}})),
		"no akid":               string(document(t, keys{"token": marked, "account.secret": marked, "account.akid": absent{}})),
		"account is text":       string(document(t, keys{"account": marked})),
		"broken at the end":     good[:len(good)-1],
		"broken in a secret":    good[:strings.Index(good, marked)+len(marked)],
		"broken after a secret": strings.Replace(good, marked+`"`, marked, 1),
		"secret after the end":  good + marked,
		"only a secret":         marked,
		"only a quoted secret":  `"` + marked + `"`,
	} {
		_, parse := ParseConfig([]byte(text), nil)
		_, env := LoadConfig("", text, nil)
		_, inBase64 := LoadConfig("", base64.StdEncoding.EncodeToString([]byte(text)), nil)
		for _, err := range []error{parse, env, inBase64} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), marked) {
				t.Errorf("%s: the secret is in %v", name, err)
			}
		}
	}
}

func TestConfigPrintsNoSecret(t *testing.T) {
	t.Parallel()
	c, err := ParseConfig(document(t, keys{"token": marked, "account.secret": marked}), nil)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&logged)
	for _, formatter := range []logrus.Formatter{&logrus.TextFormatter{}, &logrus.JSONFormatter{}} {
		logger.SetFormatter(formatter)
		entry := logger.WithFields(logrus.Fields{"config": c, "value": *c, "account": c.Account, "token": c.Token, "secret": &c.Token})
		entry.Infof("%v", c)
		entry.Info(c, *c, c.Account, c.Token)
	}
	encoded, err := json.Marshal(map[string]any{"config": c, "account": c.Account, "list": []Secret{c.Token[0].Secret}})
	if err != nil {
		t.Fatal(err)
	}
	prints := map[string]string{"logrus": logged.String(), "JSON": string(encoded), "error": fmt.Errorf("bad: %w", fmt.Errorf("%v", c)).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for name, value := range map[string]any{
			"pointer": c, "value": *c, "account": c.Account, "token": c.Token, "address": &c.Token,
			"list": []any{*c, c.Token}, "map": map[string]any{"c": *c}, "key": map[Secret]bool{c.Token[0].Secret: true},
		} {
			prints[verb+" "+name] = fmt.Sprintf(verb, value)
		}
	}
	inHex := fmt.Sprintf("%x", marked)
	for name, text := range prints {
		if strings.Contains(text, marked) || strings.Contains(text, inHex) {
			t.Errorf("%s: %s", name, text)
		}
	}
	account, err := json.Marshal(c.Account)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"Region":"us-west-2","AKID":"AKID","Secret":"[redacted]","ExternalID":"outside","Role":"manager","Endpoint":""}`, string(account)); diff != "" {
		t.Errorf("account as JSON (-want +got):\n%s", diff)
	}
	secret := c.Token[0].Secret
	if got := fmt.Sprintf("%v %s %#v", secret, secret, secret); got != "[redacted] [redacted] [redacted]" {
		t.Errorf("a secret prints as %s", got)
	}
}
