package ecr

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"golang.org/x/sync/errgroup"
)

// A Repository is a repository as callers see it.
type Repository struct {
	CreatedAt          common.Timestamp
	EncryptionType     string // AES256, KMS or KMS_DSSE
	KmsKeyID           string `json:"KmsKeyId"`
	ScanOnPush         string // "true" or "false"
	ImageTagMutability string // MUTABLE, IMMUTABLE, or one of these with _WITH_EXCLUSION

	// Patterns of image tags to which the mutability does not apply, as ECR
	// orders them.
	ImageTagMutabilityExclusionFilters []string `json:",omitempty"`

	RegistryID     string `json:"RegistryId"`
	RepositoryArn  string
	RepositoryName string       // with the group: group/name
	RepositoryURI  string       `json:"RepositoryUri"`
	Tags           []common.Tag // sorted by key

	// The groups with which a create or an update has shared it. Nil otherwise.
	Groups []string `json:",omitzero"`
}

// Settings are the settings of a repository that can be changed at any time. A
// nil field leaves the setting as it is. In a create it means ECR's default. An
// empty list of tags sets no tags.
type Settings struct {
	ScanOnPush         *bool
	ImageTagMutability *string
	Tags               []common.Tag

	// The exclusions belong to ImageTagMutability. ECR replaces both together.
	ImageTagMutabilityExclusionFilters []string

	Share *Share // with groups
}

// Empty tells whether the settings set nothing.
func (s Settings) Empty() bool {
	return s.ScanOnPush == nil && s.ImageTagMutability == nil && len(s.Tags) == 0 && s.Share == nil
}

// Encryption says how a repository is encrypted. It is fixed at creation. The
// zero value is ECR's default.
type Encryption struct {
	Type     string // AES256 or KMS
	KmsKeyID string // empty with KMS: AWS's own key
}

// Repositories returns the full names of the repositories of the registry that
// begin with the prefix, sorted and never nil.
func (c *Client) Repositories(ctx context.Context, prefix string) ([]string, error) {
	names := []string{}
	in := &ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(pageSize)}
	for {
		page, err := send[repositoryNames](ctx, c, "DescribeRepositories", in)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Repositories {
			if name := aws.StringValue(r.RepositoryName); strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
		if aws.StringValue(page.NextToken) == "" {
			slices.Sort(names)
			return names, nil
		}
		in.NextToken = page.NextToken
	}
}

// Repository returns the repository of that full name with its tags. It asks
// for both at the same time, since the ARN is known beforehand.
func (c *Client) Repository(ctx context.Context, name string) (*Repository, error) {
	var described *repositoryDetail
	var tags []common.Tag
	both, bothCtx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		described, err = c.describe(bothCtx, name)
		return err
	})
	both.Go(func() (err error) {
		tags, err = c.tags(bothCtx, name)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, c.explain(ctx, name, err)
	}
	return newRepository(described, tags), nil
}

func (c *Client) describe(ctx context.Context, name string) (*repositoryDetail, error) {
	in := &ecr.DescribeRepositoriesInput{RepositoryNames: []*string{aws.String(name)}}
	out, err := send[describeRepositoriesOutput](ctx, c, "DescribeRepositories", in)
	if err != nil {
		return nil, err
	}
	if len(out.Repositories) != 1 {
		return nil, common.Errorf(common.Internal, "ECR described %d repositories named %q", len(out.Repositories), name)
	}
	return &out.Repositories[0], nil
}

// Tags returns the tags of the repository of that full name, sorted by key.
func (c *Client) Tags(ctx context.Context, name string) ([]common.Tag, error) {
	tags, err := c.tags(ctx, name)
	if err != nil {
		return nil, c.explain(ctx, name, err)
	}
	return tags, nil
}

func (c *Client) tags(ctx context.Context, name string) ([]common.Tag, error) {
	in := &ecr.ListTagsForResourceInput{ResourceArn: aws.String(c.registry.ARN(name))}
	out, err := send[tagList](ctx, c, "ListTagsForResource", in)
	if err != nil {
		return nil, err
	}
	tags := make([]common.Tag, len(out.Tags))
	for i, t := range out.Tags {
		tags[i] = common.Tag{Key: aws.StringValue(t.Key), Value: aws.StringValue(t.Value)}
	}
	return common.SortTags(tags), nil
}

func newRepository(r *repositoryDetail, tags []common.Tag) *Repository {
	answer := &Repository{
		CreatedAt:          common.Timestamp{Time: aws.TimeValue(r.CreatedAt)},
		ScanOnPush:         "false",
		ImageTagMutability: aws.StringValue(r.ImageTagMutability),

		ImageTagMutabilityExclusionFilters: filterTexts(r.ImageTagMutabilityExclusionFilters),

		RegistryID:     aws.StringValue(r.RegistryID),
		RepositoryArn:  aws.StringValue(r.RepositoryArn),
		RepositoryName: aws.StringValue(r.RepositoryName),
		RepositoryURI:  aws.StringValue(r.RepositoryURI),
		Tags:           tags,
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

func awsTags(tags []common.Tag) []*ecr.Tag {
	list := make([]*ecr.Tag, len(tags))
	for i, t := range tags {
		list[i] = &ecr.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)}
	}
	return list
}
