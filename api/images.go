package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"golang.org/x/sync/errgroup"
)

// listImages reads the repository's tags and its images at the same time, and
// checks by the tags that the repository is our org's.
func listImages(ctx context.Context, t target, _ nothing) ([]*ecr.Image, error) {
	var images []*ecr.Image
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		tags, err := t.ECR().Tags(ctx, t.repository())
		if err != nil {
			return err
		}
		return t.checkOwner(tags)
	})
	both.Go(func() (err error) {
		images, err = t.ECR().Images(ctx, t.repository())
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
