package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

// wantFault puts the AWS under a fault and takes it away, and the service's answer to list follows.
func wantFault(t *testing.T, list, put, takeAway *http.Request) {
	t.Helper()
	for i, step := range []struct {
		request *http.Request
		status  int
	}{
		{list, http.StatusOK},
		{put, http.StatusCreated},
		{list, http.StatusInternalServerError},
		{takeAway, http.StatusNoContent},
		{list, http.StatusOK},
	} {
		if status, body := do(t, step.request); status != step.status {
			t.Errorf("step %d: %s %s: status %d, want %d: %s", i, step.request.Method, step.request.URL, status, step.status, body)
		}
	}
}

// The local AWS takes the README's lines about faults.
func TestReadmeFaults(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "<!-- faults -->\n```sh\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("the README has no faults")
	}
	_, url := newAWS(t, nil)
	indented := "  " + strings.ReplaceAll(block, "\n", "\n  ") // as in the banner
	requests := curls(t, indented, map[string]string{"AWS_ENDPOINT_URL": url})
	if len(requests) != 10 {
		t.Fatalf("%d curl lines, want seven faults, the list, and the end of one and of all:\n%s", len(requests), block)
	}
	for i, r := range requests {
		want := http.StatusCreated
		switch {
		case r.Method == http.MethodGet:
			want = http.StatusOK
		case r.Method == http.MethodDelete:
			want = http.StatusNoContent
		}
		if status, body := do(t, r); status != want {
			t.Errorf("line %d: %s %s: status %d, want %d: %s", i+1, r.Method, r.URL, status, want, body)
		}
	}
}
