package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
	"golang.org/x/sync/errgroup"
)

// listImages reads the repository's tags and its images at the same time, and
// checks by the tags that the repository is our org's. While it reads several
// pages, somebody may replace the repository by another org's, so it checks the
// tags again after the last page.
func listImages(ctx context.Context, t target, _ nothing) ([]*ecr.Image, error) {
	var images []*ecr.Image
	pages := 0
	both, bothCtx := errgroup.WithContext(ctx)
	both.Go(func() error { return t.readOwner(bothCtx) })
	both.Go(func() (err error) {
		images, pages, err = t.ECR().Images(bothCtx, t.repository())
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	if pages > 1 {
		if err := t.readOwner(ctx); err != nil {
			return nil, err
		}
	}
	return images, nil
}

func imagesPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:DescribeImages", "ecr:ListTagsForResource")...)
}
