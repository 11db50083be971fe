package roles

import "testing"

func TestNearestRegion(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]struct {
		nearest string
		known   bool
	}{
		"us-east-1":      {"us-east-1", true},
		"us-gov-west-1":  {"us-gov-west-1", true},
		"cn-north-1":     {"cn-north-1", true},
		"us-est-1":       {"us-east-1", false},
		"us-wst-2":       {"us-west-2", false},
		"eu-centrale-1":  {"eu-central-1", false},
		"us-east-9":      {"us-east-1", false},
		"moon-crater-7":  {"", false},
		"xx-nowhere-one": {"", false},
	} {
		nearest, known := NearestRegion(region)
		if nearest != want.nearest || known != want.known {
			t.Errorf("%s: %q, %t, want %q, %t", region, nearest, known, want.nearest, want.known)
		}
	}
}

func TestEditDistance(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"abc", "acb", 2}, {"flaw", "lawn", 2},
	} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
