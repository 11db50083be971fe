package api

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

// deletedImage says what was deleted.
type deletedImage struct{ *ecr.Deletion }

// long is for a deletion that is refused: then indexes are read.
func (*deletedImage) long() {}

// deleteImage looks at the image before it deletes it: a missing one is 404, and
// the look shows whether the tag is the last one, and what a lost answer has
// done.
func deleteImage(ctx context.Context, t target, _ nothing) (*deletedImage, error) {
	present, err := t.readOwnImage(ctx)
	if err != nil {
		return nil, err
	}
	done, err := t.ECR().DeleteImage(ctx, t.repository(), t.image(), present)
	switch {
	case common.CodeOf(err) == common.ImageInIndex:
		return nil, t.nameIndexes(ctx, present.ImageDigest, err)
	case err != nil:
		return nil, err
	}
	return &deletedImage{done}, nil
}

// deleteImagePolicy allows BatchGetImage to find the index of which an image is
// part. That is also the call of a pull, so it is allowed in our org's
// repositories only, as changes are.
func deleteImagePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeImages", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements, writeOwn(s, "ecr:BatchDeleteImage", "ecr:BatchGetImage")...)...)
}
