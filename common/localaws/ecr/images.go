package ecr

import (
	"iter"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// imageDetail is an image on the wire.
type imageDetail struct {
	RegistryID     string            `json:"registryId"`
	RepositoryName string            `json:"repositoryName"`
	Digest         string            `json:"imageDigest"`
	Tags           []string          `json:"imageTags,omitempty"`
	Size           int64             `json:"imageSizeInBytes,omitempty"`
	PushedAt       service.Timestamp `json:"imagePushedAt"`
	ScanStatus     *scanStatus       `json:"imageScanStatus,omitempty"`
	ScanSummary    *scanSummary      `json:"imageScanFindingsSummary,omitempty"`
	MediaType      string            `json:"imageManifestMediaType,omitempty"`
	ArtifactType   string            `json:"artifactMediaType,omitempty"`
	Subject        string            `json:"subjectManifestDigest,omitempty"`
	PulledAt       service.Timestamp `json:"lastRecordedPullTime,omitzero"`
	Status         string            `json:"imageStatus"`
	ArchivedAt     service.Timestamp `json:"lastArchivedAt,omitzero"`
	ActivatedAt    service.Timestamp `json:"lastActivatedAt,omitzero"`
}

// detail describes an image. Of enhanced scanning it says nothing, as in ECR.
func (r *repository) detail(i *image) imageDetail {
	d := imageDetail{
		RegistryID:     r.account,
		RepositoryName: r.name,
		Digest:         i.digest,
		Tags:           slices.Clone(i.tags),
		Size:           r.size(i),
		PushedAt:       service.Timestamp(i.pushed),
		MediaType:      i.manifest.mediaType,
		ArtifactType:   i.manifest.configType,
		Subject:        i.manifest.subject,
		PulledAt:       service.Timestamp(i.pulled),
		Status:         i.status,
		ArchivedAt:     service.Timestamp(i.archived),
		ActivatedAt:    service.Timestamp(i.activated),
	}
	if scan := r.scanOf(i); scan != nil && !scan.Enhanced {
		status := scan.status()
		d.ScanStatus, d.ScanSummary = &status, scan.summary()
	}
	return d
}

// size returns the size of an image in bytes. An index has that of its largest
// image, also if another index in it names that one.
func (r *repository) size(i *image) int64 {
	if len(i.manifest.children) == 0 {
		return i.manifest.size
	}
	size := i.manifest.size
	seen := map[string]bool{i.digest: true}
	for todo := slices.Clone(i.manifest.children); len(todo) > 0; todo = todo[1:] {
		child := r.images[todo[0]]
		if child == nil || seen[child.digest] {
			continue
		}
		seen[child.digest] = true
		size = max(size, child.manifest.size)
		todo = append(todo, child.manifest.children...)
	}
	return size
}

// imagesFrom yields the images in the order of their digests, starting at the
// given digest.
func (r *repository) imagesFrom(digest string) iter.Seq[*image] {
	return func(yield func(*image) bool) {
		for _, d := range r.digests.from(digest) {
			if !yield(r.images[d]) {
				return
			}
		}
	}
}

type describeImagesInput struct {
	RepositoryID
	IDs    []ImageID   `json:"imageIds"`
	Filter imageFilter `json:"filter"`
	Paging
}

func (in describeImagesInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if err := checkIDs(in.IDs); err != nil {
		return err
	}
	if err := in.Filter.check(); err != nil {
		return err
	}
	if in.IDs != nil {
		return in.Paging.checkWithout("imageIds")
	}
	return in.Paging.check()
}

type describeImagesOutput struct {
	Details   []imageDetail `json:"imageDetails"`
	NextToken string        `json:"nextToken,omitempty"`
}

func (s *Store) describeImages(c *service.Request, in describeImagesInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	if in.IDs != nil {
		return r.describeByID(in.IDs)
	}
	list := s.pages.List("images", r.arn, in.Filter.key())
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	page, last := service.Take(r.details(in.Filter, after), in.size())
	return describeImagesOutput{page, list.Token(last)}, nil
}

func (r *repository) describeByID(ids []ImageID) (any, error) {
	var out describeImagesOutput
	for _, id := range ids {
		i, err := r.get(id)
		if err != nil {
			return nil, err
		}
		out.Details = append(out.Details, r.detail(i))
	}
	return out, nil
}

// details yields the images that the filter keeps, from the first one after the
// position.
func (r *repository) details(f imageFilter, after string) iter.Seq2[string, imageDetail] {
	return func(yield func(string, imageDetail) bool) {
		for i := range r.imagesFrom(after) {
			if i.digest == after || !f.keeps(i) {
				continue
			}
			if !yield(i.digest, r.detail(i)) {
				return
			}
		}
	}
}

// ListImagesInput asks for the ids of images.
type ListImagesInput struct {
	RepositoryID
	Filter imageFilter `json:"filter"`
	Paging
}

// Check checks the filter and the page.
func (in ListImagesInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if err := in.Filter.check(); err != nil {
		return err
	}
	return in.Paging.check()
}

// ListImagesOutput is a page of ids, in the order of digests and tags.
type ListImagesOutput struct {
	IDs       []ImageID `json:"imageIds"`
	NextToken string    `json:"nextToken,omitempty"`
}

func (s *Store) listImages(c *service.Request, in ListImagesInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	list := s.pages.List("image ids", r.arn, in.Filter.key())
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	page, last := service.Take(r.ids(in.Filter, after), in.size())
	return ListImagesOutput{page, list.Token(last)}, nil
}

// ids yields an id for each tag of each image, and one id for an image without
// tags. A position is a digest and a tag.
func (r *repository) ids(f imageFilter, after string) iter.Seq2[string, ImageID] {
	const separator = " "
	digest, _, _ := strings.Cut(after, separator)
	return func(yield func(string, ImageID) bool) {
		for i := range r.imagesFrom(digest) {
			if !f.keeps(i) {
				continue
			}
			tags := i.tags
			if len(tags) == 0 {
				tags = []string{""}
			}
			for _, tag := range tags {
				at := i.digest + separator + tag
				if at > after && !yield(at, ImageID{i.digest, tag}) {
					return
				}
			}
		}
	}
}

// BatchInput is the input of operations on several images.
type BatchInput struct {
	RepositoryID
	IDs []ImageID `json:"imageIds"`
}

// Check checks the list of ids. What is wrong with one of them is a failure in
// the answer.
func (in BatchInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if in.IDs == nil {
		return invalidParameter("imageIds", "must not be null")
	}
	return checkIDs(in.IDs)
}

// BatchDeleteImageOutput has an id for each tag that was removed, and one without
// a tag for an image that had none.
type BatchDeleteImageOutput struct {
	IDs      []ImageID      `json:"imageIds"`
	Failures []ImageFailure `json:"failures"`
}

// batchDeleteImage removes the image if the id is a digest. If the id has a
// tag, it removes only the tag. An image without its last tag is removed too. An
// image is not removed while an index names it.
func (s *Store) batchDeleteImage(c *service.Request, in BatchInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	s.sweep(c.Now)
	out := BatchDeleteImageOutput{IDs: []ImageID{}, Failures: []ImageFailure{}}
	for _, id := range in.IDs {
		i, failure := r.lookup(id)
		if failure == nil {
			failure = r.checkDelete(i, id)
		}
		if failure != nil {
			out.Failures = append(out.Failures, *failure)
			continue
		}
		if id.Tag != "" {
			out.IDs = append(out.IDs, ImageID{i.digest, id.Tag})
			r.untag(id.Tag)
			continue
		}
		for _, tag := range i.tags {
			out.IDs = append(out.IDs, ImageID{i.digest, tag})
		}
		if len(i.tags) == 0 {
			out.IDs = append(out.IDs, ImageID{i.digest, ""})
		}
		r.remove(i)
	}
	return out, nil
}

// checkDelete returns a failure if the id would remove an image that an index
// names. One of several tags may go.
func (r *repository) checkDelete(i *image, id ImageID) *ImageFailure {
	if r.parents[i.digest] == 0 || id.Tag != "" && len(i.tags) > 1 {
		return nil
	}
	return &ImageFailure{id, "ImageReferencedByManifestList", "Requested image referenced by manifest list"}
}
