package program

import (
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The environment's limits take precedence, each on its own.
func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	for name, test := range map[string]struct {
		env         []string
		limit, gogc string
	}{
		"ours":       {nil, "1.34217728e+08", "400"},
		"GOMEMLIMIT": {[]string{"GOMEMLIMIT=64MiB"}, "6.7108864e+07", "400"},
		"no limit":   {[]string{"GOMEMLIMIT=off"}, "9.223372036854776e+18", "100"},
		"GOGC":       {[]string{"GOGC=50"}, "1.34217728e+08", "50"},
		"both":       {[]string{"GOMEMLIMIT=1GiB", "GOGC=200"}, "1.073741824e+09", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := slices.Concat(test.env, []string{"API_CONFIG=" + configuration(url, "127.0.0.1:0")})
			_, _, stderr := process(t, env)
			_, metrics := get(t, "http://"+stderr.waitFor(t, listening)+"/v1/ecr/metrics", "")
			got := map[string]string{}
			for _, line := range regexp.MustCompile(`(?m)^(go_gc_gomemlimit_bytes|go_gc_gogc_percent) (\S+)$`).FindAllStringSubmatch(metrics, -1) {
				got[line[1]] = line[2]
			}
			want := map[string]string{"go_gc_gomemlimit_bytes": test.limit, "go_gc_gogc_percent": test.gogc}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}
