package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"golang.org/x/sync/errgroup"
)

// listImages checks whose the repository is while the first page is under way.
func listImages(ctx context.Context, c call, _ nothing) ([]ecr.Image, error) {
	var images []ecr.Image
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		tags, err := c.ECR.Tags(ctx, c.repository())
		if err != nil {
			return err
		}
		return c.own(tags)
	})
	both.Go(func() (err error) {
		images, err = c.ECR.Images(ctx, c.repository())
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	return images, nil
}

func imagesPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:DescribeImages", "ecr:ListTagsForResource")...)
}
