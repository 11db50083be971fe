package ecr

import (
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// Most types in this file take the place of types of the SDK that lack fields of
// today's ECR: the SDK neither sends nor reads such fields. The tag locationName
// is the SDK's, and has the name in JSON.
//
// A PutImageTagMutability without filters removes those that are there.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Repository.html

// A repositoryDetail is ECR's Repository.
type repositoryDetail struct {
	CreatedAt                          *time.Time                      `locationName:"createdAt"`
	EncryptionConfiguration            *ecr.EncryptionConfiguration    `locationName:"encryptionConfiguration"`
	ImageScanningConfiguration         *ecr.ImageScanningConfiguration `locationName:"imageScanningConfiguration"`
	ImageTagMutability                 *string                         `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []exclusionFilter               `locationName:"imageTagMutabilityExclusionFilters"`
	RegistryID                         *string                         `locationName:"registryId"`
	RepositoryArn                      *string                         `locationName:"repositoryArn"`
	RepositoryName                     *string                         `locationName:"repositoryName"`
	RepositoryURI                      *string                         `locationName:"repositoryUri"`
}

// An exclusionFilter is a pattern of image tags to which the mutability of the
// repository does not apply. In lists they are not pointers, so none is nil.
type exclusionFilter struct {
	Filter     *string `locationName:"filter"`
	FilterType *string `locationName:"filterType"` // WILDCARD
}

type createRepositoryInput struct {
	EncryptionConfiguration            *ecr.EncryptionConfiguration    `locationName:"encryptionConfiguration"`
	ImageScanningConfiguration         *ecr.ImageScanningConfiguration `locationName:"imageScanningConfiguration"`
	ImageTagMutability                 *string                         `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []exclusionFilter               `locationName:"imageTagMutabilityExclusionFilters"`
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
	ImageTagMutability                 *string           `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []exclusionFilter `locationName:"imageTagMutabilityExclusionFilters"`
	RepositoryName                     *string           `locationName:"repositoryName"`
}

type putImageTagMutabilityOutput struct {
	ImageTagMutability                 *string           `locationName:"imageTagMutability"`
	ImageTagMutabilityExclusionFilters []exclusionFilter `locationName:"imageTagMutabilityExclusionFilters"`
}

// A describeImagesInput has the SDK's fields in the SDK's order.
type describeImagesInput struct {
	Filter         *imageFilter           `locationName:"filter"`
	ImageIDs       []*ecr.ImageIdentifier `locationName:"imageIds"`
	MaxResults     *int64                 `locationName:"maxResults"`
	NextToken      *string                `locationName:"nextToken"`
	RepositoryName *string                `locationName:"repositoryName"`
}

type imageFilter struct {
	ImageStatus *string `locationName:"imageStatus"` // ECR has only active images without it
	TagStatus   *string `locationName:"tagStatus"`
}

// A repositoryNames is a page of a DescribeRepositories of which only the names
// are read.
type repositoryNames struct {
	NextToken    *string          `locationName:"nextToken"`
	Repositories []repositoryName `locationName:"repositories"`
}

type repositoryName struct {
	RepositoryName *string `locationName:"repositoryName"`
}

// An authorization is the answer of GetAuthorizationToken. The SDK's type would
// print the token.
type authorization struct {
	common.Unprintable
	AuthorizationData []authorizationData `locationName:"authorizationData"`
}

type authorizationData struct {
	common.Unprintable
	AuthorizationToken *string    `locationName:"authorizationToken"`
	ExpiresAt          *time.Time `locationName:"expiresAt"`
}

// A tagList is the answer of ListTagsForResource. Its tags are not pointers, as
// in the SDK, so none is nil.
type tagList struct {
	Tags []ecr.Tag `locationName:"tags"`
}

// A batchGetImageOutput is the answer of BatchGetImage.
type batchGetImageOutput struct {
	Failures []ImageFailure `locationName:"failures"`
	Images   []manifestOf   `locationName:"images"`
}

// A manifestOf is an image with its manifest.
type manifestOf struct {
	ImageID       ImageIdentifier `locationName:"imageId"`
	ImageManifest *string         `locationName:"imageManifest"`
}

// A batchDeleteImageOutput is the answer of BatchDeleteImage. Its lists are not of
// pointers, as in the SDK.
type batchDeleteImageOutput struct {
	Failures []ImageFailure    `locationName:"failures"`
	ImageIDs []ImageIdentifier `locationName:"imageIds"`
}

// A findingsPage is a page of DescribeImageScanFindings. Of the findings of an
// enhanced scan, which are long, it has what callers get.
type findingsPage struct {
	ImageID           *ecr.ImageIdentifier `locationName:"imageId"`
	ImageScanFindings *scanFindings        `locationName:"imageScanFindings"`
	ImageScanStatus   *ecr.ImageScanStatus `locationName:"imageScanStatus"`
	NextToken         *string              `locationName:"nextToken"`
}

type scanFindings struct {
	EnhancedFindings             []enhancedFinding      `locationName:"enhancedFindings"`
	FindingSeverityCounts        map[string]*int64      `locationName:"findingSeverityCounts"`
	Findings                     []ecr.ImageScanFinding `locationName:"findings"`
	ImageScanCompletedAt         *time.Time             `locationName:"imageScanCompletedAt"`
	VulnerabilitySourceUpdatedAt *time.Time             `locationName:"vulnerabilitySourceUpdatedAt"`
}

type enhancedFinding struct {
	Description                 *string        `locationName:"description"`
	FixAvailable                *string        `locationName:"fixAvailable"` // YES, NO or PARTIAL
	PackageVulnerabilityDetails *vulnerability `locationName:"packageVulnerabilityDetails"`
	Score                       *float64       `locationName:"score"`
	ScoreDetails                *scoreDetails  `locationName:"scoreDetails"`
	Severity                    *string        `locationName:"severity"`
	Title                       *string        `locationName:"title"`
}

type vulnerability struct {
	ReferenceUrls      []*string           `locationName:"referenceUrls"`
	SourceURL          *string             `locationName:"sourceUrl"`
	VulnerabilityID    *string             `locationName:"vulnerabilityId"`
	VulnerablePackages []vulnerablePackage `locationName:"vulnerablePackages"`
}

type vulnerablePackage struct {
	Epoch          *int64  `locationName:"epoch"`
	FixedInVersion *string `locationName:"fixedInVersion"`
	Name           *string `locationName:"name"`
	Release        *string `locationName:"release"`
	Version        *string `locationName:"version"`
}

type scoreDetails struct {
	Cvss *cvssScore `locationName:"cvss"`
}

type cvssScore struct {
	Score *float64 `locationName:"score"`
}

// A previewPage is a page of GetLifecyclePolicyPreview. Of the storage classes
// callers get nothing.
type previewPage struct {
	LifecyclePolicyText *string         `locationName:"lifecyclePolicyText"`
	NextToken           *string         `locationName:"nextToken"`
	PreviewResults      []previewResult `locationName:"previewResults"`
	Status              *string         `locationName:"status"`
	Summary             *previewSummary `locationName:"summary"` // of all pages
}

type previewSummary struct {
	ExpiringImageTotalCount       *int64            `locationName:"expiringImageTotalCount"`
	TransitioningImageTotalCounts []transitionCount `locationName:"transitioningImageTotalCounts"`
}

type transitionCount struct {
	ImageTotalCount *int64 `locationName:"imageTotalCount"`
}

type previewResult struct {
	Action              previewAction `locationName:"action"`
	AppliedRulePriority *int64        `locationName:"appliedRulePriority"`
	ImageDigest         *string       `locationName:"imageDigest"`
	ImagePushedAt       *time.Time    `locationName:"imagePushedAt"`
	ImageTags           []*string     `locationName:"imageTags"`
}

type previewAction struct {
	Type *string `locationName:"type"`
}
