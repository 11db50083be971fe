package server

import (
	"math"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
)

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	const refused = 0
	for _, test := range []struct{ configured, inFlight, files, want int }{
		{0, 512, 1 << 20, 1024},
		{0, 512, math.MaxInt32, 1024},
		{0, 2000, 1 << 20, 4000}, // enough for every request
		{0, 512, 1024, 512},      // half of the files
		{0, 16, 1024, 928},       // few calls to AWS: more than half
		{0, math.MaxInt, 1024, 512},
		{5000, 512, 1 << 20, 5000},
		{512, 512, 1024, 512},
		{513, 512, 1024, refused},
		{1, 512, 1024, 1},
	} {
		got, err := maxConnections(&common.Config{MaxConnections: test.configured, MaxInFlight: test.inFlight}, test.files)
		if got != test.want || (err == nil) != (test.want != refused) {
			t.Errorf("%+v: %d, %v", test, got, err)
		}
	}
	if n := fileLimit(); n < 16 {
		t.Errorf("the process may open %d files", n)
	}
}
