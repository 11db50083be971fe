package ecr

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A part is one of the changes of an update. It makes one call to AWS, which
// can be repeated.
type part struct {
	name   string   // its key in the request
	wanted Settings // only what this part changes
	put    putFunc
	share  *Share // in place of put

	confirmed Settings // what AWS says that it has set
	groups    []string // with which AWS says that it is shared
	err       error
	unsure    bool // the part failed, but it may be done all the same
}

// A putFunc applies settings to the repository of that full name. It returns
// the settings that AWS confirms.
type putFunc func(ctx context.Context, name string, s Settings, o request.Option) (Settings, error)

// UpdateRepository applies the settings to the repository. Tags are merged into
// the present ones. All parts are set at the same time, and a part that fails
// does not stop the others. Then the error is that of the first failed part,
// and it says which parts are applied all the same.
//
// The result is made of the present repository and of what AWS has confirmed. A
// read right after the change might still show old values.
func (c *Client) UpdateRepository(ctx context.Context, present *Repository, s Settings) (*Repository, error) {
	if s.Share != nil {
		if err := s.Share.checkLength(c.registry); err != nil {
			return nil, err
		}
	}
	parts := c.parts(s)
	c.applyAll(ctx, present, parts)
	updated := present
	for _, p := range parts {
		if p.err != nil {
			return nil, withParts(p.err, parts)
		}
		updated = updated.with(p.confirmed)
		if p.share != nil {
			updated.Groups = p.groups
		}
	}
	return updated, nil
}

// withParts adds to the error which parts are applied and which are unknown.
func withParts(err error, parts []*part) error {
	var applied, unknown []string
	for _, p := range parts {
		switch {
		case p.err == nil:
			applied = append(applied, p.name)
		case p.unsure:
			unknown = append(unknown, p.name)
		}
	}
	return common.WithOutcome(err, applied, unknown)
}

// applyAll applies the parts at the same time. If AWS did not say whether it
// did a part, applyAll reads the repository to find out.
func (c *Client) applyAll(ctx context.Context, present *Repository, parts []*part) {
	var group sync.WaitGroup
	for _, p := range parts {
		group.Go(func() { c.applyOne(ctx, present, p) })
	}
	group.Wait()
	if slices.ContainsFunc(parts, func(p *part) bool { return p.unsure && p.share == nil }) {
		c.checkUnsure(ctx, present, parts)
	}
}

func (c *Client) applyOne(ctx context.Context, present *Repository, p *part) {
	if p.share != nil {
		p.applyShare(ctx, present.RepositoryName)
		return
	}
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	tries := new(calls.Attempts)
	same := func(ctx context.Context) error { return c.checkSame(ctx, present) }
	p.err = retryIfDenied(ctx, same, func() (err error) {
		p.confirmed, err = p.put(ctx, present.RepositoryName, p.wanted, tries.Watch)
		return err
	})
	if p.err == nil && p.confirmed.Empty() { // the answer was empty
		tries.Unsure = true
		p.err = common.Errorf(common.Internal, "ECR answered the change of %s without the new value", p.name)
	}
	switch common.CodeOf(p.err) {
	case "", common.RepositoryNotFound: // there is no repository to change
	default:
		p.unsure = tries.Unsure
	}
}

// applyShare is applyOne for the sharing, which looks itself for what became of
// it.
func (p *part) applyShare(ctx context.Context, name string) {
	sharing, err := p.share.Set(ctx, name, func(ctx context.Context) (*Policy, error) { return p.share.By.Policy(ctx, name) })
	if err != nil {
		_, unknown := calls.OutcomeOf(err)
		p.err, p.unsure = err, len(unknown) > 0
		return
	}
	p.groups = sharing.Groups
}

// checkUnsure reads the repository to find out which of the failed parts are
// done all the same. Another repository of the same name does not tell.
func (c *Client) checkUnsure(ctx context.Context, present *Repository, parts []*part) {
	now, err := c.Repository(ctx, present.RepositoryName)
	if err != nil || !now.CreatedAt.Equal(present.CreatedAt.Time) {
		return
	}
	for _, p := range parts {
		if p.unsure && p.share == nil && now.has(p.wanted) {
			p.confirmed, p.unsure, p.err = p.wanted, false, nil
		}
	}
}

