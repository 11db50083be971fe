package common

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordedVersion(t *testing.T) {
	t.Parallel()
	const revision, committed = "4f2a9c1d3e5b7a8690c1d2e3f4a5b6c7d8e9f001", "2026-01-02T03:04:05Z"
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want Version
	}{
		"nothing": {debug.BuildInfo{}, Version{}},
		"a release that go install built": {
			debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}},
			Version{Version: "v1.2.3"},
		},
		"a checkout without git": {debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Version{}},
		"a checkout": {
			debug.BuildInfo{
				Main: debug.Module{Version: "(devel)"},
				Settings: []debug.BuildSetting{
					{Key: "-compiler", Value: "gc"},
					{Key: "vcs", Value: "git"},
					{Key: "vcs.revision", Value: revision},
					{Key: "vcs.time", Value: committed},
					{Key: "vcs.modified", Value: "true"},
				},
			},
			Version{GitHash: revision, BuildStamp: committed},
		},
	} {
		if diff := cmp.Diff(test.want, recorded(&test.info)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Only empty values are filled.
func TestVersionWithDefaults(t *testing.T) {
	t.Parallel()
	full := Version{Version: "v1", GitHash: "hash", BuildStamp: "then"}
	for _, test := range []struct{ first, want Version }{
		{Version{}, full},
		{Version{Version: "v2"}, Version{"v2", "hash", "then"}},
		{Version{GitHash: "other"}, Version{"v1", "other", "then"}},
		{Version{BuildStamp: "now"}, Version{"v1", "hash", "now"}},
		{Version{"v2", "other", "now"}, Version{"v2", "other", "now"}},
	} {
		if diff := cmp.Diff(test.want, test.first.withDefaults(full)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.first, diff)
		}
	}
}
