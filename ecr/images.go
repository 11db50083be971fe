package ecr

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// Image is an image of a repository as callers see it. A nil field is null: AWS
// does not tell it.
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

// Images returns all images of the repository of that full name, newest push
// first; never nil.
func (c *Client) Images(ctx context.Context, name string) ([]Image, error) {
	var details []*ecr.ImageDetail
	input := &ecr.DescribeImagesInput{RepositoryName: aws.String(name), MaxResults: aws.Int64(pageSize)}
	err := c.api.DescribeImagesPagesWithContext(ctx, input, func(page *ecr.DescribeImagesOutput, _ bool) bool {
		details = append(details, page.ImageDetails...)
		return true
	}, c.signed)
	if err != nil {
		return nil, Translate(err)
	}
	slices.SortFunc(details, newestFirst)
	images := make([]Image, len(details))
	for i, d := range details {
		images[i] = newImage(d)
	}
	return images, nil
}

// newestFirst orders by the time of the push, and what was pushed at the same
// time by digest, so that the same state always gives the same answer.
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
