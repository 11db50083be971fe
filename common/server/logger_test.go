package server

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

func TestLogger(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"debug": "debug info warning ", "info": "info warning ", "warn": "warning ", "error": ""} {
		var out bytes.Buffer
		logger := newLogger(level, &out)
		logger.Debug("a")
		logger.Info("b")
		logger.Warn("c")
		var got string
		for line := range strings.Lines(out.String()) {
			var entry struct{ Level, Time string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			got += entry.Level + " "
			if _, err := time.Parse(time.RFC3339Nano, entry.Time); err != nil {
				t.Error(err)
			}
		}
		if got != want {
			t.Errorf("the level %s logs %q, want %q", level, got, want)
		}
	}
}

func TestLossLine(t *testing.T) {
	t.Parallel()
	lost := common.LostLines{Audit: 1, Other: 2}
	logger := newLogger("panic", &bytes.Buffer{}) // it is written at every level
	line := map[string]any{}
	if err := json.Unmarshal(lossLine(logger, lost), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	want := map[string]any{"level": "error", "msg": "3 log lines were lost: they could not be written", "lostAuditLines": 1.0, "lostOtherLines": 2.0}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestLoggerWritesTextOnTerminal(t *testing.T) {
	t.Parallel()
	terminal, err := os.Open(os.DevNull) // a character device too
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	logger := newLogger("info", terminal)
	var out bytes.Buffer
	logger.SetOutput(&out)
	var fields common.LogFields
	fields.Add("status", 200)
	fields.Add("awsCalls", []string{"a 1", "b 2"})
	fields.Entry(logger).WithTime(time.Date(2040, 12, 14, 15, 34, 18, 0, time.UTC)).WithField("path", "/").Info("request")
	const want = `time="2040-12-14T15:34:18Z" level=info msg=request awsCalls="[a 1 b 2]" path=/ status=200` + "\n"
	if got := out.String(); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
