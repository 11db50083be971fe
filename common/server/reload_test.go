package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/api"
	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

func newConfig() *common.Config {
	c := common.Defaults()
	c.Org = "spindev"
	c.Account = common.Account{Region: "us-east-1", AKID: "AKID", Secret: "hush", Role: "ecr-api"}
	c.Token = common.Keys{{Name: "default", Secret: "shared"}}
	return c
}

func TestReload(t *testing.T) {
	t.Parallel()
	twoKeys, anotherOrg, badLevel, expired := newConfig(), newConfig(), newConfig(), newConfig()
	twoKeys.Token = append(twoKeys.Token, common.Key{Name: "next", Secret: "new"})
	anotherOrg.Org = "spinprod"
	badLevel.LogLevel = "loud"
	expired.Org, expired.Token[0].Limits = "spinprod", &common.Limits{NotAfter: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	const past = "token.default.notAfter is past: every request with the key is refused since 2020-01-01T00:00:00Z"
	warnings := func(c *common.Config) (list []string) {
		return slices.DeleteFunc(c.Warnings(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)), func(w string) bool { return w != past }) // the other is about a short secret
	}
	returns := func(c *common.Config, err error) func() (*common.Config, error) {
		return func() (*common.Config, error) { return c, err }
	}
	for name, test := range map[string]struct {
		readConfig func() (*common.Config, error)
		want       map[string]any // the first log line, without its time
		warning    string         // the second one
	}{
		"broken": {returns(nil, errors.New("no such file")), map[string]any{
			"level": "error", "msg": "the configuration is broken: nothing changes", "error": "no such file"}, ""},
		"unusable": {returns(badLevel, nil), map[string]any{
			"level": "error", "msg": "the configuration cannot be used: nothing changes", "error": `not a valid logrus Level: "loud"`}, ""},
		"new key":     {returns(twoKeys, nil), map[string]any{"level": "info", "msg": "configuration read again", "keys": 2.0, "changed": []any{"token.next added"}}, ""},
		"nothing new": {returns(newConfig(), nil), map[string]any{"level": "info", "msg": "configuration read again", "keys": 1.0}, ""},
		"new org": {returns(anotherOrg, nil), map[string]any{
			"level": "warning", "msg": "configuration read again; some of it needs a restart", "keys": 1.0, "needRestart": []any{"org"}}, ""},
		"expired key": {returns(expired, nil), map[string]any{
			"level": "warning", "msg": "configuration read again; some of it needs a restart", "keys": 1.0, "changed": []any{"token.default.notAfter changed"}, "needRestart": []any{"org"}}, past},
	} {
		var out bytes.Buffer
		log := newLogger("info", &out)
		service, err := api.New(api.Options{Config: newConfig(), Log: log})
		if err != nil {
			t.Fatal(err)
		}
		s := &server{Options: Options{ReadConfig: test.readConfig, Warnings: warnings}, log: log, service: service}
		s.reload()
		want := []map[string]any{test.want}
		if test.warning != "" {
			want = append(want, map[string]any{"level": "warning", "msg": test.warning})
		}
		var got []map[string]any
		for decoder := json.NewDecoder(&out); decoder.More(); {
			var line map[string]any
			if err := decoder.Decode(&line); err != nil {
				t.Fatalf("%s: %v: %s", name, err, &out)
			}
			delete(line, "time")
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: log lines (-want +got):\n%s", name, diff)
		}
	}
}
