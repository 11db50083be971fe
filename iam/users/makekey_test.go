package users

import (
	"errors"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws/awserr"
)

// Only a short call without a failure of AWS tells that a key is its own.
func TestIsClear(t *testing.T) {
	t.Parallel()
	answer := func(status int) error { return awserr.NewRequestFailure(awserr.New("a", "", nil), status, "") }
	for _, test := range []struct {
		failure error
		took    time.Duration
		want    bool
	}{
		{errors.New("no answer"), time.Second, true},
		{answer(200), 3 * time.Second, true},
		{answer(500), time.Second, false},
		{answer(503), time.Second, false},
		{errors.New("no answer"), 4 * time.Second, false},
	} {
		start := time.Now()
		if got := isClear(&calls.Attempts{Failure: test.failure, Start: start, End: start.Add(test.took)}); got != test.want {
			t.Errorf("%v after %v: %t", test.failure, test.took, got)
		}
	}
}
