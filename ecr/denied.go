package ecr

import (
	"context"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
)

// denialDelay is how long the client waits before it repeats a change that AWS
// denies although the repository's tags allow it. AWS's authorization may not
// know yet about tags that were written a moment ago.
const denialDelay = 500 * time.Millisecond

// retryIfDenied makes a change of a repository that was just read. If AWS
// denies the change, that contradicts the tags that were read. Either what is to
// be changed is gone, and then the error says so. Or AWS's authorization does not
// know the tags yet, and then the change is tried once more. The check tells
// whether what is to be changed is still the same.
func retryIfDenied(ctx context.Context, check func(context.Context) error, change func() error) error {
	err := change()
	if !isDenied(err) {
		return err
	}
	if !calls.Pause(ctx, denialDelay) {
		return err
	}
	switch checkErr := check(ctx); {
	case checkErr == nil:
		return change()
	case calls.IsGone(checkErr):
		return checkErr
	default: // nobody knows whether it is still the same
		return err
	}
}

// checkSame returns a RepositoryNotFound if the repository is gone, even if somebody has
// made another one of the same name since.
func (c *Client) checkSame(ctx context.Context, present *Repository) error {
	now, err := c.describe(ctx, present.RepositoryName)
	if err == nil && !present.CreatedAt.IsZero() && !aws.TimeValue(now.CreatedAt).Equal(present.CreatedAt.Time) {
		return common.Errorf(common.RepositoryNotFound, "The repository %s was deleted meanwhile, and another was made in its place.", present.RepositoryName)
	}
	return err
}
