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
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// repositoryPart has the only part of a create or a delete.
var repositoryPart = []string{"Repository"}

// CreateRepository creates a repository of that full name, and shares it. One
// call sets everything but the sharing, so without that a create is never
// half-done. The result is made from ECR's answer to that call, because a
// Describe may not know the repository yet. If that answer was lost,
// CreateRepository looks for the repository.
func (c *Client) CreateRepository(ctx context.Context, name string, s Settings, e Encryption) (*Repository, error) {
	if s.Share == nil {
		return c.createOrFind(ctx, name, s, e)
	}
	if err := s.Share.checkLength(c.registry); err != nil {
		return nil, err
	}
	created, err := c.createOrFind(ctx, name, s, e)
	switch {
	case err != nil:
		return nil, err
	case len(s.Share.Groups) == 0: // a new repository is shared with nobody
		created.Groups = []string{}
		return created, nil
	}
	return c.shareCreated(ctx, created, *s.Share)
}

func (c *Client) createOrFind(ctx context.Context, name string, s Settings, e Encryption) (*Repository, error) {
	end := c.claims.begin(c.registry.ARN(name))
	defer end()
	tries := new(calls.Attempts)
	created, err := c.create(ctx, name, s, e, tries)
	switch {
	case err == nil:
		c.claims.add(created)
		return created, nil
	case tries.Unsure:
		return c.findCreated(ctx, name, s, e, tries, err)
	default:
		return nil, c.explainRefusal(ctx, name, err)
	}
}

// shareCreated shares a repository that was just created.
func (c *Client) shareCreated(ctx context.Context, created *Repository, s Share) (*Repository, error) {
	sharing, err := s.Set(ctx, created.RepositoryName, func(ctx context.Context) (*Policy, error) {
		return s.By.policyOfNew(ctx, created.RepositoryName)
	})
	if err != nil {
		_, unknown := calls.OutcomeOf(err)
		failed := common.WithOutcome(err, repositoryPart, unknown)
		failed.Advice = "Set " + s.Part + " by an update of the repository: the same create would find that its name is taken."
		return nil, failed
	}
	created.Groups = sharing.Groups
	return created, nil
}

// policyOfNew is Policy for a repository that was just created: a read may not
// know it yet.
func (c *Client) policyOfNew(ctx context.Context, name string) (p *Policy, err error) {
	for _, wait := range lookAfter {
		calls.Pause(ctx, wait)
		if p, err = c.Policy(ctx, name); !calls.IsGone(err) {
			break
		}
	}
	return p, err
}

func (c *Client) create(ctx context.Context, name string, s Settings, e Encryption, tries *calls.Attempts) (*Repository, error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	start := time.Now()
	out, err := send[createRepositoryOutput](ctx, c, "CreateRepository", createInput(name, s, e), tries.Watch)
	if err != nil {
		return nil, err
	}
	if out.Repository == nil { // the answer was empty
		tries.Unsure, tries.Start = true, start
		return nil, common.Errorf(common.Internal, "ECR answered the create of %q without a repository", name)
	}
	return newRepository(out.Repository, common.SortTags(slices.Clone(s.Tags))), nil
}

func createInput(name string, s Settings, e Encryption) *createRepositoryInput {
	in := &createRepositoryInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(aws.BoolValue(s.ScanOnPush))},
		ImageTagMutability:         s.ImageTagMutability,
		Tags:                       awsTags(s.Tags),

		ImageTagMutabilityExclusionFilters: awsFilters(s.ImageTagMutabilityExclusionFilters),
	}
	if e.Type != "" {
		in.EncryptionConfiguration = &ecr.EncryptionConfiguration{EncryptionType: aws.String(e.Type)}
	}
	if e.KmsKeyID != "" {
		in.EncryptionConfiguration.KmsKey = aws.String(e.KmsKeyID)
	}
	return in
}

// findCreated ends a create after an attempt that may have done the work
// without saying so. If this create has made the repository, it returns the
// repository. Otherwise the error says that the name was taken before, or what
// failed.
func (c *Client) findCreated(ctx context.Context, name string, s Settings, e Encryption, tries *calls.Attempts, failure error) (*Repository, error) {
	found, err := c.Repository(ctx, name)
	switch {
	case common.CodeOf(err) == common.OtherOrg: // it exists, and its tag names another org
		return nil, c.alreadyExists(name, failure)
	case err != nil:
		return nil, common.WithOutcome(calls.UnknownReason(failure, err), nil, repositoryPart)
	case !c.clock.MayBeAfter(tries.Start, found.CreatedAt.Time) || c.claims.has(found):
		return nil, c.alreadyExists(name, failure)
	case matchesRequest(found, s, e) && c.claims.take(found):
		return found, nil
	default: // somebody made it just now, and somebody may have changed it since
		return nil, common.WithOutcome(c.alreadyExists(name, failure), nil, repositoryPart)
	}
}

// matchesRequest tells whether the repository has all settings and tags that
// the create asked for. An alias of a KMS key cannot be compared, because ECR
// shows the key and not its alias.
func matchesRequest(r *Repository, s Settings, e Encryption) bool {
	key := e.KmsKeyID
	return slices.Equal(r.Tags, common.SortTags(slices.Clone(s.Tags))) &&
		r.ScanOnPush == strconv.FormatBool(aws.BoolValue(s.ScanOnPush)) &&
		r.hasMutability(cmp.Or(aws.StringValue(s.ImageTagMutability), ecr.ImageTagMutabilityMutable), s.ImageTagMutabilityExclusionFilters) &&
		r.EncryptionType == cmp.Or(e.Type, ecr.EncryptionTypeAes256) &&
		(key == "" || key == r.KmsKeyID || strings.HasSuffix(r.KmsKeyID, "/"+key) || strings.Contains(key, "alias/"))
}

// explainRefusal returns the error for a create that AWS refused. If the
// repository exists, the error says so: AWS may check the tags of the existing
// repository before it checks whether the name is free. If the repository is
// another org's, AWS denies even the read.
func (c *Client) explainRefusal(ctx context.Context, name string, refusal error) error {
	if !isDenied(refusal) {
		return refusal
	}
	_, err := c.describe(ctx, name)
	switch {
	case err == nil && isDeniedByRole(refusal): // not because of its tags: see the log
		conflict := c.alreadyExists(name, refusal)
		conflict.Cause = refusal
		return conflict
	case err == nil || c.isOthers(ctx, name, err):
		return c.alreadyExists(name, refusal)
	case isDeniedByRole(err) || common.CodeOf(err) == common.RepositoryNotFound:
		return refusal
	default: // nobody knows why it was refused
		return err
	}
}

// alreadyExists returns the error that AWS would have answered if it checked
// the name first. It keeps AWS's id of the failure. A denial is not its cause,
// or the log would look as if the role lacked a permission.
func (c *Client) alreadyExists(name string, failure error) *common.Error {
	conflict := &common.Error{
		Code:    common.RepositoryExists,
		Message: "The repository with name '" + name + "' already exists in the registry with id '" + c.registry.Account + "'",
		AWSCode: ecr.ErrCodeRepositoryAlreadyExistsException,
		Cause:   failure,
	}
	if isDenied(failure) {
		conflict.Cause = nil
	}
	if e := new(common.Error); errors.As(failure, &e) {
		conflict.AWSRequestID = e.AWSRequestID
	}
	return conflict
}
