package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"golang.org/x/sync/errgroup"
)

// bareSDK makes the calls with the AWS SDK, as its documentation shows them.
type bareSDK struct{ api *ecr.ECR }

// serveSDK serves the bare program with the SDK.
func serveSDK(address, awsURL string) error {
	b, err := newBareSDK(awsURL)
	if err != nil {
		return err
	}
	return serveBare(address, b)
}

func newBareSDK(awsURL string) (bareSDK, error) {
	s, err := session.NewSession(&aws.Config{
		Region:              aws.String(region),
		Endpoint:            aws.String(awsURL),
		HTTPClient:          newClient(),
		STSRegionalEndpoint: endpoints.RegionalSTSEndpoint,
		Credentials:         credentials.NewStaticCredentials("AKIDLOCAL", "local", ""),
	})
	if err != nil {
		return bareSDK{}, err
	}
	return bareSDK{ecr.New(s, &aws.Config{Credentials: assumeRole(s)})}, nil
}

// assumeRole assumes the role of the service with a session policy that takes
// AWS about as long to decide as those of the service.
func assumeRole(s *session.Session) *credentials.Credentials {
	const resourceOrg = "aws:ResourceTag/spinup:org"
	all := common.Registry{Partition: "aws", Region: region, Account: account}.ARN("*")
	policy := iam.NewPolicy(
		iam.Allow(all, "ecr:DescribeRepositories", "ecr:ListTagsForResource", "ecr:DescribeImages"),
		iam.Deny("*", "ecr:*").When("StringNotEquals", resourceOrg, org).When("Null", resourceOrg, "false"),
		iam.Allow(all, "ecr:CreateRepository", "ecr:DeleteRepository", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:TagResource"),
	)
	return stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/ecr-api", func(p *stscreds.AssumeRoleProvider) {
		p.ExternalID = aws.String("local")
		p.Policy = aws.String(policy.String())
		p.Tags = []*sts.Tag{{Key: aws.String("spinup:org"), Value: aws.String(org)}}
	})
}

// shown is a repository with its tags.
type shown struct {
	Repository *ecr.Repository
	Tags       []*ecr.Tag
}

func (b bareSDK) show(ctx context.Context, name string) (any, error) { return b.look(ctx, name) }

// look makes the two calls at the same time.
func (b bareSDK) look(ctx context.Context, name string) (shown, error) {
	var described *ecr.DescribeRepositoriesOutput
	var tags *ecr.ListTagsForResourceOutput
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		described, err = b.api.DescribeRepositoriesWithContext(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []*string{aws.String(name)}})
		return err
	})
	both.Go(func() (err error) {
		tags, err = b.api.ListTagsForResourceWithContext(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String(arn(name))})
		return err
	})
	if err := both.Wait(); err != nil {
		return shown{}, err
	}
	return shown{described.Repositories[0], tags.Tags}, nil
}

func (b bareSDK) create(ctx context.Context, name string, in createInput) (any, error) {
	created, err := b.api.CreateRepositoryWithContext(ctx, &ecr.CreateRepositoryInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(in.ScanOnPush == "true")},
		Tags:                       sdkTags(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return shown{created.Repository, sdkTags(in.Tags)}, nil
}

// update looks, makes one change after another, and looks again.
func (b bareSDK) update(ctx context.Context, name string, in updateInput) (any, error) {
	if _, err := b.look(ctx, name); err != nil {
		return nil, err
	}
	if _, err := b.api.PutImageScanningConfigurationWithContext(ctx, &ecr.PutImageScanningConfigurationInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(in.ScanOnPush == "true")},
	}); err != nil {
		return nil, err
	}
	if _, err := b.api.PutImageTagMutabilityWithContext(ctx, &ecr.PutImageTagMutabilityInput{
		RepositoryName:     aws.String(name),
		ImageTagMutability: aws.String(in.ImageTagMutability),
	}); err != nil {
		return nil, err
	}
	if _, err := b.api.TagResourceWithContext(ctx, &ecr.TagResourceInput{ResourceArn: aws.String(arn(name)), Tags: sdkTags(in.Tags)}); err != nil {
		return nil, err
	}
	return b.look(ctx, name)
}

func (b bareSDK) remove(ctx context.Context, name string) (any, error) {
	present, err := b.look(ctx, name)
	if err != nil {
		return nil, err
	}
	_, err = b.api.DeleteRepositoryWithContext(ctx, &ecr.DeleteRepositoryInput{RepositoryName: aws.String(name), Force: aws.Bool(true)})
	return present, err
}

func (b bareSDK) images(ctx context.Context, name string) (any, error) {
	if _, err := b.api.ListTagsForResourceWithContext(ctx, &ecr.ListTagsForResourceInput{ResourceArn: aws.String(arn(name))}); err != nil {
		return nil, err
	}
	images := []*ecr.ImageDetail{}
	in := &ecr.DescribeImagesInput{RepositoryName: aws.String(name), MaxResults: aws.Int64(1000)}
	err := b.api.DescribeImagesPagesWithContext(ctx, in, func(page *ecr.DescribeImagesOutput, _ bool) bool {
		images = append(images, page.ImageDetails...)
		return true
	})
	return images, err
}

func (b bareSDK) list(ctx context.Context) (any, error) {
	names := []string{}
	in := &ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(1000)}
	err := b.api.DescribeRepositoriesPagesWithContext(ctx, in, func(page *ecr.DescribeRepositoriesOutput, _ bool) bool {
		for _, r := range page.Repositories {
			names = append(names, aws.StringValue(r.RepositoryName))
		}
		return true
	})
	slices.Sort(names)
	return names, err
}

func sdkTags(tags []tag) []*ecr.Tag {
	all := make([]*ecr.Tag, len(tags))
	for i, t := range tags {
		all[i] = &ecr.Tag{Key: aws.String(t.Key), Value: aws.String(t.Value)}
	}
	return all
}

func arn(name string) string {
	return fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", region, account, name)
}
