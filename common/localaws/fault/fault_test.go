//lint:file-ignore SA1019 The service uses the SDK's first version.

package fault_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/YaleSpinup/ecr-api/common/localaws/fault"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		codes []string // answered to three creates of different repositories
		made  int      // how many of the three exist afterwards
	}{
		"error":                  {localaws.Fault{Operation: "ecr:CreateRepository", Code: "ServerException", Status: 500}, []string{"ServerException", "ServerException", "ServerException"}, 0},
		"any operation":          {localaws.Fault{Operation: "*", Code: "ThrottlingException", Times: 2}, []string{"ThrottlingException", "ThrottlingException", ""}, 1},
		"another operation":      {localaws.Fault{Operation: "ecr:DeleteRepository", Code: "X"}, []string{"", "", ""}, 3},
		"lost answer":            {localaws.Fault{Operation: "ecr:CreateRepository", Code: "ServerException", AfterWork: true, Times: 1}, []string{"ServerException", "", ""}, 3},
		"dropped":                {localaws.Fault{Operation: "ecr:CreateRepository", Drop: true, Times: 1}, []string{"RequestError", "", ""}, 2},
		"dropped after the work": {localaws.Fault{Operation: "ecr:CreateRepository", Drop: true, AfterWork: true, Times: 1}, []string{"RequestError", "", ""}, 3},
		"slow":                   {localaws.Fault{Operation: "ecr:CreateRepository", Delay: 10 * time.Millisecond}, []string{"", "", ""}, 3},
		"slow after the work":    {localaws.Fault{Operation: "ecr:CreateRepository", Delay: 10 * time.Millisecond, AfterWork: true}, []string{"", "", ""}, 3},
		"lost after a delay":     {localaws.Fault{Operation: "ecr:CreateRepository", Delay: time.Millisecond, Code: "X", AfterWork: true, Times: 1}, []string{"X", "", ""}, 3},
		"chosen by When": {localaws.Fault{Operation: "ecr:CreateRepository", Code: "X", When: func(c localaws.Call) bool { return c.Repository == "group/b" }},
			[]string{"", "X", ""}, 2},
		"improbable": {localaws.Fault{Operation: "ecr:CreateRepository", Code: "X", Probability: 1e-300}, []string{"", "", ""}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := awstest.New(t)
			remove := b.Inject(test.fault)
			var codes, seen []string
			for _, name := range []string{"group/a", "group/b", "group/c"} {
				_, err := b.ECR(awstest.Here).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: &name})
				codes = append(codes, awstest.CodeOf(err))
			}
			if diff := cmp.Diff(test.codes, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
			for _, c := range b.Calls() {
				code := c.ErrorCode
				if code == fault.CodeDropped {
					code = "RequestError"
				}
				seen = append(seen, code)
			}
			if diff := cmp.Diff(test.codes, seen); diff != "" {
				t.Errorf("codes seen (-want +got):\n%s", diff)
			}
			remove()
			wantRepositories(t, b, test.made)
		})
	}
}

func wantRepositories(t *testing.T, b *awstest.AWS, want int) {
	t.Helper()
	out, err := b.ECR(awstest.Here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
	awstest.Must(t, err)
	if got := len(out.Repositories); got != want {
		t.Errorf("%d repositories, want %d", got, want)
	}
}

func TestFaultStatusAndMessage(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	defer b.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException", Message: "Rate exceeded", Status: 429})()
	_, err := b.ECR(awstest.Here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
	failure, ok := err.(awserr.RequestFailure)
	if !ok || failure.StatusCode() != 429 || failure.Message() != "Rate exceeded" {
		t.Errorf("error %v", err)
	}
	if id := b.Calls()[0].RequestID; !ok || failure.RequestID() != id {
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
			b := awstest.New(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			b.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Delay: time.Hour, AfterWork: test.afterWork, When: func(localaws.Call) bool {
				cancel() // the call has arrived, and now its client hangs up
				return true
			}})
			_, err := b.ECR(awstest.Here).CreateRepositoryWithContext(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
			awstest.WantError(t, "create whose client hung up", err, "RequestCanceled", "")
			for len(b.Calls()) == 0 { // the server notices it a little later
				time.Sleep(time.Millisecond)
			}
			if c := b.Calls()[0]; c.ErrorCode != localaws.CodeClientGone || c.Repository != "group/one" {
				t.Errorf("call %+v", c)
			}
			wantRepositories(t, b, test.made)
		})
	}
}

// TestDelayedWork shows that the work is done when the delay is over, not when
// the call arrives.
func TestDelayedWork(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Delay: time.Millisecond, When: func(localaws.Call) bool {
		b.Advance(time.Hour)
		return true
	}})
	out, err := b.ECR(awstest.Here).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if want := awstest.Noon.Add(time.Hour); !out.Repository.CreatedAt.Equal(want) {
		t.Errorf("created at %v, want %v", out.Repository.CreatedAt, want)
	}
}

// TestFaultAfterWorkThatFails shows that the answer is the error of the work
// and not that of the fault. If the connection is dropped, there is no answer.
func TestFaultAfterWorkThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		code  string
	}{
		"error":               {localaws.Fault{Code: "ServerException", AfterWork: true}, "RepositoryNotFoundException"},
		"slow after the work": {localaws.Fault{Delay: time.Millisecond, AfterWork: true}, "RepositoryNotFoundException"},
		"dropped":             {localaws.Fault{Drop: true, AfterWork: true}, "RequestError"},
	} {
		b := awstest.New(t)
		test.fault.Operation = "ecr:DeleteRepository"
		b.Inject(test.fault)
		_, err := b.ECR(awstest.Here).DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/none")})
		awstest.WantError(t, name, err, test.code, "")
	}
}

func TestDelayDoesNotBlockOtherCalls(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	arrived := make(chan struct{})
	b.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Delay: time.Hour, When: func(localaws.Call) bool {
		close(arrived)
		return true
	}})
	done := make(chan error)
	go func() {
		done <- awstest.ErrorOf(b.ECR(awstest.Here).CreateRepositoryWithContext(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")}))
	}()
	<-arrived
	awstest.Must(t, awstest.ErrorOf(b.ECR(awstest.Here).DescribeRepositories(&ecr.DescribeRepositoriesInput{})))
	if c := b.Calls()[0]; c.Operation != "DescribeRepositories" || c.ErrorCode != "" {
		t.Errorf("the first answered call is %+v", c)
	}
	cancel()
	awstest.WantError(t, "delayed create", <-done, "RequestCanceled", "")
}
