package ecr

import (
	"context"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A Policy is the policy of a repository, as it was read.
type Policy struct {
	document *policyDocument
	registry common.Registry
}

// Sharing returns what the policy says about sharing with groups of that org.
func (p *Policy) Sharing(org string) *Sharing { return p.document.sharing(p.registry, org) }

// Policy reads the policy of the repository of that full name.
func (c *Client) Policy(ctx context.Context, name string) (*Policy, error) {
	document, err := c.policy(ctx, name)
	if err != nil {
		return nil, err
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

// checkLength returns an error if the share does not even fit into a policy that
// has nothing else.
func (s Share) checkLength(owner common.Registry) error {
	var none *policyDocument
	return none.checkLength(s, owner)
}

// Set changes with whom the repository of that full name is shared. It returns
// the sharing that AWS shows afterwards. Statements of the policy that are not
// ours stay.
//
// AWS has no versions of a policy, and a write replaces the whole of it. So Set
// reads the policy, changes it, writes it, and reads it again. In this process
// two changes of one policy run one after the other. If somebody else has changed
// it at the same time, so that it does not have what was written, the error is a
// SharingChanged.
func (s Share) Set(ctx context.Context, name string, read func(context.Context) (*Policy, error)) (*Sharing, error) {
	c := s.By
	end, err := c.turns.Wait(ctx, c.registry.ARN(name), "Other changes of the sharing of this repository took too long.")
	if err != nil {
		return nil, err
	}
	defer end()
	before, err := read(ctx)
	if err != nil {
		return nil, err
	}
	if s.Accounts == nil {
		s.Accounts = before.Sharing(s.Org).Accounts
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
		return p.sharing(p.before), nil
	}
	if err := p.before.checkLength(p.share, p.registry); err != nil {
		return nil, err
	}
	p.after = p.before.with(p.ours)
	err := p.write(ctx)
	switch {
	case p.absent:
		return p.sharing(p.after), nil
	case err == nil && p.deletedMore():
		return nil, p.restore(ctx)
	case err == nil || p.tries.Unsure && !calls.IsGone(err):
		return p.confirm(ctx, err)
	case p.seen.is(written):
		return p.sharing(p.seen.document), nil
	case p.seen.is(changed):
		return nil, p.conflict()
	default:
		return nil, p.explainRefusal(err)
	}
}

// sharing returns what a document says.
func (p *policyChange) sharing(d *policyDocument) *Sharing { return d.sharing(p.registry, p.share.Org) }

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
	gone, named := p.before.withGonePrincipal(), p.before.withPrincipals()
	switch {
	case gone != "":
		told.Code = common.PrincipalGone
		told.Message = "AWS refuses the repository's policy, because its " + gone + " names a user or a role that is gone: " +
			e.Message + ". Remove that statement in AWS."
		if p.addsAccounts() {
			told.Message += " Perhaps one of the new accounts does not exist, either."
		}
	case p.addsAccounts():
		told.Message += ". Perhaps one of the accounts does not exist, or has this region switched off."
	case named != "":
		told.Code = common.PrincipalGone
		told.Message = "AWS refuses the repository's policy: " + e.Message +
			". The reason is probably a user, a role or an account that is gone, in what is not the service's: " + named + ". Look at it in AWS."
	}
	return &told
}

// addsAccounts tells whether the repository was not shared with one of the
// accounts before.
func (p *policyChange) addsAccounts() bool {
	present := p.sharing(p.before).Accounts
	return slices.ContainsFunc(p.share.Accounts, func(id string) bool { return !slices.Contains(present, id) })
}

// set writes the policy, or deletes it if no statement is left.
func (p *policyChange) set(ctx context.Context) error {
	options := []request.Option{p.tries.Watch, p.repeatIfUnchanged}
	if p.after != nil {
		in := &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String(p.name), PolicyText: aws.String(p.after.String())}
		_, err := send[ecr.SetRepositoryPolicyOutput](ctx, p.Client, "SetRepositoryPolicy", in, options...)
		return err
	}
	in := &ecr.DeleteRepositoryPolicyInput{RepositoryName: aws.String(p.name)}
	out, err := send[ecr.DeleteRepositoryPolicyOutput](ctx, p.Client, "DeleteRepositoryPolicy", in, options...)
	if hasNoPolicy(err) {
		p.absent = true
		return nil
	}
	p.deleted = aws.StringValue(out.PolicyText)
	return err
}

// deletedMore tells whether AWS has deleted another policy than the one that was
// read: somebody has changed it in between.
func (p *policyChange) deletedMore() bool {
	deleted, err := parsePolicy(p.deleted)
	return err == nil && deleted.meaning() != p.before.meaning()
}

// restore writes a policy back that was deleted although somebody had changed it.
// The error is the conflict. If the policy cannot be written back, the log has it.
func (p *policyChange) restore(ctx context.Context) error {
	in := &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String(p.name), PolicyText: aws.String(p.deleted)}
	_, err := send[ecr.SetRepositoryPolicyOutput](ctx, p.Client, "SetRepositoryPolicy", in)
	if err == nil {
		return p.conflict()
	}
	lost := common.WithOutcome(p.conflict(), nil, []string{p.share.Part})
	lost.Message += " This request has deleted that policy, and could not write it back."
	lost.Cause, lost.LostPolicy = err, p.deleted
	return lost
}
