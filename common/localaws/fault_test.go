//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault Fault
		codes []string // of three creates of different repositories
		made  int      // of the three
	}{
		"error":            {Fault{Operation: "ecr:CreateRepository", Code: "ServerException", Status: 500}, []string{"ServerException", "ServerException", "ServerException"}, 0},
		"any operation":    {Fault{Operation: "*", Code: "ThrottlingException", Times: 2}, []string{"ThrottlingException", "ThrottlingException", ""}, 1},
		"other operation":  {Fault{Operation: "ecr:DeleteRepository", Code: "X"}, []string{"", "", ""}, 3},
		"lost answer":      {Fault{Operation: "ecr:CreateRepository", Code: "ServerException", AfterWork: true, Times: 1}, []string{"ServerException", "", ""}, 3},
		"dropped":          {Fault{Operation: "ecr:CreateRepository", Drop: true, Times: 1}, []string{"RequestError", "", ""}, 2},
		"dropped too late": {Fault{Operation: "ecr:CreateRepository", Drop: true, AfterWork: true, Times: 1}, []string{"RequestError", "", ""}, 3},
		"slow":             {Fault{Operation: "ecr:CreateRepository", Delay: 10 * time.Millisecond}, []string{"", "", ""}, 3},
		"late":             {Fault{Operation: "ecr:CreateRepository", Delay: 10 * time.Millisecond, AfterWork: true}, []string{"", "", ""}, 3},
		"lost and late":    {Fault{Operation: "ecr:CreateRepository", Delay: time.Millisecond, Code: "X", AfterWork: true, Times: 1}, []string{"X", "", ""}, 3},
		"chosen": {Fault{Operation: "ecr:CreateRepository", Code: "X", When: func(c Call) bool { return c.Repository == "group/b" }},
			[]string{"", "X", ""}, 2},
		"never": {Fault{Operation: "ecr:CreateRepository", Code: "X", Probability: 1e-300}, []string{"", "", ""}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			remove := b.Inject(test.fault)
			var codes, seen []string
			for _, name := range []string{"group/a", "group/b", "group/c"} {
				_, err := b.ecr(here).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: &name})
				codes = append(codes, codeOf(err))
			}
			if diff := cmp.Diff(test.codes, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			for _, c := range b.calls() {
				code := c.ErrorCode
				if code == CodeDropped {
					code = "RequestError"
				}
				seen = append(seen, code)
			}
			if diff := cmp.Diff(test.codes, seen); diff != "" {
				t.Errorf("codes seen (-want +got):\n%s", diff)
			}
			remove()
			out, err := b.ecr(here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
			must(t, err)
			if len(out.Repositories) != test.made {
				t.Errorf("%d were made, want %d", len(out.Repositories), test.made)
			}
		})
	}
}

func TestFaultStatusAndMessage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	defer b.Inject(Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException", Message: "Rate exceeded", Status: 429})()
	_, err := b.ecr(here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
	failure, ok := err.(awserr.RequestFailure)
	if !ok || failure.StatusCode() != 429 || failure.Message() != "Rate exceeded" {
		t.Errorf("error %v", err)
	}
	if id := b.calls()[0].RequestID; !ok || failure.RequestID() != id {
		t.Errorf("request id %q, want %q", failure.RequestID(), id)
	}
}

func TestDelayEndsWithTheClient(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		afterWork bool
		made      int
	}{
		"before the work": {false, 0},
		"after the work":  {true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			b.Inject(Fault{Operation: "ecr:CreateRepository", Delay: time.Hour, AfterWork: test.afterWork, When: func(Call) bool {
				cancel() // the call has arrived: its client goes
				return true
			}})
			_, err := b.ecr(here).CreateRepositoryWithContext(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
			wantError(t, "given up", err, "RequestCanceled", "")
			for len(b.calls()) == 0 { // the server notices a little later
				time.Sleep(time.Millisecond)
			}
			if c := b.calls()[0]; c.ErrorCode != CodeClientGone || c.Repository != "group/one" {
				t.Errorf("call %+v", c)
			}
			out, err := b.ecr(here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
			must(t, err)
			if len(out.Repositories) != test.made {
				t.Errorf("%d were made, want %d", len(out.Repositories), test.made)
			}
		})
	}
}

// The work is done when the delay is over, not when the call arrived.
func TestDelayedWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Inject(Fault{Operation: "ecr:CreateRepository", Delay: time.Millisecond, When: func(Call) bool {
		b.pass(time.Hour)
		return true
	}})
	out, err := b.ecr(here).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
	must(t, err)
	if want := noon.Add(time.Hour); !out.Repository.CreatedAt.Equal(want) {
		t.Errorf("created at %v, want %v", out.Repository.CreatedAt, want)
	}
}

// Work that fails has no success to hide. Where the connection is dropped nobody learns of either.
func TestFaultAfterWorkThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault Fault
		code  string
	}{
		"error":   {Fault{Code: "ServerException", AfterWork: true}, "RepositoryNotFoundException"},
		"late":    {Fault{Delay: time.Millisecond, AfterWork: true}, "RepositoryNotFoundException"},
		"dropped": {Fault{Drop: true, AfterWork: true}, "RequestError"},
	} {
		b := newBench(t)
		test.fault.Operation = "ecr:DeleteRepository"
		b.Inject(test.fault)
		_, err := b.ecr(here).DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/none")})
		wantError(t, name, err, test.code, "")
	}
}

// Each fault is drawn on its own, those injected first before the others.
func TestProbabilities(t *testing.T) {
	t.Parallel()
	var fs faults
	for _, code := range []string{"first", "second"} {
		fs.add(Fault{Operation: "*", Code: code, Probability: 0.5})
	}
	const calls = 20_000
	hits := map[string]int{}
	for range calls {
		f, _ := fs.hit(Call{Service: "ecr", Operation: "DescribeRepositories"})
		hits[f.Code]++
	}
	for code, want := range map[string]int{"first": calls / 2, "second": calls / 4, "": calls / 4} {
		if off := hits[code] - want; off < -500 || off > 500 { // seven standard deviations
			t.Errorf("%q: %d of %d calls, want about %d", code, hits[code], calls, want)
		}
	}
}

func TestDelayHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	arrived := make(chan struct{})
	b.Inject(Fault{Operation: "ecr:CreateRepository", Delay: time.Hour, When: func(Call) bool {
		close(arrived)
		return true
	}})
	done := make(chan error)
	go func() {
		done <- second(b.ecr(here).CreateRepositoryWithContext(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")}))
	}()
	<-arrived
	must(t, second(b.ecr(here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})))
	if c := b.calls()[0]; c.Operation != "DescribeRepositories" || c.ErrorCode != "" {
		t.Errorf("the first to be answered is %+v", c)
	}
	cancel()
	wantError(t, "the slow one", <-done, "RequestCanceled", "")
}
