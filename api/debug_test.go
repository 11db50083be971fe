package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// At the level debug each AWS call has a line of its own.
func TestDebugLogsEachAWSCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.LogLevel = "debug" })
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Drop: true, Times: 1})
	w.run(exchange{method: "GET", path: base, status: 200, want: `[]`})
	var got []map[string]any
	for line := range strings.Lines(w.log.String()) {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["msg"] != "AWS call" {
			continue
		}
		if took, ok := fields["duration"].(float64); !ok || took <= 0 || len(fields["awsRequestIds"].([]any)) != 1 {
			t.Errorf("duration and AWS's id: %v", fields)
		}
		for _, key := range []string{"duration", "awsRequestIds", "time", "msg"} {
			delete(fields, key)
		}
		got = append(got, fields)
	}
	want := []map[string]any{
		{"level": "debug", "requestId": "test", "service": "sts", "operation": "AssumeRole", "result": "ok", "retries": 0.0},
		{"level": "debug", "requestId": "test", "service": "ecr", "operation": "DescribeRepositories", "result": "ok", "retries": 1.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("AWS calls in the log (-want +got):\n%s", diff)
	}
}
