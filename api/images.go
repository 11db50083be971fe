package api

import (
	"context"
	"regexp"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

var imageTag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// readImage checks a tag or a digest.
func readImage(value string, _ *common.Config) (string, error) {
	if imageTag.MatchString(value) || ecr.IsDigest(value) {
		return value, nil
	}
	return "", common.Errorf(common.BadRequest, "The image %.100q is neither a tag (1 to 128 letters, digits, \".\", \"_\" and \"-\", which does not "+
		"begin with \".\" or \"-\") nor a digest (sha256: and 64 digits of 0-9 and a-f).", value)
}

// image returns the id of the image in the path. A tag has no colon.
func (t target) image() ecr.ImageID {
	if strings.Contains(t.Image, ":") {
		return ecr.ImageID{Digest: t.Image}
	}
	return ecr.ImageID{Tag: t.Image}
}

// A listImagesInput says which images a list has.
type listImagesInput struct {
	bodyless
	ecr.Selection
}

func (in *listImagesInput) queryParams() []queryParam {
	return []queryParam{
		taggedParam(&in.Tagged), tagParam(&in.Tags), statusParam(&in.Status),
		pushedBeforeParam(&in.PushedBefore), pushedAfterParam(&in.PushedAfter),
		limitParam(&in.Limit), afterParam(&in.After),
	}
}

func (in listImagesInput) check() error {
	if in.After != nil && in.Limit == 0 {
		return common.Errorf(common.BadRequest, `The query parameter "after" needs "limit".`)
	}
	return nil
}

// listImages reads the repository's tags and its images at the same time, and
// checks by the tags that the repository is our org's. While it reads several
// pages, somebody may replace the repository by another org's, so it checks the
// tags again after the last page.
func listImages(ctx context.Context, t target, in listImagesInput) (list page[*ecr.Image], err error) {
	var images *ecr.ImageList
	err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
		images, err = t.ECR().Images(ctx, t.repository(), in.Selection)
		return err
	})
	if err != nil {
		return list, err
	}
	if images.Pages > 1 {
		if err := t.readOwner(ctx); err != nil {
			return list, err
		}
	}
	list.items = images.Images
	if images.More {
		list.next = cursorOf(images.Images[len(images.Images)-1].Position())
	}
	return list, nil
}

// readOwnImage reads the image in the path, and checks at the same time that the
// repository is our org's.
func (t target) readOwnImage(ctx context.Context) (image *ecr.Image, err error) {
	err = t.whileOwned(ctx, func(ctx context.Context) (err error) {
		image, err = t.readImage(ctx)
		return err
	})
	return image, err
}

// readImage reads the image in the path.
func (t target) readImage(ctx context.Context) (*ecr.Image, error) {
	return t.ECR().DescribeImage(ctx, t.repository(), t.image())
}

func imagesPolicy(s iam.Scope) iam.Policy {
	return iam.NewPolicy(readOwn(s, "ecr:DescribeImages", "ecr:ListTagsForResource")...)
}
