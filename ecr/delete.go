package ecr

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// DeleteRepository deletes the repository, which was just read, and all its
// images. Where AWS did not tell whether it did, it looks whether the repository
// is gone.
func (c *Client) DeleteRepository(ctx context.Context, present *Repository) error {
	tries := new(attempts)
	err := c.delete(ctx, present, tries)
	switch {
	case err == nil || !tries.unsure:
		return err
	case common.CodeOf(err) == common.NotFound:
		return nil
	}
	now := c.stillThere(ctx, present)
	if common.CodeOf(now) == common.NotFound {
		return nil
	}
	return common.Leaving(reason(err, now), nil, thePart)
}

func (c *Client) delete(ctx context.Context, present *Repository, tries *attempts) error {
	ctx, cancel := leaveTime(ctx)
	defer cancel()
	input := &ecr.DeleteRepositoryInput{RepositoryName: aws.String(present.RepositoryName), Force: aws.Bool(true)}
	return c.insist(ctx, present, func() error {
		_, err := c.api.DeleteRepositoryWithContext(ctx, input, c.signed, tries.watch, c.onlyThis(present, tries))
		return Translate(err)
	})
}

// onlyThis makes a request one that is not repeated blindly after an attempt that
// may have deleted the repository: somebody may have made another of that name.
// Where it cannot be told whether the repository is there still, the attempt's own
// failure stands.
func (c *Client) onlyThis(present *Repository, tries *attempts) request.Option {
	return func(r *request.Request) {
		r.Handlers.AfterRetry.PushBack(func(r *request.Request) {
			if r.Error != nil || !tries.unsure { // there is no repeat, or it is harmless
				return
			}
			switch err := c.stillThere(r.Context(), present); common.CodeOf(err) {
			case "":
			case common.NotFound:
				r.Error = err
			default:
				r.Error = tries.failure
			}
		})
	}
}
