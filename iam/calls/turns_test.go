package calls

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
)

const tooLate = "Others took too long."

// Whoever waits for a turn gives up with his request. Nothing is left of turns
// that have ended.
func TestTurns(t *testing.T) {
	t.Parallel()
	turns := NewTurns()
	end, err := turns.Wait(t.Context(), "a", tooLate)
	if err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.Wait(canceled, "a", tooLate); common.CodeOf(err) != common.Canceled {
		t.Errorf("a wait that is cancelled: %v", err)
	}
	late, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := turns.Wait(late, "a", tooLate); common.CodeOf(err) != common.Timeout || err.Error() != tooLate {
		t.Errorf("a wait without time: %v", err)
	}
	endOther, err := turns.Wait(t.Context(), "b", tooLate)
	if err != nil {
		t.Fatal(err)
	}
	endOther()
	next := make(chan func())
	go func() {
		end, err := turns.Wait(t.Context(), "a", tooLate)
		if err != nil {
			t.Error(err)
		}
		next <- end
	}()
	end()
	(<-next)()
	if len(turns.lines) > 0 {
		t.Errorf("lines that are left: %v", turns.lines)
	}
}

// Whoever waits in vain keeps half of his time.
func TestWaitForATurnLeavesTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns()
		end, err := turns.Wait(t.Context(), "a", tooLate)
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, err := turns.Wait(ctx, "a", tooLate); common.CodeOf(err) != common.Timeout {
			t.Errorf("%v, want a timeout", err)
		}
		if waited := time.Since(start); waited != 30*time.Second { // by the clock of the bubble
			t.Errorf("the wait was %s", waited)
		}
	})
}
