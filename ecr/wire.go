package ecr

import (
	"time"

	"github.com/aws/aws-sdk-go/service/ecr"
)

// Most types in this file take the place of types of the SDK that lack fields of
// today's ECR. The SDK drops such fields in both directions. A change of the
// mutability that is sent without the filters removes them: so does an update
// today, and requests with filters will need the fields. The tag locationName is
// the SDK's: it has the name in JSON.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Repository.html

// A repositoryDetail is ECR's Repository.
type repositoryDetail struct {
	CreatedAt                          *time.Time                      `locationName:"createdAt" type:"timestamp"`
	EncryptionConfiguration            *ecr.EncryptionConfiguration    `locationName:"encryptionConfiguration"`
	ImageScanningConfiguration         *ecr.ImageScanningConfiguration `locationName:"imageScanningConfiguration"`
	ImageTagMutability                 *string                         `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []*exclusionFilter              `locationName:"imageTagMutabilityExclusionFilters"`
	RegistryID                         *string                         `locationName:"registryId"`
	RepositoryArn                      *string                         `locationName:"repositoryArn"`
	RepositoryName                     *string                         `locationName:"repositoryName"`
	RepositoryURI                      *string                         `locationName:"repositoryUri"`
}

// An exclusionFilter is a pattern of image tags to which the mutability of the
// repository does not apply.
type exclusionFilter struct {
	Filter     *string `locationName:"filter"`
	FilterType *string `locationName:"filterType"` // WILDCARD
}

type createRepositoryInput struct {
	EncryptionConfiguration            *ecr.EncryptionConfiguration    `locationName:"encryptionConfiguration"`
	ImageScanningConfiguration         *ecr.ImageScanningConfiguration `locationName:"imageScanningConfiguration"`
	ImageTagMutability                 *string                         `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []*exclusionFilter              `locationName:"imageTagMutabilityExclusionFilters"`
	RepositoryName                     *string                         `locationName:"repositoryName"`
	Tags                               []*ecr.Tag                      `locationName:"tags"`
}

type createRepositoryOutput struct {
	Repository *repositoryDetail `locationName:"repository"`
}

type describeRepositoriesOutput struct {
	NextToken    *string            `locationName:"nextToken"`
	Repositories []repositoryDetail `locationName:"repositories"`
}

type putImageTagMutabilityInput struct {
	ImageTagMutability                 *string            `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []*exclusionFilter `locationName:"imageTagMutabilityExclusionFilters"`
	RepositoryName                     *string            `locationName:"repositoryName"`
}

type putImageTagMutabilityOutput struct {
	ImageTagMutability                 *string            `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []*exclusionFilter `locationName:"imageTagMutabilityExclusionFilters"`
}

// A repositoryNames is a page of a DescribeRepositories of which only the names
// are read.
type repositoryNames struct {
	NextToken    *string          `locationName:"nextToken"`
	Repositories []repositoryName `locationName:"repositories"`
}

// A tagList is the answer of ListTagsForResource. Its tags are not pointers, as
// in the SDK, so none is nil.
type tagList struct {
	Tags []ecr.Tag `locationName:"tags"`
}

type repositoryName struct {
	RepositoryName *string `locationName:"repositoryName"`
}
