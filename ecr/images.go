package ecr

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// An Image is an image of a repository as callers see it. A nil field is null
// in JSON. It means that AWS did not give the value.
type Image struct {
	ArtifactMediaType        *string
	ImageDigest              string
	ImageManifestMediaType   *string
	ImagePushedAt            *string // RFC 3339, UTC, whole seconds
	ImageScanFindingsSummary *ScanFindingsSummary
	ImageScanStatus          *ScanStatus
	ImageSizeInBytes         *int64
	ImageTags                []string // sorted; never nil
	RegistryID               string   `json:"RegistryId"`
	RepositoryName           string
}

// ScanFindingsSummary counts what the last completed scan of an image found.
type ScanFindingsSummary struct {
	FindingSeverityCounts        map[string]int64 // by severity; never nil
	ImageScanCompletedAt         *string
	VulnerabilitySourceUpdatedAt *string
}

// ScanStatus is the state of the last scan of an image.
type ScanStatus struct {
	Description *string
	Status      *string
}

// Images returns all images of the repository of that full name, never nil. The
// image that was pushed last comes first.
func (c *Client) Images(ctx context.Context, name string) ([]Image, error) {
	details, err := c.describeImages(ctx, name)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(details, newestFirst)
	images := make([]Image, len(details))
	for i, d := range details {
		images[i] = newImage(d)
	}
	return images, nil
}

func (c *Client) describeImages(ctx context.Context, name string) ([]*ecr.ImageDetail, error) {
	var details []*ecr.ImageDetail
	in := &ecr.DescribeImagesInput{RepositoryName: aws.String(name), MaxResults: aws.Int64(pageSize)}
	for {
		page, err := send(ctx, c, c.api.DescribeImagesRequest, in)
		if err != nil {
			return nil, err
		}
		details = append(details, page.ImageDetails...)
		if aws.StringValue(page.NextToken) == "" {
			return details, nil
		}
		in.NextToken = page.NextToken
	}
}

// newestFirst orders images by the time of the push. It orders images of the
// same time by digest, so that the same state always gives the same answer.
func newestFirst(a, b *ecr.ImageDetail) int {
	return cmp.Or(
		aws.TimeValue(b.ImagePushedAt).Compare(aws.TimeValue(a.ImagePushedAt)),
		cmp.Compare(aws.StringValue(a.ImageDigest), aws.StringValue(b.ImageDigest)),
	)
}

func newImage(d *ecr.ImageDetail) Image {
	tags := aws.StringValueSlice(d.ImageTags)
	slices.Sort(tags)
	image := Image{
		ArtifactMediaType:      d.ArtifactMediaType,
		ImageDigest:            aws.StringValue(d.ImageDigest),
		ImageManifestMediaType: d.ImageManifestMediaType,
		ImagePushedAt:          optionalTimestamp(d.ImagePushedAt),
		ImageSizeInBytes:       d.ImageSizeInBytes,
		ImageTags:              tags,
		RegistryID:             aws.StringValue(d.RegistryId),
		RepositoryName:         aws.StringValue(d.RepositoryName),
	}
	if summary := d.ImageScanFindingsSummary; summary != nil {
		image.ImageScanFindingsSummary = &ScanFindingsSummary{
			FindingSeverityCounts:        aws.Int64ValueMap(summary.FindingSeverityCounts),
			ImageScanCompletedAt:         optionalTimestamp(summary.ImageScanCompletedAt),
			VulnerabilitySourceUpdatedAt: optionalTimestamp(summary.VulnerabilitySourceUpdatedAt),
		}
	}
	if status := d.ImageScanStatus; status != nil {
		image.ImageScanStatus = &ScanStatus{Description: status.Description, Status: status.Status}
	}
	return image
}
