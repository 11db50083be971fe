package ecr

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A Policy is the policy of a repository, as it was read.
type Policy struct {
	document *policyDocument
	registry common.Registry
}

// Sharing returns what the policy says about sharing.
func (p *Policy) Sharing() *Sharing { return p.document.sharing(p.registry) }

// Policy reads the policy of the repository of that full name.
func (c *Client) Policy(ctx context.Context, name string) (*Policy, error) {
	document, err := c.policy(ctx, name)
	if err != nil {
		return nil, c.explain(ctx, name, err)
	}
	return &Policy{document, c.registry}, nil
}

// policy returns nil if the repository has no policy.
func (c *Client) policy(ctx context.Context, name string) (*policyDocument, error) {
	in := &ecr.GetRepositoryPolicyInput{RepositoryName: aws.String(name)}
	out, err := send[ecr.GetRepositoryPolicyOutput](ctx, c, "GetRepositoryPolicy", in)
	switch {
	case hasNoPolicy(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	document, err := parsePolicy(aws.StringValue(out.PolicyText))
	if err != nil {
		return nil, &common.Error{Code: common.Internal, Message: "internal error", Cause: err}
	}
	return document, nil
}

// A Share says with whom to share a repository.
type Share struct {
	Org      string // of the groups
	Groups   []string
	Accounts []string // nil: leave them as they are
	Part     string   // name of the change in the outcome of a failure
	By       *Client  // its session may change the repository's policy
}

// Set changes with whom the repository of that full name is shared. It returns the sharing that
// AWS shows afterwards. Statements of the policy that are not ours stay.
//
// AWS has no versions of a policy, and a write replaces the whole of it. So Set
// reads the policy, changes it, writes it, and reads it again. In this process
// two changes of one policy run one after the other. If somebody else has changed
// it at the same time, so that it does not have what was written, the error is a
// SharingChanged.
func (s Share) Set(ctx context.Context, name string, read func(context.Context) (*Policy, error)) (*Sharing, error) {
	c := s.By
	end, err := c.turns.wait(ctx, c.registry.ARN(name))
	if err != nil {
		return nil, err
	}
	defer end()
	before, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if s.Accounts == nil {
		s.Accounts = before.Sharing().Accounts
	}
	p := &policyChange{
		Client: c, name: name, share: s, before: before.document,
		ours: shareWith(s.Groups, s.Accounts, c.registry, s.Org),
	}
	return p.run(ctx)
}

// run makes the change, unless the policy is as it should be already.
func (p *policyChange) run(ctx context.Context) (*Sharing, error) {
	if p.before.shares(p.ours) {
		return p.before.sharing(p.registry), nil
	}
	if err := p.before.checkLength(p.share, p.registry); err != nil {
		return nil, err
	}
	p.after = p.before.with(p.ours)
	err := p.write(ctx)
	switch {
	case p.absent:
		return p.after.sharing(p.registry), nil
	case err == nil || p.tries.unsure && !isGone(err):
		return p.confirm(ctx, err)
	case p.seen.is(written):
		return p.seen.document.sharing(p.registry), nil
	case p.seen.is(changed):
		return nil, p.conflict()
	default:
		return nil, p.explainRefusal(err)
	}
}

// conflict returns the error if somebody else has changed the policy.
func (p *policyChange) conflict() *common.Error {
	return common.Errorf(common.SharingChanged, "Somebody changed the policy of the repository %s at the same time.", p.name)
}

// explainRefusal returns the error for a policy that AWS refuses. AWS does not
// say which principal it does not find.
func (p *policyChange) explainRefusal(err error) error {
	e, refused := isInvalid(err)
	if !refused || p.after == nil {
		return err
	}
	told := *e
	if gone := p.before.withGonePrincipal(); gone != "" {
		told.Code = common.PrincipalGone
		told.Message = "AWS refuses the repository's policy, because its statement " + gone + " names a user or a role that is gone: " +
			e.Message + ". Remove that statement in AWS."
	} else if len(p.share.Accounts) > 0 {
		told.Message += ". Perhaps one of the accounts does not exist."
	}
	return &told
}

// set writes the policy, or deletes it if no statement is left.
func (p *policyChange) set(ctx context.Context) error {
	options := []request.Option{p.tries.watch, p.repeatIfUnchanged}
	if p.after != nil {
		in := &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String(p.name), PolicyText: aws.String(p.after.String())}
		_, err := send[ecr.SetRepositoryPolicyOutput](ctx, p.Client, "SetRepositoryPolicy", in, options...)
		return err
	}
	in := &ecr.DeleteRepositoryPolicyInput{RepositoryName: aws.String(p.name)}
	_, err := send[ecr.DeleteRepositoryPolicyOutput](ctx, p.Client, "DeleteRepositoryPolicy", in, options...)
	if hasNoPolicy(err) {
		p.absent = true
		return nil
	}
	return err
}
