package api

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

const traced = "0af7651916cd43dd8448eb211c80319c"

// lastLine returns the last line of the log.
func (w *world) lastLine(t *testing.T) map[string]any {
	t.Helper()
	lines := w.logged(t)
	if len(lines) == 0 {
		t.Fatal("nothing was logged")
	}
	return lines[len(lines)-1]
}

// some returns these members of a log line.
func some(line map[string]any, names ...string) map[string]any {
	members := map[string]any{}
	for _, name := range names {
		if value, ok := line[name]; ok {
			members[name] = value
		}
	}
	return members
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	trace := map[string]string{"Traceparent": "00-" + traced + "-b7ad6b7169203331-01", "User-Agent": "curl/8\t\u009b" + strings.Repeat("é", 45) + "\"" + strings.Repeat("x", 50)}
	for _, c := range []struct {
		exchange
		want map[string]any
	}{
		{exchange{method: "GET", path: base}, map[string]any{"bytes": 8.0, "userAgent": "Go-http-client/1.1"}},
		{exchange{method: "HEAD", path: base}, map[string]any{"bytes": 0.0, "userAgent": "Go-http-client/1.1"}},
		{exchange{method: "GET", path: base, header: trace},
			map[string]any{"bytes": 8.0, "traceId": traced, "userAgent": "curl/8??" + strings.Repeat("?", 45) + "\""}},
		{exchange{method: "GET", path: base + "/*"},
			map[string]any{"bytes": 186.0, "userAgent": "Go-http-client/1.1", "code": "bad-request"}},
	} {
		_, _, body := w.do(c.exchange)
		line := w.lastLine(t)
		if diff := cmp.Diff(c.want, some(line, "bytes", "traceId", "userAgent", "code")); diff != "" {
			t.Errorf("%s %s: line (-want +got):\n%s", c.method, c.path, diff)
		}
		if line["bytes"] != float64(len(body)) {
			t.Errorf("%s %s: bytes %v of a body of %d", c.method, c.path, line["bytes"], len(body))
		}
	}
}

// The line names the calls that had no answer too: they are why the answer is
// 504. An attempt without an answer is named also if another had one.
func TestCallsWithoutAnAnswerAreInTheLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 6 * time.Second })
	w.addRepository(account, "g/a", org)
	names := func() []string {
		var calls []string
		for _, call := range w.lastLine(t)["awsCalls"].([]any) {
			operation, id, _ := strings.Cut(call.(string), " ")
			if id != "-" {
				id = "ID"
			}
			calls = append(calls, operation+" "+id)
		}
		slices.Sort(calls)
		return calls
	}
	w.aws.Inject(localaws.Fault{Operation: "ecr:ListTagsForResource", Drop: true, Times: 1})
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: "-"})
	want := []string{"AssumeRole ID", "DescribeRepositories ID", "ListTagsForResource -", "ListTagsForResource ID"}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("calls of a request with a lost answer (-want +got):\n%s", diff)
	}
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Delay: time.Hour})
	w.run(exchange{method: "GET", path: base + "/g/a", status: 504, want: "-"})
	want = []string{"DescribeRepositories -", "ListTagsForResource ID"}
	if diff := cmp.Diff(want, names()); diff != "" {
		t.Errorf("calls of a 504 (-want +got):\n%s", diff)
	}
}

// Every line about a request has its trace. AWS does not get it.
func TestTraceIsInEveryLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.LogLevel = "debug" }, changeRows(func(rt *route) {
		if rt.Name == "ListImages" {
			rt.Endpoint = handledBy(func(context.Context, target, nothing) (string, error) { panic("oh") })
		}
	}))
	trace := map[string]string{"Traceparent": "00-" + traced + "-b7ad6b7169203331-01"}
	w.do(exchange{method: "GET", path: base, header: trace})
	w.do(exchange{method: "GET", path: base + "/g/a/images", header: trace})
	var got []string
	for _, line := range w.logged(t) {
		message, _, _ := strings.Cut(line["msg"].(string), "\n")
		got = append(got, fmt.Sprint(message, " ", line["traceId"]))
	}
	want := []string{"AWS call " + traced, "AWS call " + traced, "request " + traced, "panic: oh " + traced, "request " + traced}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestTraceparent(t *testing.T) {
	t.Parallel()
	const parent = "b7ad6b7169203331"
	for header, want := range map[string]string{
		"00-" + traced + "-" + parent + "-00": traced,
		"00-" + traced + "-" + parent + "-ff": traced,
		"cc-" + traced + "-" + parent + "-01": traced, // a later version

		"cc-" + traced + "-" + parent + "-01-what-the-future": traced,

		"":     "",
		traced: "",
		"00-" + traced + "-" + parent + "-01-more":                          "",
		"00-" + traced + "-" + parent + "-01-":                              "",
		"cc-" + traced + "-" + parent + "-01.more":                          "",
		"cc-" + traced + "-" + parent + "-011":                              "",
		"ff-" + traced + "-" + parent + "-01":                               "",
		"00-" + traced + "-" + parent + "-0":                                "",
		"00-" + traced + "-" + parent + "-0x":                               "",
		"00-" + traced + "-" + parent:                                       "",
		"0-" + traced + "-" + parent + "-01":                                "",
		"00-" + strings.ToUpper(traced) + "-" + parent + "-01":              "",
		"00-" + traced + "-" + strings.ToUpper(parent) + "-01":              "",
		"00-" + traced[1:] + "-" + parent + "-01":                           "",
		"00-" + traced + "-" + parent + "0-01":                              "",
		"00-" + strings.Repeat("0", 32) + "-" + parent + "-01":              "",
		"00-" + traced + "-" + strings.Repeat("0", 16) + "-01":              "",
		"00_" + traced + "_" + parent + "_01":                               "",
		"00-" + strings.Replace(traced, "a", "g", 1) + "-" + parent + "-01": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("traceparent", header)
		if got := traceOf(r); got != want {
			t.Errorf("%q: trace %q, want %q", header, got, want)
		}
		r.Header.Add("traceparent", "00-"+traced+"-"+parent+"-00")
		if got := traceOf(r); got != "" {
			t.Errorf("%q and another: trace %q", header, got)
		}
	}
}

