package main

import (
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A description is a repository as AWS describes it. The SDK's type has no
// exclusions.
type description struct {
	ImageScanningConfiguration         *ecr.ImageScanningConfiguration `locationName:"imageScanningConfiguration"`
	ImageTagMutability                 *string                         `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []*exclusionFilter              `locationName:"imageTagMutabilityExclusionFilters"`
	RepositoryArn                      *string                         `locationName:"repositoryArn"`
	RepositoryName                     *string                         `locationName:"repositoryName"`
}

type exclusionFilter struct {
	Filter *string `locationName:"filter"`
}

func (d *description) mutability() mutability {
	var patterns []string
	for _, f := range d.ImageTagMutabilityExclusionFilters {
		patterns = append(patterns, *f.Filter)
	}
	return newMutability(*d.ImageTagMutability, patterns)
}

type descriptionsPage struct {
	NextToken    *string        `locationName:"nextToken"`
	Repositories []*description `locationName:"repositories"`
}

// describe describes the repositories of these names in an account, or all if
// there are no names.
func (a *faultyAWS) describe(account string, names ...string) (found []*description, err error) {
	in := &ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice(names)}
	if len(names) == 0 {
		in.RepositoryNames = nil // AWS refuses an empty list
	}
	operation := &request.Operation{Name: "DescribeRepositories", HTTPMethod: "POST", HTTPPath: "/"}
	for {
		page := new(descriptionsPage)
		if err := a.clients[account].NewRequest(operation, in, page).Send(); err != nil {
			return nil, err
		}
		found = append(found, page.Repositories...)
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return found, nil
		}
	}
}
