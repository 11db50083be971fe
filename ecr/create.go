package ecr

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

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
	defer c.claims.begin(c.registry.ARN(name))()
	tries := new(attempts)
	created, err := c.create(ctx, name, s, e, tries)
	switch {
	case err == nil:
		c.claims.add(created)
		return created, nil
	case tries.unsure:
		return c.lostCreate(ctx, name, s, e, tries, err)
	default:
		return nil, c.orExists(ctx, name, err)
	}
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
	start := time.Now()
	out, err := c.api.CreateRepositoryWithContext(ctx, input, c.signed, tries.watch)
	if err != nil {
		return nil, Translate(err)
	}
	if out.Repository == nil { // an answer cut off: the SDK takes it for success
		tries.unsure, tries.start = true, start
		return nil, common.Errorf(common.Internal, "ECR created %q and told nothing of it", name)
	}
	return newRepository(out.Repository, sorted(slices.Clone(s.Tags))), nil
}

// lostCreate answers a create of which some attempt may have done the work
// without saying so: with the repository that it has made, that the name was
// taken before, or with the failure.
func (c *Client) lostCreate(ctx context.Context, name string, s Settings, e Encryption, tries *attempts, failure error) (*Repository, error) {
	found, err := c.Repository(ctx, name)
	switch {
	case deniedBySessionPolicy(err): // it is there, and tagged as another org's
		return nil, exists(name, failure)
	case err != nil:
		return nil, common.Leaving(reason(failure, err), nil, thePart)
	case !c.clock.covers(tries.start, found.created) || c.claims.has(found):
		return nil, exists(name, failure)
	case isAsked(found, s, e) && c.claims.take(found):
		return found, nil
	default: // made just now, and perhaps changed since, by whomever
		return nil, common.Leaving(exists(name, failure), nil, thePart)
	}
}

// isAsked tells whether the repository is in every way as a create asked for it.
// Only an alias of a KMS key cannot be compared: ECR tells the key.
func isAsked(r *Repository, s Settings, e Encryption) bool {
	key := e.KmsKeyID
	return slices.Equal(r.Tags, sorted(slices.Clone(s.Tags))) &&
		r.ScanOnPush == strconv.FormatBool(aws.BoolValue(s.ScanOnPush)) &&
		r.ImageTagMutability == cmp.Or(aws.StringValue(s.ImageTagMutability), ecr.ImageTagMutabilityMutable) &&
		r.EncryptionType == cmp.Or(e.Type, ecr.EncryptionTypeAes256) &&
		(key == "" || key == r.KmsKeyID || strings.HasSuffix(r.KmsKeyID, "/"+key) || strings.Contains(key, "alias/"))
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
