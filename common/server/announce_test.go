package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

func TestAnnounce(t *testing.T) {
	t.Parallel()
	version := common.ReadVersion()
	listening := map[string]any{
		"level": "info", "msg": "listening", "url": "http://127.0.0.1:1", "version": version.Version, "githash": version.GitHash,
		"region": "us-east-1", "org": "spindev", "accounts": "any", "keys": 1.0,
	}
	two := map[string]any{"accounts": 2.0}
	for name, value := range listening {
		if name != "accounts" {
			two[name] = value
		}
	}
	warning := func(message string) map[string]any { return map[string]any{"level": "warning", "msg": message} }
	for name, test := range map[string]struct {
		accounts map[string]string
		warnings []string
		want     []map[string]any
	}{
		"any account":  {nil, nil, []map[string]any{listening}},
		"two accounts": {map[string]string{"a": "012345678901", "b": "210987654321"}, nil, []map[string]any{two}},
		"warnings":     {nil, []string{"one", "two"}, []map[string]any{listening, warning("one"), warning("two")}},
	} {
		var out bytes.Buffer
		config := newConfig()
		config.Accounts = test.accounts
		s := &server{Options: Options{Config: config, Warnings: func(*common.Config) []string { return test.warnings }}, log: newLogger("info", &out)}
		if err := s.announce("http://127.0.0.1:1"); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(test.want, linesOf(t, &out)); diff != "" {
			t.Errorf("%s: log (-want +got):\n%s", name, diff)
		}
	}
}

// linesOf returns the log lines without their times.
func linesOf(t *testing.T, log *bytes.Buffer) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["time"] == nil {
			t.Errorf("no time in %s", line)
		}
		delete(fields, "time")
		lines = append(lines, fields)
	}
	return lines
}

// It warns once if STS cannot be used, unless the service is stopping.
func TestAskSTS(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		want []map[string]any
	}{
		"good": {context.Background(), nil, nil},
		"bad": {context.Background(), errors.New("no credentials found"), []map[string]any{
			{"level": "warning", "msg": "STS cannot be used: requests that need AWS will fail", "error": "no credentials found"}}},
		"stopping": {ended, context.Canceled, nil},
	} {
		var out bytes.Buffer
		config := newConfig()
		s := &server{log: newLogger("info", &out), Options: Options{Config: config, AskSTS: func(_ context.Context, c *common.Config) error {
			if c != config {
				t.Error("another configuration")
			}
			return test.err
		}}}
		s.askSTS(test.ctx)
		if diff := cmp.Diff(test.want, linesOf(t, &out)); diff != "" {
			t.Errorf("%s: log (-want +got):\n%s", name, diff)
		}
	}
}

func TestEndLine(t *testing.T) {
	t.Parallel()
	got := linesOf(t, bytes.NewBuffer(endLine(errors.New("listen: no"))))
	if diff := cmp.Diff([]map[string]any{{"level": "fatal", "msg": "listen: no"}}, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
