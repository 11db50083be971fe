package common_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/sirupsen/logrus"
	"pgregory.net/rapid"
)

// text generates texts that JSON escapes, and others.
func text() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[ -~]{0,20}`),
		rapid.String(),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }), // also invalid UTF-8
		rapid.SampledFrom([]string{"", "<a href=\"b\">&amp;", "\u2028\u2029", "\x7f", "\ufffd", "line\nline", `C:\`}),
	)
}

// ownName generates names that logrus has for its own fields.
func ownName() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"time", "level", "msg", "logrus_error", "func", "file", "fields.time"})
}

// number generates numbers near the limits from which JSON has an exponent, and
// others.
func number() *rapid.Generator[float64] {
	limits := []float64{0, math.Copysign(0, -1), 1e-6, 1e-7, -1e-6, 1e20, 1e21, -1e21, math.Nextafter(1e-6, 0), math.Nextafter(1e21, 0)}
	return rapid.OneOf(rapid.SampledFrom(limits), rapid.Float64(), rapid.Float64Range(0, 30))
}

// simple generates values of the types that the formatter writes itself.
func simple() *rapid.Generator[any] {
	return rapid.OneOf(
		text().AsAny(), rapid.Int().AsAny(), number().AsAny(),
		rapid.SliceOf(text()).AsAny(), rapid.Just([]string(nil)).AsAny(),
	)
}

// other generates values of other types. Some cannot be encoded.
func other() *rapid.Generator[any] {
	return rapid.OneOf(rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.SampledFrom([]any{
		nil, errors.New("<error>"), time.Second, []byte("text"), []int{1}, map[string]any{"b": 1, "a": "<"}, math.NaN(), math.Inf(-1), make(chan int),
	}))
}

func entry() *rapid.Generator[*logrus.Entry] {
	fields := rapid.OneOf(
		rapid.MapOfN(rapid.StringMatching(`[a-zA-Z]{1,12}`), simple(), 0, 40), // as the service has them
		rapid.MapOf(text(), simple()),
		rapid.MapOfN(ownName(), simple(), 0, 2),
		rapid.MapOf(text(), rapid.OneOf(simple(), other())),
	)
	return rapid.Custom(func(t *rapid.T) *logrus.Entry {
		e := &logrus.Entry{
			Data:    fields.Draw(t, "fields"),
			Time:    time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")),
			Level:   rapid.SampledFrom(logrus.AllLevels).Draw(t, "level"),
			Message: text().Draw(t, "message"),
		}
		if rapid.IntRange(0, 9).Draw(t, "caller") == 0 {
			e.Caller = &runtime.Frame{Function: "f", File: "<file>", Line: 1}
		}
		if rapid.Bool().Draw(t, "buffer") {
			e.Buffer = &bytes.Buffer{}
		}
		return e
	})
}

// withLogFields returns the entry with LogFields in place of some of its Data.
func withLogFields(t *rapid.T, e *logrus.Entry) *logrus.Entry {
	var fields common.LogFields
	changed := *e
	changed.Data = logrus.Fields{}
	all := rapid.Bool().Draw(t, "all")
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		if all || rapid.Bool().Draw(t, "one") {
			fields.Add(name, e.Data[name])
		} else {
			changed.Data[name] = e.Data[name]
		}
	}
	changed.Context = fields.Entry(nil).Context
	return &changed
}

func TestLogFormatterWritesWhatLogrusWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := entry().Draw(t, "entry")
		formatted := e
		if rapid.Bool().Draw(t, "LogFields") {
			formatted = withLogFields(t, e)
		}
		got, err := common.LogFormatter{}.Format(formatted)
		e.Buffer = nil
		want, wantErr := (&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true}).Format(e)
		if string(got) != string(want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%s, %v\nwant %s, %v", got, err, want, wantErr)
		}
	})
}

// A line as requests have it is the same however it is made.
func TestLogLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := &logrus.Logger{Out: &out, Formatter: common.LogFormatter{}, Level: logrus.InfoLevel}
	when := time.Date(2040, 12, 14, 15, 34, 18, 1000, time.UTC)
	var fields common.LogFields
	fields.Add("status", 200)
	fields.Add("duration", 0.000015)
	fields.Add("awsTime", 1e-7)
	fields.Add("awsCalls", []string{"a 1", "b 2"})
	some := slices.Clone(fields).Entry(logger)
	fields.Add("path", `/<"é`)
	for _, e := range []*logrus.Entry{ // logrus uses its buffer again
		logger.WithFields(logrus.Fields{
			"status": 200, "duration": 0.000015, "awsTime": 1e-7, "awsCalls": []string{"a 1", "b 2"}, "path": `/<"é`,
		}),
		fields.Entry(logger),
		some.WithField("path", `/<"é`),
	} {
		e.WithTime(when).Info("request")
	}
	const want = `{"awsCalls":["a 1","b 2"],"awsTime":1e-7,"duration":0.000015,"level":"info","msg":"request",` +
		`"path":"/<\"é","status":200,"time":"2040-12-14T15:34:18.000001Z"}` + "\n"
	if got := out.String(); got != want+want+want {
		t.Errorf("%s\nwant three times %s", got, want)
	}
}

func BenchmarkLogFormatter(b *testing.B) {
	for name, formatter := range map[string]logrus.Formatter{
		"ours":   common.LogFormatter{},
		"logrus": &logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano, DisableHTMLEscape: true},
	} {
		b.Run(name, func(b *testing.B) {
			logger := &logrus.Logger{Out: io.Discard, Formatter: formatter, Level: logrus.InfoLevel}
			e := &logrus.Entry{Logger: logger, Data: logrus.Fields{
				"requestId": "25J7DGHRWYB4WUA4UVIHV4AIWW", "method": "GET", "route": "/v1/ecr/{account}/repositories/{group}/{name}",
				"status": 200, "outcome": "done", "duration": 0.012345678, "client": "192.0.2.1", "key": "default", "action": "ShowRepository",
				"session": "spinup-spindev-ecr-api-0123456789abcdef", "account": "012345678901", "group": "spindev-00001", "name": "dasher",
				"awsCalls": []string{"DescribeRepositories 8d1d9a2c-6d3b-4b6e-9d5f-3f4e5d6c7b8a", "ListTagsForResource 9e2e0b3d-7e4c-4c7f-8e6a-4a5f6e7d8c9b"},
				"awsTime":  0.011234567,
			}}
			b.ReportAllocs()
			for b.Loop() {
				e.Info("request")
			}
		})
	}
}
