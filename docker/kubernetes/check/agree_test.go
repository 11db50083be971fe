package check

import (
	stdjson "encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// service has the facts about the program and its image with which the objects
// must agree.
type service struct {
	drain time.Duration // how long requests under way may take at the end
	user  string        // the user of the image

	// With these, a test of the program measures its memory.
	goMemLimit   string
	containerMiB int64
}

func readService(t *testing.T) service {
	t.Helper()
	var program strings.Builder
	files, err := filepath.Glob(root + "/common/server/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		program.WriteString(read(t, file))
	}
	drain, err := strconv.Atoi(find(t, program.String(), `drainTime\s*= (\d+) \* time\.Second`))
	if err != nil {
		t.Fatal(err)
	}
	measured := read(t, root+"/test/program/memory_test.go")
	container, err := strconv.ParseInt(find(t, measured, `containerMiB += (\d+)`), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return service{
		drain: time.Duration(drain) * time.Second,
		user:  find(t, read(t, root+"/Dockerfile"), `(?m)^USER (\d+:\d+)$`),

		goMemLimit:   find(t, measured, `goMemLimit += "(\w+)"`),
		containerMiB: container,
	}
}

// settings are the keys of API_CONFIG with which the objects must agree.
type settings struct {
	ListenAddress string
	ShutdownDelay string
}

func (s settings) port() int32 {
	_, port, _ := net.SplitHostPort(s.ListenAddress)
	n, _ := strconv.Atoi(port)
	return int32(n)
}

// stopTime returns how long the program may take to end after SIGTERM.
func (s settings) stopTime(drain time.Duration) (time.Duration, error) {
	delay, err := time.ParseDuration(s.ShutdownDelay)
	if err == nil && delay == 0 {
		err = errors.New("shutdownDelay is missing: load balancers would still send requests to a closed port")
	}
	return delay + drain, err
}

// settings returns the settings in the Secret.
func (o *objects) settings() settings {
	var s settings
	for _, document := range o.secret.Data {
		if stdjson.Unmarshal(document, &s) != nil {
			return settings{}
		}
	}
	return s
}
