package ecr

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// DeleteRepository deletes the repository, which was just read, and all its
// images. If AWS did not say whether it did that, DeleteRepository checks
// whether the repository is gone.
func (c *Client) DeleteRepository(ctx context.Context, present *Repository) error {
	tries := new(calls.Attempts)
	err := c.delete(ctx, present, tries)
	switch {
	case err == nil || !tries.Unsure:
		return err
	case common.CodeOf(err) == common.RepositoryNotFound:
		return nil
	}
	readErr := c.checkSame(ctx, present)
	if common.CodeOf(readErr) == common.RepositoryNotFound {
		return nil
	}
	return common.WithOutcome(calls.UnknownReason(err, readErr), nil, repositoryPart)
}

func (c *Client) delete(ctx context.Context, present *Repository, tries *calls.Attempts) error {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	in := &ecr.DeleteRepositoryInput{RepositoryName: aws.String(present.RepositoryName), Force: aws.Bool(true)}
	same := func(ctx context.Context) error { return c.checkSame(ctx, present) }
	return retryIfDenied(ctx, same, func() error {
		_, err := send[ecr.DeleteRepositoryOutput](ctx, c, "DeleteRepository", in, tries.Watch, tries.RepeatIfSame(same))
		return err
	})
}
