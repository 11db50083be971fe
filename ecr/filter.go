package ecr

import (
	"path"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// Any is the status of a Filter that selects images of every status.
const Any = "ANY"

const active = "ACTIVE" // the status of an image that can be pulled

// A Filter selects images. The zero value selects all that are active.
type Filter struct {
	Tagged       *bool     // with tags, or without; nil: both
	Tags         []string  // patterns of which a tag must match one; none: any image
	Status       string    // ACTIVE, ARCHIVED or Any; empty: ACTIVE, as ECR has it
	PushedBefore time.Time // zero: at any time
	PushedAfter  time.Time // zero: at any time
}

// keeps tells whether the filter selects the image. It knows the status of an
// image only if ECR has told it.
func (f *Filter) keeps(i *Image) bool {
	switch {
	case f.Tagged != nil && *f.Tagged != (len(i.ImageTags) > 0):
		return false
	case len(f.Tags) > 0 && !slices.ContainsFunc(i.ImageTags, func(tag string) bool { return MatchesAny(f.Tags, tag) }):
		return false
	case f.Status != Any && i.Status != nil && *i.Status != f.status():
		return false
	}
	return f.keepsTime(i)
}

// keepsTime tells whether the image was pushed when the filter says. Nobody
// knows that of an image without a time.
func (f *Filter) keepsTime(i *Image) bool {
	switch {
	case f.PushedBefore.IsZero() && f.PushedAfter.IsZero():
		return true
	case i.ImagePushedAt == nil:
		return false
	case !f.PushedBefore.IsZero() && !i.pushed().Before(f.PushedBefore):
		return false
	}
	return i.pushed().After(f.PushedAfter) || f.PushedAfter.IsZero()
}

// aws returns the part of the filter that ECR knows, or nil if it has none.
func (f *Filter) aws() *imageFilter {
	var known imageFilter
	switch {
	case f.Tagged != nil && !*f.Tagged:
		known.TagStatus = aws.String(ecr.TagStatusUntagged)
	case f.Tagged != nil || len(f.Tags) > 0:
		known.TagStatus = aws.String(ecr.TagStatusTagged)
	}
	if f.Status != "" {
		known.ImageStatus = &f.Status
	}
	if known == (imageFilter{}) {
		return nil
	}
	return &known
}

func (f *Filter) status() string {
	if f.Status == "" {
		return active
	}
	return f.Status
}

// MatchesAny tells whether a tag matches one of the patterns. In a pattern, *
// stands for any characters, or none.
func MatchesAny(patterns []string, tag string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matches, err := path.Match(pattern, tag) // a tag has no slash
		return matches && err == nil
	})
}
