package ecr

import "testing"

func TestMutabilityWithExclusions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode, tag string
		fixed     bool
	}{
		{mutable, "v1", false},
		{immutable, "v1", true},
		{immutableWithExclusion, "v1", true},
		{immutableWithExclusion, "dev-1", false},
		{immutableWithExclusion, "xdev-1", true},
		{immutableWithExclusion, "a.b", false},
		{immutableWithExclusion, "axb", true},
		{mutableWithExclusion, "v1", false},
		{mutableWithExclusion, "dev-1", true},
	} {
		m := mutability{test.mode, []exclusion{{"WILDCARD", "dev-*"}, {"WILDCARD", "a.b"}}}
		if got := m.isFixed(test.tag); got != test.fixed {
			t.Errorf("%s: tag %s is fixed: %v, want %v", test.mode, test.tag, got, test.fixed)
		}
	}
}
