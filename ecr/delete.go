package ecr

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// DeleteRepository deletes the repository, which was just read, and all its
// images. If AWS did not say whether it did that, DeleteRepository checks
// whether the repository is gone.
func (c *Client) DeleteRepository(ctx context.Context, present *Repository) error {
	tries := new(attempts)
	err := c.delete(ctx, present, tries)
	switch {
	case err == nil || !tries.unsure:
		return err
	case common.CodeOf(err) == common.RepositoryNotFound:
		return nil
	}
	readErr := c.checkSame(ctx, present)
	if common.CodeOf(readErr) == common.RepositoryNotFound {
		return nil
	}
	return common.WithOutcome(unknownReason(err, readErr), nil, repositoryPart)
}

func (c *Client) delete(ctx context.Context, present *Repository, tries *attempts) error {
	ctx, cancel := reserveTime(ctx)
	defer cancel()
	in := &ecr.DeleteRepositoryInput{RepositoryName: aws.String(present.RepositoryName), Force: aws.Bool(true)}
	return c.retryIfDenied(ctx, present, func() error {
		_, err := send[ecr.DeleteRepositoryOutput](ctx, c, "DeleteRepository", in, tries.watch, c.onlyIfSame(present, tries))
		return err
	})
}

// onlyIfSame is an option for the request of a delete. An attempt may have
// deleted the repository without saying so, and somebody may have made another
// one of the same name. So before the next attempt it checks whether the
// repository is still the same. If it cannot find out, there is no further
// attempt, and the error is that of the last attempt.
func (c *Client) onlyIfSame(present *Repository, tries *attempts) request.Option {
	return func(r *request.Request) {
		r.Handlers.AfterRetry.PushBack(func(r *request.Request) {
			if r.Error != nil || !tries.unsure { // there is no further attempt, or it does no harm
				return
			}
			switch err := c.checkSame(r.Context(), present); common.CodeOf(err) {
			case "":
			case common.RepositoryNotFound:
				r.Error = err
			default:
				r.Error = tries.failure
			}
		})
	}
}
