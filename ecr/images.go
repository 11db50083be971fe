package ecr

import (
	"context"
	"regexp"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// An Image is an image of a repository as callers see it. A nil field is null
// in JSON. It means that AWS did not give the value. Images of one page share
// the strings that most images have in common.
type Image struct {
	ArtifactMediaType        *string
	ImageDigest              string
	ImageManifestMediaType   *string
	ImagePushedAt            *common.Timestamp
	ImageScanFindingsSummary *ScanFindingsSummary
	ImageScanStatus          *ScanStatus
	ImageSizeInBytes         *int64
	ImageTags                []string // sorted; never nil
	RegistryID               string   `json:"RegistryId"`
	RepositoryName           string

	// These are not in the list's JSON, and DescribeImages reads them.
	Status   *string           `json:"-"` // ACTIVE, ARCHIVED or ACTIVATING, and what AWS may add
	PulledAt *common.Timestamp `json:"-"` // nil if never; up to a day older than the last pull
	Subject  *string           `json:"-"` // digest of what a signature, an attestation or the like refers to
}

// ScanFindingsSummary counts what the last completed scan of an image found.
type ScanFindingsSummary struct {
	FindingSeverityCounts        map[string]int64 // by severity; never nil
	ImageScanCompletedAt         *common.Timestamp
	VulnerabilitySourceUpdatedAt *common.Timestamp
}

// ScanStatus is the state of the last scan of an image.
type ScanStatus struct {
	Description *string
	Status      *string
}

var imageDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// IsDigest tells whether the text is a digest as images in ECR have it. Whoever
// pushes an index can name something else in it, and ECR would refuse that.
func IsDigest(text string) bool { return imageDigest.MatchString(text) }

// An ImageID names an image by its digest or by a tag. One of them is empty: ECR
// does not say what it does with both.
type ImageID struct{ Digest, Tag string }

// aws returns the id as ECR wants it. What names nothing is not taken for a tag.
func (id ImageID) aws() *ecr.ImageIdentifier {
	switch {
	case id.Digest != "":
		return &ecr.ImageIdentifier{ImageDigest: aws.String(id.Digest)}
	case id.Tag != "":
		return &ecr.ImageIdentifier{ImageTag: aws.String(id.Tag)}
	}
	return &ecr.ImageIdentifier{}
}

func awsIDs(ids []ImageID) []*ecr.ImageIdentifier {
	list := make([]*ecr.ImageIdentifier, len(ids))
	for i, id := range ids {
		list[i] = id.aws()
	}
	return list
}

// maxIDs is how many images ECR takes in one call.
const maxIDs = 100

// DescribeImages returns the images of the repository with these ids, at most
// 100, in no certain order. If one of them is missing, the error is an
// ImageNotFound, and there are no images.
func (c *Client) DescribeImages(ctx context.Context, name string, ids []ImageID) ([]*Image, error) {
	in := &describeImagesInput{RepositoryName: aws.String(name), ImageIDs: awsIDs(ids)}
	page, err := send[detailedPage](ctx, c, "DescribeImages", in)
	if err != nil {
		return nil, c.explain(ctx, name, err)
	}
	return page.images, nil
}

// DescribeImage returns the image of the repository with that id.
func (c *Client) DescribeImage(ctx context.Context, name string, id ImageID) (*Image, error) {
	images, err := c.DescribeImages(ctx, name, []ImageID{id})
	if err != nil {
		return nil, err
	}
	if len(images) != 1 {
		return nil, common.Errorf(common.Internal, "ECR described %d images in %q where one was asked for", len(images), name)
	}
	return images[0], nil
}
