package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/local"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// startTestAWS starts the AWS of a measurement. Watch hears of the calls that
// are not answered from memory.
func startTestAWS(t *testing.T, c contents, watch func(localaws.Call)) (url string) {
	t.Helper()
	aws, err := newAWS(localaws.Options{Roles: local.Roles(), Watch: watch}, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(aws)
	t.Cleanup(server.Close)
	return server.URL
}

// barePrograms returns the bare programs by name.
func barePrograms(t *testing.T, awsURL string) map[string]bareProgram {
	t.Helper()
	sdk, err := newBareSDK(awsURL)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]bareProgram{"SDK": sdk, "HTTP": bareHTTP{newClient(), awsURL}}
}

func TestBareProgramsAnswerEveryRequest(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios {
		sc.Groups, sc.Images = min(sc.Groups, 10), min(sc.Images, 10) // quick to make
		for name, program := range barePrograms(t, startTestAWS(t, sc.contents, nil)) {
			server := httptest.NewServer(newBareHandler(program))
			defer server.Close()
			for _, st := range sc.steps {
				s := &sending{step: st, to: &process{url: server.URL}, end: 3}
				took, err := s.run(2)
				if err != nil || len(took) != 3 {
					t.Errorf("%s of %s: %d answers, want 3; error %v", st.name, name, len(took), err)
				}
			}
		}
	}
}

func TestBareProgramsSeeAllPages(t *testing.T) {
	t.Parallel()
	for name, p := range barePrograms(t, startTestAWS(t, contents{Groups: 1001, Each: 1, Images: 1001}, nil)) {
		for what, ask := range map[string]func() (any, error){
			"images":       func() (any, error) { return p.images(context.Background(), repository(0, 0)) },
			"repositories": func() (any, error) { return p.list(context.Background()) },
		} {
			out, err := ask()
			if err != nil {
				t.Fatal(err)
			}
			if n := length(t, out); n != 1001 {
				t.Errorf("%s shows %d %s, want 1001", name, n, what)
			}
		}
	}
}

// length returns how many elements a value has as JSON.
func length(t *testing.T, value any) int {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(text, &elements); err != nil {
		t.Fatal(err)
	}
	return len(elements)
}

func TestAWSAnswersRepeatedReadsFromMemoryUntilAChange(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var called []string
	url := startTestAWS(t, contents{Groups: 1, Each: 1}, func(c localaws.Call) {
		mu.Lock()
		defer mu.Unlock()
		called = append(called, c.Operation)
	})
	b, ctx := bareHTTP{newClient(), url}, context.Background()
	list := func(want ...string) {
		t.Helper()
		names, err := b.list(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(names.([]string), want) {
			t.Errorf("got %q, want %q", names, want)
		}
	}
	list("spindev-00000/r0")
	list("spindev-00000/r0")
	if _, err := b.create(ctx, "g/new", createInput{}); err != nil {
		t.Fatal(err)
	}
	list("g/new", "spindev-00000/r0")
	list("g/new", "spindev-00000/r0")
	want := []string{"DescribeRepositories", "CreateRepository", "DescribeRepositories"}
	if !slices.Equal(called, want) {
		t.Errorf("the local AWS was called for %q, want %q", called, want)
	}
}

func TestRowIsOfTheMedianRoundAndOfAllRounds(t *testing.T) {
	t.Parallel()
	round := func(cpu, took time.Duration) tally {
		return tally{took: []time.Duration{took, took}, elapsed: 2 * took, calls: 4, cpu: 2 * cpu, allocations: 20}
	}
	ms := time.Millisecond
	got := newRow([]tally{round(4*ms, 10*ms), round(2*ms, 1*ms), round(3*ms, 20*ms)}, []tally{round(1*ms, 10*ms), round(1*ms, 10*ms), round(1*ms, 10*ms)})
	want := row{rate: 100, rateOfSDK: 1, p50: 10 * ms, p99: 20 * ms, calls: 2, cpu: 3 * ms, cpuOfSDK: 3, allocations: 10}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
