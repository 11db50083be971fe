package fault

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// TestProbabilities shows that a fault is tried only on calls that no earlier
// fault has hit.
func TestProbabilities(t *testing.T) {
	t.Parallel()
	var l List
	for _, code := range []string{"first", "second"} {
		l.add(Fault{Operation: "*", Code: code, Probability: 0.5})
	}
	const calls = 20_000
	hits := map[string]int{}
	for range calls {
		code := ""
		if found, ok := l.FaultFor(service.Call{Service: "ecr", Operation: "DescribeRepositories"}).(hit); ok {
			code = found.Code
		}
		hits[code]++
	}
	for code, want := range map[string]int{"first": calls / 2, "second": calls / 4, "": calls / 4} {
		if off := hits[code] - want; off < -500 || off > 500 { // seven standard deviations
			t.Errorf("%q: %d of %d calls, want about %d", code, hits[code], calls, want)
		}
	}
}