// A probe that succeeds is logged at debug only. That a copy is stopping is no
// error.
func TestProbesInTheLog(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"info", "debug"} {
		w := newWorld(t, func(c *common.Config, _ *[]route) { c.LogLevel = level })
		noToken := map[string]string{"X-Auth-Token": ""}
		probe := func(status int, methods ...string) {
			for _, path := range []string{"/v1/ecr/ping", "/v1/ecr/ready", "/v1/ecr/metrics", "/metrics"} {
				for _, method := range methods {
					w.do(exchange{method: method, path: path, header: noToken})
				}
			}
		}
		probe(200, "GET", "HEAD")
		w.do(exchange{method: "GET", path: "/v1/ecr/version"})
		w.do(exchange{method: "DELETE", path: "/v1/ecr/ping"})
		w.service.Stop(time.Now().Add(time.Minute))
		w.do(exchange{method: "GET", path: "/v1/ecr/ready"})
		var got []string
		for _, line := range w.logged(t) {
			got = append(got, fmt.Sprint(line["level"], " ", line["msg"], " ", line["method"], " ", line["route"], " ", line["status"]))
		}
		var want []string
		if level == "debug" {
			for _, path := range []string{"/v1/ecr/ping", "/v1/ecr/ready", "/v1/ecr/metrics", "/metrics"} {
				want = append(want, "debug request GET "+path+" 200", "debug request HEAD "+path+" 200")
			}
		}
		want = append(want, "info request GET /v1/ecr/version 200", "info request DELETE /v1/ecr/ping 405", "info request GET /v1/ecr/ready 503")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: lines (-want +got):\n%s", level, diff)
		}
	}
}

// What an operator should look at is a warning, or an error.
func TestLevelsAndOutcomes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	none := localaws.Fault{}
	for name, c := range map[string]struct {
		exchange
		fault localaws.Fault
		want  string // level and outcome
	}{
		"list":           {exchange{method: "GET", path: base}, none, "info done"},
		"bad input":      {exchange{method: "GET", path: base + "/*"}, none, "info failed"},
		"no token":       {exchange{method: "GET", path: base, header: map[string]string{"X-Auth-Token": ""}}, none, "info refused"},
		"refused role":   {exchange{method: "GET", path: "/v1/ecr/999999999999/repositories"}, none, "warning refused"},
		"denied call":    {exchange{method: "GET", path: base}, localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "AccessDeniedException"}, "warning refused"},
		"throttled":      {exchange{method: "GET", path: base}, localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException"}, "info failed"},
		"half an update": {exchange{method: "PUT", path: base + "/g/a", body: updateAll}, localaws.Fault{Operation: "ecr:PutImageTagMutability", Code: "InvalidParameterException"}, "warning partial"},
		"no update":      {exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true}`}, localaws.Fault{Operation: "ecr:PutImageScanningConfiguration", Code: "InvalidParameterException"}, "info failed"},
		"unknown update": {exchange{method: "PUT", path: base + "/g/a", body: updateAll}, localaws.Fault{Operation: "ecr:PutImageTagMutability", Code: "ServerException", Status: 500}, "error unknown"},
	} {
		remove := func() {}
		if c.fault.Operation != "" {
			remove = w.aws.Inject(c.fault)
		}
		w.do(c.exchange)
		remove()
		line := w.lastLine(t)
		if got := fmt.Sprint(line["level"], " ", line["outcome"]); got != c.want {
			t.Errorf("%s: %s, want %s: %v", name, got, c.want, line)
		}
	}
}

// docs/operating.md explains every field of the log.
func TestLogFieldsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| Field | Meaning |")
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(table, -1) {
		documented = append(documented, strings.Split(strings.Trim(row[1], "`"), "`, `")...)
	}
	known := slices.Clone(logFields)
	for _, v := range pathVars {
		known = append(known, v.LogField)
	}
	slices.Sort(documented)
	slices.Sort(known)
	if diff := cmp.Diff(known, documented); diff != "" {
		t.Errorf("fields (-logFields +docs/operating.md):\n%s", diff)
	}
}

// Lines about callers without a good token do not take the room of other audit
// lines.
func TestFloodOfRefusalsLosesNoAuditLine(t *testing.T) {
	t.Parallel()
	unread, pipe := io.Pipe()
	defer unread.Close()
	queue := common.NewLogQueue(pipe, func(common.LostLines) []byte { return nil })
	log := logrus.New()
	log.SetOutput(queue)
	log.SetFormatter(common.LogFormatter{})
	c := common.Defaults()
	c.Account.Region = region
	service, err := New(Options{Config: c, Log: log, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	for queue.Lost().Other == 0 {
		service.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", base, nil))
		if lost := queue.Lost(); lost.Audit > 0 {
			t.Fatalf("lost lines: %+v", lost)
		}
	}
}
