package server

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
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
