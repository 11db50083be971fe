//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestPaging(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	const many = 2500
	for i := range many {
		// The names are added out of order, so that the server has to sort
		// them.
		b.Add(t, fmt.Sprintf("group/%04d", (i*7919)%many))
	}
	for _, test := range []struct {
		size  *int64
		pages int
	}{{nil, 25}, {aws.Int64(1000), 3}, {aws.Int64(500), 5}, {aws.Int64(999), 3}} {
		pages, next := 0, 0
		err := b.ECR(awstest.Here).DescribeRepositoriesPages(&ecr.DescribeRepositoriesInput{MaxResults: test.size},
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
		awstest.Must(t, err)
		if pages != test.pages || next != many {
			t.Errorf("%d repositories on %d pages, want %d on %d", next, pages, many, test.pages)
		}
	}
}

func TestPagesAfterChanges(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	for _, name := range []string{"aa", "bb", "cc", "dd"} {
		awstest.Must(t, b.AddRepository(localaws.AdministratorAccount, awstest.Here, name, nil))
	}
	first, err := client.DescribeRepositories(&ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(2)})
	awstest.Must(t, err)
	awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("bb")})))
	b.Add(t, "ab")
	rest, err := client.DescribeRepositories(&ecr.DescribeRepositoriesInput{NextToken: first.NextToken})
	awstest.Must(t, err)
	var names []string
	for _, r := range rest.Repositories {
		names = append(names, *r.RepositoryName)
	}
	if diff := cmp.Diff([]string{"cc", "dd"}, names); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
	_, err = b.ECR("us-west-2").DescribeRepositories(&ecr.DescribeRepositoriesInput{NextToken: first.NextToken})
	awstest.WantError(t, "token of another list", err, "InvalidParameterException", "'nextToken'")
}

func TestHundredThousandRepositories(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	const many = 100_000
	for i := range many {
		b.Add(t, fmt.Sprintf("group/%06d", (i*7919)%many))
	}
	client := b.ECR(awstest.Here)
	start := time.Now()
	for i := range 50 {
		awstest.Must(t, awstest.ErrorOf(client.DescribeRepositories(&ecr.DescribeRepositoriesInput{
			RepositoryNames: aws.StringSlice([]string{fmt.Sprintf("group/%06d", i)})})))
	}
	awstest.Must(t, awstest.ErrorOf(client.DescribeRepositories(&ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(1000)})))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("51 calls took %v", took)
	}
	_, err := client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")})
	awstest.WantError(t, "one repository too many", err, "LimitExceededException", "100000")
}

// TestPagesWithFilters shows that the pages of both lists of images have what the
// filter keeps, and that a token is good for its own list only.
func TestPagesWithFilters(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	const many = 60 // of each kind
	for i := range many {
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{}))
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Status: "ARCHIVED", Tags: []string{fmt.Sprintf("old%d", i)}}))
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i)}}))
	}
	// pages returns how many images and ids each page has, and the first token.
	pages := func(operation string, filter listFilter) (sizes []int, first *string) {
		in := &listInput{RepositoryName: aws.String("group/one"), Filter: &filter, MaxResults: aws.Int64(50)}
		for {
			out := &struct {
				ImageIDs     []*ecr.ImageIdentifier `locationName:"imageIds"`
				ImageDetails []*ecr.ImageDetail     `locationName:"imageDetails"`
				NextToken    *string                `locationName:"nextToken"`
			}{}
			awstest.Must(t, client.NewRequest(&request.Operation{Name: operation, HTTPMethod: "POST", HTTPPath: "/"}, in, out).Send())
			sizes = append(sizes, len(out.ImageIDs)+len(out.ImageDetails))
			if in.NextToken == nil {
				first = out.NextToken
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return sizes, first
			}
		}
	}
	active, archived, tagged := aws.String("ACTIVE"), aws.String("ARCHIVED"), aws.String("TAGGED")
	for _, test := range []struct {
		operation string
		filter    listFilter
		want      []int
	}{
		{"DescribeImages", listFilter{}, []int{50, 50, 20}},
		{"DescribeImages", listFilter{TagStatus: tagged}, []int{50, 10}},
		{"DescribeImages", listFilter{ImageStatus: archived}, []int{50, 10}},
		{"DescribeImages", listFilter{TagStatus: tagged, ImageStatus: aws.String("ANY")}, []int{50, 50, 20}},
		{"ListImages", listFilter{}, []int{50, 50, 50, 30}},
		{"ListImages", listFilter{TagStatus: tagged}, []int{50, 50, 20}},
		{"ListImages", listFilter{ImageStatus: archived}, []int{50, 10}},
	} {
		got, token := pages(test.operation, test.filter)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", test.operation, test.filter, diff)
		}
		for _, other := range []listFilter{{}, {TagStatus: tagged}, {ImageStatus: archived}, {ImageStatus: active}} {
			if cmp.Equal(other, test.filter) {
				continue
			}
			_, err := raw(client, test.operation, &listInput{RepositoryName: aws.String("group/one"), Filter: &other, NextToken: token})
			awstest.WantError(t, "token of another filter", err, "InvalidParameterException", "'nextToken'")
		}
	}
	for _, operation := range []string{"DescribeImages", "ListImages", "DescribeImageScanFindings"} {
		for size, text := range map[int64]string{0: "greater than or equal to 1", -1: "greater than or equal to 1", 1001: "less than or equal to 1000"} {
			_, err := raw(client, operation, &struct {
				RepositoryName *string              `locationName:"repositoryName"`
				ImageID        *ecr.ImageIdentifier `locationName:"imageId"`
				MaxResults     *int64               `locationName:"maxResults"`
			}{aws.String("group/one"), ofTag("a1"), &size})
			awstest.WantError(t, operation, err, "InvalidParameterException", "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value "+text+"'")
		}
	}
}
