package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

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
	twoKeys, anotherOrg, badLevel := newConfig(), newConfig(), newConfig()
	twoKeys.Token = append(twoKeys.Token, common.Key{Name: "next", Secret: "new"})
	anotherOrg.Org = "spinprod"
	badLevel.LogLevel = "loud"
	returns := func(c *common.Config, err error) func() (*common.Config, error) {
		return func() (*common.Config, error) { return c, err }
	}
	for name, test := range map[string]struct {
		readConfig func() (*common.Config, error)
		want       map[string]any // the log line, without its time
	}{
		"broken": {returns(nil, errors.New("no such file")), map[string]any{
			"level": "error", "msg": "the configuration is broken: nothing changes", "error": "no such file"}},
		"unusable": {returns(badLevel, nil), map[string]any{
			"level": "error", "msg": "the configuration cannot be used: nothing changes", "error": `not a valid logrus Level: "loud"`}},
		"new key":     {returns(twoKeys, nil), map[string]any{"level": "info", "msg": "configuration read again", "keys": 2.0, "changed": []any{"token.next added"}}},
		"nothing new": {returns(newConfig(), nil), map[string]any{"level": "info", "msg": "configuration read again", "keys": 1.0}},
		"new org": {returns(anotherOrg, nil), map[string]any{
			"level": "warning", "msg": "configuration read again; some of it needs a restart", "keys": 1.0, "needRestart": []any{"org"}}},
	} {
		var out bytes.Buffer
		log := newLogger("info", &out)
		service, err := api.New(api.Options{Config: newConfig(), Log: log})
		if err != nil {
			t.Fatal(err)
		}
		s := &server{Options: Options{ReadConfig: test.readConfig}, log: log, service: service}
		s.reload()
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v: %s", name, err, &out)
		}
		delete(got, "time")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: log line (-want +got):\n%s", name, diff)
		}
	}
}
