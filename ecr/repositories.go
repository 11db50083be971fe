package ecr

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"golang.org/x/sync/errgroup"
)

// Repository is a repository as callers see it.
type Repository struct {
	CreatedAt          string // RFC 3339, UTC, whole seconds
	EncryptionType     string // AES256 or KMS
	KmsKeyID           string `json:"KmsKeyId"`
	ScanOnPush         string // "true" or "false"
	ImageTagMutability string // MUTABLE or IMMUTABLE
	RegistryID         string `json:"RegistryId"`
	RepositoryArn      string
	RepositoryName     string // with the group: group/name
	RepositoryURI      string `json:"RepositoryUri"`
	Tags               []Tag  // by key

	created time.Time // CreatedAt as exact as ECR tells it
}

// Tag is a tag of a repository.
type Tag struct {
	Key   string
	Value string
}

// Settings are what can be set of a repository at any time. A nil field, and
// no tags, mean: leave it as it is, or to ECR's default.
type Settings struct {
	ScanOnPush         *bool
	ImageTagMutability *string
	Tags               []Tag
}

// Empty tells that the settings set nothing.
func (s Settings) Empty() bool {
	return s.ScanOnPush == nil && s.ImageTagMutability == nil && len(s.Tags) == 0
}

// Encryption is how a repository is encrypted, fixed at creation. The zero value
// is ECR's default.
type Encryption struct {
	Type     string // AES256 or KMS
	KmsKeyID string // empty with KMS: AWS's own key
}

// Repositories returns the full names of all repositories of the registry whose
// name begins with the prefix, sorted; never nil.
func (c *Client) Repositories(ctx context.Context, prefix string) ([]string, error) {
	names := []string{}
	input := &ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(pageSize)}
	err := c.api.DescribeRepositoriesPagesWithContext(ctx, input, func(page *ecr.DescribeRepositoriesOutput, _ bool) bool {
		for _, r := range page.Repositories {
			if name := aws.StringValue(r.RepositoryName); strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		return true
	}, c.signed)
	if err != nil {
		return nil, Translate(err)
	}
	slices.Sort(names)
	return names, nil
}

// Repository returns the repository of that full name with its tags. Its ARN is
// known beforehand, so both are asked for at the same time.
func (c *Client) Repository(ctx context.Context, name string) (*Repository, error) {
	var described *ecr.Repository
	var tags []Tag
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		described, err = c.describe(ctx, name)
		return err
	})
	both.Go(func() (err error) {
		tags, err = c.Tags(ctx, name)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	return newRepository(described, tags), nil
}

func (c *Client) describe(ctx context.Context, name string) (*ecr.Repository, error) {
	out, err := c.api.DescribeRepositoriesWithContext(ctx, &ecr.DescribeRepositoriesInput{
		RepositoryNames: []*string{aws.String(name)},
	}, c.signed)
	if err != nil {
		return nil, Translate(err)
	}
	if len(out.Repositories) != 1 {
		return nil, common.Errorf(common.Internal, "ECR described %d repositories named %q", len(out.Repositories), name)
	}
	return out.Repositories[0], nil
}

// Tags returns the tags of the repository of that full name, by key.
func (c *Client) Tags(ctx context.Context, name string) ([]Tag, error) {
	out, err := c.api.ListTagsForResourceWithContext(ctx, &ecr.ListTagsForResourceInput{
		ResourceArn: aws.String(c.registry.ARN(name)),
	}, c.signed)
	if err != nil {
		return nil, Translate(err)
	}
	tags := make([]Tag, len(out.Tags))
	for i, t := range out.Tags {
		tags[i] = Tag{Key: aws.StringValue(t.Key), Value: aws.StringValue(t.Value)}
	}
	return sorted(tags), nil
}

func newRepository(r *ecr.Repository, tags []Tag) *Repository {
	answer := &Repository{
		CreatedAt:          timestamp(aws.TimeValue(r.CreatedAt)),
		ScanOnPush:         "false",
		ImageTagMutability: aws.StringValue(r.ImageTagMutability),
		RegistryID:         aws.StringValue(r.RegistryId),
		RepositoryArn:      aws.StringValue(r.RepositoryArn),
		RepositoryName:     aws.StringValue(r.RepositoryName),
		RepositoryURI:      aws.StringValue(r.RepositoryUri),
		Tags:               tags,
		created:            aws.TimeValue(r.CreatedAt),
	}
	if scanning := r.ImageScanningConfiguration; scanning != nil {
		answer.ScanOnPush = strconv.FormatBool(aws.BoolValue(scanning.ScanOnPush))
	}
	if encryption := r.EncryptionConfiguration; encryption != nil {
		answer.EncryptionType = aws.StringValue(encryption.EncryptionType)
		answer.KmsKeyID = aws.StringValue(encryption.KmsKey)
	}
	return answer
}

func awsTags(tags []Tag) []*ecr.Tag {
	list := make([]*ecr.Tag, len(tags))
	for i, t := range tags {
		list[i] = &ecr.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)}
	}
	return list
}

// sorted sorts the tags in place: ECR tells them in no particular order.
func sorted(tags []Tag) []Tag {
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}
