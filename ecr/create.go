package ecr

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// thePart is the one part of a change that creates or deletes.
var thePart = []string{"Repository"}

// CreateRepository creates a repository of that full name. One call sets
// everything, so there is no state in between. The answer is made from ECR's
// own: a Describe may not know the repository yet. Where that answer was lost,
// it looks for what it has made.
func (c *Client) CreateRepository(ctx context.Context, name string, s Settings, e Encryption) (*Repository, error) {
	tries := new(attempts)
	created, err := c.create(ctx, name, s, e, tries)
	switch common.CodeOf(err) {
	case "":
		c.claims.take(created)
		return created, nil
	case common.BadRequest: // so no attempt has made it
		return nil, err
	}
	if !tries.unsure {
		return nil, c.orExists(ctx, name, err)
	}
	return c.lostCreate(ctx, name, s, e, tries, err)
}

func (c *Client) create(ctx context.Context, name string, s Settings, e Encryption, tries *attempts) (*Repository, error) {
	ctx, cancel := leaveTime(ctx)
	defer cancel()
	input := &ecr.CreateRepositoryInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(aws.BoolValue(s.ScanOnPush))},
		ImageTagMutability:         s.ImageTagMutability,
		Tags:                       awsTags(s.Tags),
	}
	if e.Type != "" {
		input.EncryptionConfiguration = &ecr.EncryptionConfiguration{EncryptionType: aws.String(e.Type)}
	}
	if e.KmsKeyID != "" {
		input.EncryptionConfiguration.KmsKey = aws.String(e.KmsKeyID)
	}
	out, err := c.api.CreateRepositoryWithContext(ctx, input, c.signed, tries.watch)
	if err != nil {
		return nil, Translate(err)
	}
	return newRepository(out.Repository, sorted(slices.Clone(s.Tags))), nil
}

// lostCreate answers a create of which some attempt may have done the work
// without saying so: with the repository that it has made, that the name was
// taken before, or with the failure.
func (c *Client) lostCreate(ctx context.Context, name string, s Settings, e Encryption, tries *attempts, failure error) (*Repository, error) {
	found, err := c.Repository(ctx, name)
	switch {
	case err == nil && isAsked(found, s, e) && c.clock.covers(tries.start, found.created) && c.claims.take(found):
		return found, nil
	case err == nil || deniedBySessionPolicy(err):
		return nil, exists(name, failure)
	default:
		return nil, common.Leaving(reason(failure, err), nil, thePart)
	}
}

// isAsked tells whether the repository is in every way as a create asked for it.
func isAsked(r *Repository, s Settings, e Encryption) bool {
	return slices.Equal(r.Tags, sorted(slices.Clone(s.Tags))) &&
		r.ScanOnPush == strconv.FormatBool(aws.BoolValue(s.ScanOnPush)) &&
		(s.ImageTagMutability == nil || *s.ImageTagMutability == r.ImageTagMutability) &&
		(e.Type == "" || e.Type == r.EncryptionType)
}

// orExists returns the refusal of a create, or that the repository exists, where
// that was the reason: AWS refuses by the present tags before it looks whether
// the name is free. A repository that the session's own policy denies is there:
// it is denied for its tags.
func (c *Client) orExists(ctx context.Context, name string, refusal error) error {
	if !deniedByECR(refusal) {
		return refusal
	}
	switch _, err := c.describe(ctx, name); {
	case err == nil || deniedBySessionPolicy(err):
		return exists(name, refusal)
	case common.CodeOf(err) == common.NotFound:
		return refusal
	default: // nobody knows why it was refused
		return err
	}
}

// exists says that the name is taken, with what AWS answered.
func exists(name string, failure error) error {
	conflict := common.Error{Cause: failure}
	if e := new(common.Error); errors.As(failure, &e) {
		conflict = *e
	}
	conflict.Code, conflict.Message = common.Conflict, "The repository "+name+" exists already."
	return &conflict
}
