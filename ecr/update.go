package ecr

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A part is one of the changes of an update. It makes one call to AWS, which
// can be repeated.
type part struct {
	name   string // its key in the request
	apply  func(context.Context, ...request.Option) error
	isDone func(*Repository) bool // whether the repository is as this part makes it

	tried  bool
	err    error
	unsure bool // the part failed, but it may be done all the same
}

// UpdateRepository applies the settings to the repository, and returns the
// repository after that. Tags are merged into the present ones. They are set
// first, because AWS may refuse their keys or values, and then nothing else
// must change. The other parts are set at the same time. The error says which
// parts were applied all the same. Sending the same update again completes the
// change.
func (c *Client) UpdateRepository(ctx context.Context, present *Repository, s Settings) (*Repository, error) {
	tags, others := c.parts(present.RepositoryName, s)
	err := c.applyAll(ctx, present, tags)
	if err == nil {
		err = c.applyAll(ctx, present, others)
	}
	var updated *Repository
	if err == nil {
		updated, err = c.Repository(ctx, present.RepositoryName)
	}
	if err != nil {
		return nil, withParts(err, slices.Concat(tags, others))
	}
	return updated, nil
}

// withParts adds to the error which parts are applied and which are unknown.
func withParts(err error, parts []*part) error {
	var applied, unknown []string
	for _, p := range parts {
		switch {
		case p.tried && p.err == nil:
			applied = append(applied, p.name)
		case p.unsure:
			unknown = append(unknown, p.name)
		}
	}
	return common.WithOutcome(err, applied, unknown)
}

// applyAll applies the parts at the same time and returns the first error. A
// part that fails does not stop the others. If AWS did not say whether it did a
// part, applyAll reads the repository to find out.
func (c *Client) applyAll(ctx context.Context, present *Repository, parts []*part) error {
	var group sync.WaitGroup
	for _, p := range parts {
		group.Go(func() { c.applyOne(ctx, present, p) })
	}
	group.Wait()
	if slices.ContainsFunc(parts, func(p *part) bool { return p.unsure }) {
		c.checkUnsure(ctx, present.RepositoryName, parts)
	}
	for _, p := range parts {
		if p.err != nil {
			return p.err
		}
	}
	return nil
}

func (c *Client) applyOne(ctx context.Context, present *Repository, p *part) {
	ctx, cancel := reserveTime(ctx)
	defer cancel()
	tries := new(attempts)
	p.tried = true
	p.err = c.retryIfDenied(ctx, present, func() error { return p.apply(ctx, tries.watch) })
	switch common.CodeOf(p.err) {
	case "", common.NotFound: // there is no repository to change
	default:
		p.unsure = tries.unsure
	}
}

// checkUnsure reads the repository to find out which of the failed parts are
// done all the same.
func (c *Client) checkUnsure(ctx context.Context, name string, parts []*part) {
	now, err := c.Repository(ctx, name)
	if err != nil {
		return
	}
	for _, p := range parts {
		if p.unsure && p.isDone(now) {
			p.unsure, p.err = false, nil
		}
	}
}

// parts returns what the settings change: the tags, and the rest.
func (c *Client) parts(name string, s Settings) (tags, others []*part) {
	if len(s.Tags) > 0 {
		tags = append(tags, c.tagPart(name, s.Tags))
	}
	if s.ScanOnPush != nil {
		others = append(others, c.scanPart(name, *s.ScanOnPush))
	}
	if s.ImageTagMutability != nil {
		others = append(others, c.mutabilityPart(name, *s.ImageTagMutability))
	}
	return tags, others
}

func (c *Client) tagPart(name string, tags []Tag) *part {
	in := &ecr.TagResourceInput{ResourceArn: aws.String(c.registry.ARN(name)), Tags: awsTags(tags)}
	return &part{
		name: "Tags",
		apply: func(ctx context.Context, o ...request.Option) error {
			_, err := send[struct{}](ctx, c, "TagResource", in, o...)
			return err
		},
		isDone: func(r *Repository) bool {
			return !slices.ContainsFunc(tags, func(t Tag) bool { return !slices.Contains(r.Tags, t) })
		},
	}
}

func (c *Client) scanPart(name string, scan bool) *part {
	in := &ecr.PutImageScanningConfigurationInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(scan)},
	}
	return &part{
		name: "ScanOnPush",
		apply: func(ctx context.Context, o ...request.Option) error {
			_, err := send[ecr.PutImageScanningConfigurationOutput](ctx, c, "PutImageScanningConfiguration", in, o...)
			return err
		},
		isDone: func(r *Repository) bool { return r.ScanOnPush == strconv.FormatBool(scan) },
	}
}

func (c *Client) mutabilityPart(name, mutability string) *part {
	in := &putImageTagMutabilityInput{RepositoryName: aws.String(name), ImageTagMutability: aws.String(mutability)}
	return &part{
		name: "ImageTagMutability",
		apply: func(ctx context.Context, o ...request.Option) error {
			_, err := send[putImageTagMutabilityOutput](ctx, c, "PutImageTagMutability", in, o...)
			return err
		},
		isDone: func(r *Repository) bool { return r.ImageTagMutability == mutability },
	}
}
