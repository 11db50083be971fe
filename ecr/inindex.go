package ecr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
)

// What a caller is told of the indexes that an image is part of.
const (
	maxNamedIndexes = 3
	maxNamedTags    = 3 // of each
)

// nameIndexes returns the failure of the deletion of an image that is part of an
// index, with words that name the index. If it cannot be found, the words say no
// more than that there is one.
func (c *Client) nameIndexes(ctx context.Context, name, digest string, failure error) error {
	indexes, archived, err := c.indexesWith(ctx, name, digest)
	e := new(common.Error)
	errors.As(failure, &e)
	named := *e
	if err != nil {
		named.Cause = fmt.Errorf("the index was not found: %w", err)
	}
	named.Message = "The image " + digest + " is part of " + cmp.Or(indexNames(indexes), "an index that is still there") + ", and cannot be deleted before that."
	if len(indexes) == 0 && len(archived) > 0 {
		named.Message += " The index may be archived, so that it cannot be read: " + indexNames(archived) + "."
	}
	return &named
}

// indexesWith returns the indexes of the repository that name the image. If there
// are none, the image may be part of one that is archived: ECR does not tell what
// such an index names.
func (c *Client) indexesWith(ctx context.Context, name, digest string) (indexes, archived []*Image, err error) {
	all, err := c.allIndexes(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	var digests []string
	for _, index := range all {
		if status := aws.StringValue(index.Status); status != "" && status != "ACTIVE" {
			archived = append(archived, index)
			continue
		}
		digests = append(digests, index.ImageDigest)
	}
	parts, err := c.Indexes(ctx, name, digests)
	indexes = slices.DeleteFunc(all, func(index *Image) bool {
		return !slices.ContainsFunc(parts[index.ImageDigest], func(p Part) bool { return p.Digest == digest })
	})
	return indexes, archived, err
}

// allIndexes returns the indexes of the repository, whatever their status. The
// index that was pushed last comes first.
func (c *Client) allIndexes(ctx context.Context, name string) (indexes []*Image, err error) {
	all := Filter{Status: Any}
	in := &describeImagesInput{Filter: all.aws(), MaxResults: aws.Int64(pageSize), RepositoryName: aws.String(name)}
	for {
		page := &detailedPage{imagePage{keep: (*Image).IsIndex}}
		if err := c.sendInto(ctx, "DescribeImages", in, page); err != nil {
			return nil, err
		}
		indexes = append(indexes, page.images...)
		if page.nextToken == "" {
			slices.SortFunc(indexes, newestFirst)
			return indexes, nil
		}
		in.NextToken = &page.nextToken
	}
}

// indexNames names indexes for a sentence, each by its digest and its tags.
func indexNames(indexes []*Image) string {
	var names []string
	for _, index := range indexes[:min(len(indexes), maxNamedIndexes)] {
		name := "the index " + index.ImageDigest
		if tags := index.ImageTags; len(tags) > 0 {
			name += " (" + strings.Join(firstTags(tags), ", ") + ")"
		}
		names = append(names, name)
	}
	if more := len(indexes) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, " and ")
}

// firstTags returns the first tags, and how many more there are.
func firstTags(tags []string) []string {
	if len(tags) <= maxNamedTags {
		return tags
	}
	return append(slices.Clone(tags[:maxNamedTags]), fmt.Sprintf("%d more", len(tags)-maxNamedTags))
}
