package ecr

import (
	"bytes"
	"context"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/go-json-experiment/json/jsontext"
)

// lifecyclePart has the only part of a change of a lifecycle policy.
var lifecyclePart = []string{"Lifecycle"}

// A LifecyclePolicy is the lifecycle policy of a repository as callers see it.
type LifecyclePolicy struct {
	LifecyclePolicy jsontext.Value    // ECR's own document
	LastEvaluatedAt *common.Timestamp // nil: never
}

// Lifecycle returns the lifecycle policy of the repository.
func (c *Client) Lifecycle(ctx context.Context, name string) (*LifecyclePolicy, error) {
	in := &ecr.GetLifecyclePolicyInput{RepositoryName: aws.String(name)}
	out, err := send[ecr.GetLifecyclePolicyOutput](ctx, c, "GetLifecyclePolicy", in)
	if err != nil {
		return nil, c.explain(ctx, name, err)
	}
	policy := newLifecyclePolicy(out.LifecyclePolicyText, out.LastEvaluatedAt)
	if policy == nil {
		return nil, common.Errorf(common.Internal, "ECR told a lifecycle policy of %q that is not JSON", name)
	}
	return policy, nil
}

// newLifecyclePolicy returns nil if the text is not JSON. ECR tells 1970 of a
// policy that it has never evaluated.
func newLifecyclePolicy(text *string, evaluated *time.Time) *LifecyclePolicy {
	document := jsontext.Value(aws.StringValue(text))
	if !document.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return nil
	}
	policy := &LifecyclePolicy{LifecyclePolicy: document}
	if evaluated != nil && evaluated.Unix() != 0 {
		policy.LastEvaluatedAt = &common.Timestamp{Time: *evaluated}
	}
	return policy
}

// sameJSON tells whether two documents mean the same.
func sameJSON(a, b jsontext.Value) bool {
	one, other := a.Clone(), b.Clone()
	if one.Canonicalize() != nil || other.Canonicalize() != nil { // such as a key that comes twice
		return bytes.Equal(a, b)
	}
	return bytes.Equal(one, other)
}

// PutLifecycle makes the document the lifecycle policy of the repository, and
// returns the policy as ECR tells it. If AWS did not say whether it did that,
// PutLifecycle looks.
func (c *Client) PutLifecycle(ctx context.Context, name string, document jsontext.Value) (jsontext.Value, error) {
	tries := new(calls.Attempts)
	put, err := c.putLifecycle(ctx, name, document, tries)
	if err == nil || !tries.Unsure || common.CodeOf(err) == common.RepositoryNotFound {
		return put, err
	}
	now, readErr := c.Lifecycle(ctx, name)
	if readErr == nil && sameJSON(now.LifecyclePolicy, document) {
		return now.LifecyclePolicy, nil
	}
	return nil, common.WithOutcome(calls.UnknownReason(err, readErr), nil, lifecyclePart)
}

func (c *Client) putLifecycle(ctx context.Context, name string, document jsontext.Value, tries *calls.Attempts) (jsontext.Value, error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	in := &ecr.PutLifecyclePolicyInput{RepositoryName: aws.String(name), LifecyclePolicyText: aws.String(string(document))}
	var put *LifecyclePolicy
	err := retryIfDenied(ctx, c.isThere(name), func() error {
		out, err := send[ecr.PutLifecyclePolicyOutput](ctx, c, "PutLifecyclePolicy", in, tries.Watch)
		put = newLifecyclePolicy(out.LifecyclePolicyText, nil)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case put == nil: // the answer was empty
		tries.Unsure = true
		return nil, common.Errorf(common.Internal, "ECR answered the lifecycle policy of %q without its text", name)
	}
	return put.LifecyclePolicy, nil
}

// isThere returns a function that tells whether the repository is there, whoever
// has made it. AWS itself checks whose it is.
func (c *Client) isThere(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.tags(ctx, name)
		return err
	}
}

// DeleteLifecycle deletes the lifecycle policy of the repository, which was just
// read, and returns what it has deleted. If AWS did not say whether it did that,
// DeleteLifecycle looks. A policy that somebody has put after an attempt stays,
// unless it is the same document.
func (c *Client) DeleteLifecycle(ctx context.Context, name string, present *LifecyclePolicy) (*LifecyclePolicy, error) {
	tries := new(calls.Attempts)
	deleted, err := c.deleteLifecycle(ctx, name, present, tries)
	if err == nil || !tries.Unsure {
		return deleted, err
	}
	readErr := c.checkSameLifecycle(ctx, name, present)
	if calls.IsGone(readErr) {
		return present, nil
	}
	return nil, common.WithOutcome(calls.UnknownReason(err, readErr), nil, lifecyclePart)
}

func (c *Client) deleteLifecycle(ctx context.Context, name string, present *LifecyclePolicy, tries *calls.Attempts) (*LifecyclePolicy, error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	in := &ecr.DeleteLifecyclePolicyInput{RepositoryName: aws.String(name)}
	same := func(ctx context.Context) error { return c.checkSameLifecycle(ctx, name, present) }
	var deleted *LifecyclePolicy
	err := retryIfDenied(ctx, same, func() error {
		out, err := send[ecr.DeleteLifecyclePolicyOutput](ctx, c, "DeleteLifecyclePolicy", in, tries.Watch, tries.RepeatIfSame(same))
		deleted = newLifecyclePolicy(out.LifecyclePolicyText, out.LastEvaluatedAt)
		return err
	})
	if err == nil && deleted == nil { // the answer was empty
		deleted = present
	}
	return deleted, err
}

// checkSameLifecycle returns a LifecycleNotFound if the policy is gone, even if
// somebody has put another one since.
func (c *Client) checkSameLifecycle(ctx context.Context, name string, present *LifecyclePolicy) error {
	now, err := c.Lifecycle(ctx, name)
	if err == nil && !sameJSON(now.LifecyclePolicy, present.LifecyclePolicy) {
		return common.Errorf(common.LifecycleNotFound, "The lifecycle policy of %s is gone, and somebody has put another one.", name)
	}
	return err
}