// parts returns what the settings change, always in the same order.
func (c *Client) parts(s Settings) []*part {
	var parts []*part
	if len(s.Tags) > 0 {
		parts = append(parts, &part{name: "Tags", wanted: Settings{Tags: s.Tags}, put: c.putTags})
	}
	if s.ScanOnPush != nil {
		parts = append(parts, &part{name: "ScanOnPush", wanted: Settings{ScanOnPush: s.ScanOnPush}, put: c.putScanning})
	}
	if s.ImageTagMutability != nil {
		wanted := Settings{ImageTagMutability: s.ImageTagMutability, ImageTagMutabilityExclusionFilters: s.ImageTagMutabilityExclusionFilters}
		parts = append(parts, &part{name: "ImageTagMutability", wanted: wanted, put: c.putMutability})
	}
	if s.Share != nil {
		parts = append(parts, &part{name: s.Share.Part, share: s.Share})
	}
	return parts
}

// putTags returns the tags that it has sent, because ECR's answer has none.
func (c *Client) putTags(ctx context.Context, name string, s Settings, o request.Option) (Settings, error) {
	in := &ecr.TagResourceInput{ResourceArn: aws.String(c.registry.ARN(name)), Tags: awsTags(s.Tags)}
	_, err := send[struct{}](ctx, c, "TagResource", in, o)
	return s, err
}

func (c *Client) putScanning(ctx context.Context, name string, s Settings, o request.Option) (Settings, error) {
	in := &ecr.PutImageScanningConfigurationInput{
		RepositoryName:             aws.String(name),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: s.ScanOnPush},
	}
	out, err := send[ecr.PutImageScanningConfigurationOutput](ctx, c, "PutImageScanningConfiguration", in, o)
	if err != nil || out.ImageScanningConfiguration == nil {
		return Settings{}, err
	}
	return Settings{ScanOnPush: out.ImageScanningConfiguration.ScanOnPush}, nil
}

func (c *Client) putMutability(ctx context.Context, name string, s Settings, o request.Option) (Settings, error) {
	in := &putImageTagMutabilityInput{
		RepositoryName:                     aws.String(name),
		ImageTagMutability:                 s.ImageTagMutability,
		ImageTagMutabilityExclusionFilters: awsFilters(s.ImageTagMutabilityExclusionFilters),
	}
	out, err := send[putImageTagMutabilityOutput](ctx, c, "PutImageTagMutability", in, o)
	return Settings{
		ImageTagMutability:                 out.ImageTagMutability,
		ImageTagMutabilityExclusionFilters: filterTexts(out.ImageTagMutabilityExclusionFilters),
	}, err
}

// has tells whether the repository has the settings. It may have more tags.
func (r *Repository) has(s Settings) bool {
	return (s.ScanOnPush == nil || r.ScanOnPush == strconv.FormatBool(*s.ScanOnPush)) &&
		(s.ImageTagMutability == nil || r.hasMutability(*s.ImageTagMutability, s.ImageTagMutabilityExclusionFilters)) &&
		!slices.ContainsFunc(s.Tags, func(t common.Tag) bool { return !slices.Contains(r.Tags, t) })
}

func (r *Repository) hasMutability(mode string, exclusions []string) bool {
	return r.ImageTagMutability == mode && samePatterns(r.ImageTagMutabilityExclusionFilters, exclusions)
}

// with returns the repository with the settings.
func (r *Repository) with(s Settings) *Repository {
	updated := *r
	if s.ScanOnPush != nil {
		updated.ScanOnPush = strconv.FormatBool(*s.ScanOnPush)
	}
	if s.ImageTagMutability != nil {
		updated.ImageTagMutability = *s.ImageTagMutability
		updated.ImageTagMutabilityExclusionFilters = s.ImageTagMutabilityExclusionFilters
	}
	if len(s.Tags) > 0 {
		updated.Tags = common.MergeTags(r.Tags, s.Tags)
	}
	return &updated
}
