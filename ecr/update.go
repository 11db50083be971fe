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

// A part is one of the changes that make up an update: one AWS call, which can
// be repeated.
type part struct {
	name  string // its key in the request
	apply func(context.Context, ...request.Option) error
	done  func(*Repository) bool // tells whether the repository is as the part has it

	tried  bool
	err    error
	unsure bool // the part failed, and may be done all the same
}

// UpdateRepository applies the settings to the repository, and returns it as it
// then is. Tags are merged into the present ones. They go first, because AWS may
// refuse them for what they are, and nothing should have changed then; the other
// parts go at the same time. Its error says which parts were applied all the
// same: the same update, sent again, completes it.
func (c *Client) UpdateRepository(ctx context.Context, present *Repository, s Settings) (*Repository, error) {
	tags, others := c.parts(present.RepositoryName, s)
	failure := c.applyAll(ctx, present, tags)
	if failure == nil {
		failure = c.applyAll(ctx, present, others)
	}
	var updated *Repository
	if failure == nil {
		updated, failure = c.Repository(ctx, present.RepositoryName)
	}
	if failure == nil {
		return updated, nil
	}
	var applied, unknown []string
	for _, p := range slices.Concat(tags, others) {
		switch {
		case p.tried && p.err == nil:
			applied = append(applied, p.name)
		case p.unsure:
			unknown = append(unknown, p.name)
		}
	}
	return nil, common.Leaving(failure, applied, unknown)
}

// applyAll applies the parts at the same time and returns the first error. One
// that fails does not stop the others. Where AWS did not tell whether it did a
// part, it looks.
func (c *Client) applyAll(ctx context.Context, present *Repository, parts []*part) error {
	var group sync.WaitGroup
	for _, p := range parts {
		group.Go(func() { c.applyOne(ctx, present, p) })
	}
	group.Wait()
	if slices.ContainsFunc(parts, func(p *part) bool { return p.unsure }) {
		c.findOut(ctx, present.RepositoryName, parts)
	}
	for _, p := range parts {
		if p.err != nil {
			return p.err
		}
	}
	return nil
}

func (c *Client) applyOne(ctx context.Context, present *Repository, p *part) {
	ctx, cancel := leaveTime(ctx)
	defer cancel()
	tries := new(attempts)
	p.tried = true
	p.err = c.insist(ctx, present, func() error { return Translate(p.apply(ctx, c.signed, tries.watch)) })
	switch common.CodeOf(p.err) {
	case "", common.NotFound: // there is nothing that could be changed
	default:
		p.unsure = tries.unsure
	}
}

// findOut looks which of the parts that failed are done all the same.
func (c *Client) findOut(ctx context.Context, name string, parts []*part) {
	now, err := c.Repository(ctx, name)
	if err != nil {
		return
	}
	for _, p := range parts {
		if p.unsure && p.done(now) {
			p.unsure, p.err = false, nil
		}
	}
}

// parts returns what the settings set: the tags, and the rest.
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
	input := &ecr.TagResourceInput{ResourceArn: aws.String(c.registry.ARN(name)), Tags: awsTags(tags)}
	return &part{
		name: "Tags",
		apply: func(ctx context.Context, o ...request.Option) error {
			_, err := c.api.TagResourceWithContext(ctx, input, o...)
			return err
		},
		done: func(r *Repository) bool {
			return !slices.ContainsFunc(tags, func(t Tag) bool { return !slices.Contains(r.Tags, t) })
		},
	}
}

func (c *Client) scanPart(name string, scan bool) *part {
	input := &ecr.PutImageScanningConfigurationInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(scan)},
	}
	return &part{
		name: "ScanOnPush",
		apply: func(ctx context.Context, o ...request.Option) error {
			_, err := c.api.PutImageScanningConfigurationWithContext(ctx, input, o...)
			return err
		},
		done: func(r *Repository) bool { return r.ScanOnPush == strconv.FormatBool(scan) },
	}
}

func (c *Client) mutabilityPart(name, mutability string) *part {
	input := &ecr.PutImageTagMutabilityInput{RepositoryName: aws.String(name), ImageTagMutability: aws.String(mutability)}
	return &part{
		name: "ImageTagMutability",
		apply: func(ctx context.Context, o ...request.Option) error {
			_, err := c.api.PutImageTagMutabilityWithContext(ctx, input, o...)
			return err
		},
		done: func(r *Repository) bool { return r.ImageTagMutability == mutability },
	}
}
