//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

func TestPaging(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const many = 2500
	for i := range many {
		// Not in order, so that the order is the server's doing.
		must(t, b.AddRepository(AdministratorAccount, here, fmt.Sprintf("group/%04d", (i*7919)%many), nil))
	}
	for _, test := range []struct {
		size  *int64
		pages int
	}{{nil, 25}, {aws.Int64(1000), 3}, {aws.Int64(500), 5}, {aws.Int64(999), 3}} {
		pages, next := 0, 0
		err := b.ecr(here).DescribeRepositoriesPages(&ecr.DescribeRepositoriesInput{MaxResults: test.size},
			func(page *ecr.DescribeRepositoriesOutput, last bool) bool {
				pages++
				for _, r := range page.Repositories {
					if want := fmt.Sprintf("group/%04d", next); *r.RepositoryName != want {
						t.Fatalf("%s instead of %s", *r.RepositoryName, want)
					}
					next++
				}
				if last != (page.NextToken == nil) {
					t.Errorf("page %d: last %v with token %v", pages, last, page.NextToken)
				}
				return true
			})
		must(t, err)
		if pages != test.pages || next != many {
			t.Errorf("%d repositories on %d pages, want %d on %d", next, pages, many, test.pages)
		}
	}
}

func TestPagingGoesOnWhenThingsChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	client := b.ecr(here)
	for _, name := range []string{"aa", "bb", "cc", "dd"} {
		must(t, b.AddRepository(AdministratorAccount, here, name, nil))
	}
	first, err := client.DescribeRepositories(&ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(2)})
	must(t, err)
	must(t, second(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("bb")})))
	must(t, b.AddRepository(AdministratorAccount, here, "ab", nil))
	rest, err := client.DescribeRepositories(&ecr.DescribeRepositoriesInput{NextToken: first.NextToken})
	must(t, err)
	var names []string
	for _, r := range rest.Repositories {
		names = append(names, *r.RepositoryName)
	}
	if diff := cmp.Diff([]string{"cc", "dd"}, names); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
	_, err = b.ecr("us-west-2").DescribeRepositories(&ecr.DescribeRepositoriesInput{NextToken: first.NextToken})
	wantError(t, "another list's token", err, "InvalidParameterException", "'nextToken'")
}

func TestHundredThousand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const many = 100_000
	for i := range many {
		must(t, b.AddRepository(AdministratorAccount, here, fmt.Sprintf("group/%06d", (i*7919)%many), nil))
	}
	client := b.ecr(here)
	start := time.Now()
	for i := range 50 {
		must(t, second(client.DescribeRepositories(&ecr.DescribeRepositoriesInput{
			RepositoryNames: aws.StringSlice([]string{fmt.Sprintf("group/%06d", i)})})))
	}
	must(t, second(client.DescribeRepositories(&ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(1000)})))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("51 calls took %v", took)
	}
	_, err := client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
	wantError(t, "one more", err, "LimitExceededException", "100000")
}
