package ecr

import (
	"iter"
	"slices"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const (
	defaultReferrers = 20 // of a page
	maxReferrers     = 50
	maxArtifactTypes = 5
)

// needsToListReferrers returns the permission BatchGetImage. AWS has no action
// for ListImageReferrers.
func (s *Store) needsToListReferrers(c *service.Request, in ListImageReferrersInput) []service.Permission {
	p := s.permission(c, in)
	p.Action = "ecr:BatchGetImage"
	return []service.Permission{p}
}

// Check checks the subject, the filter and the page.
func (in ListImageReferrersInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	status := imageFilter{ImageStatus: in.Filter.ArtifactStatus}
	switch {
	case in.Subject.Digest == "":
		return invalidParameter("subjectId.imageDigest", "must not be null")
	case !digestPattern.MatchString(in.Subject.Digest):
		return invalidParameter("subjectId.imageDigest", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	case len(in.Filter.ArtifactTypes) > maxArtifactTypes:
		return invalidParameter("filter.artifactTypes", "Member must have length less than or equal to 5")
	case status.check() != nil:
		return invalidParameter("filter.artifactStatus", "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]")
	case in.MaxResults != nil && *in.MaxResults > maxReferrers:
		return invalidParameter("maxResults", "Member must have value less than or equal to 50")
	}
	return in.Paging.check()
}

// keeps reports whether the filter keeps a referrer.
func (in ListImageReferrersInput) keeps(i *image) bool {
	types := in.Filter.ArtifactTypes
	return i.manifest.subject == in.Subject.Digest &&
		imageFilter{ImageStatus: in.Filter.ArtifactStatus}.keeps(i) &&
		(len(types) == 0 || slices.Contains(types, i.manifest.artifactType))
}

// listImageReferrers answers an empty list if the subject is not there.
func (s *Store) listImageReferrers(c *service.Request, in ListImageReferrersInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	name := append([]string{"referrers", r.arn, in.Subject.Digest, in.Filter.ArtifactStatus}, in.Filter.ArtifactTypes...)
	list := s.pages.List(name...)
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	size := defaultReferrers
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	page, last := service.Take(r.referrers(in, after), size)
	return ListImageReferrersOutput{page, list.Token(last)}, nil
}

// referrers yields the referrers from the first one after the position.
func (r *repository) referrers(in ListImageReferrersInput, after string) iter.Seq2[string, Referrer] {
	return func(yield func(string, Referrer) bool) {
		for i := range r.imagesFrom(after) {
			if i.digest != after && in.keeps(i) && !yield(i.digest, i.referrer()) {
				return
			}
		}
	}
}

func (i *image) referrer() Referrer {
	m := i.manifest
	return Referrer{i.digest, m.mediaType, int64(len(m.text)), m.artifactType, m.annotations, i.status}
}
