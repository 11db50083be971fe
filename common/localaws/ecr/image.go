package ecr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

const (
	maxImages    = 100_000 // of a repository
	maxImageTags = 1000    // of an image
	maxImageTag  = 300     // characters
)

// image is an image in a repository.
type image struct {
	digest   string
	tags     []string // in order
	manifest manifest
	pushed   time.Time
	pulled   time.Time // zero if never
	scan     *Scan     // the last one, nil if never scanned

	status              string    // imageActive or another
	archived, activated time.Time // when it was last moved, zero if never
}

func (i *image) addTag(tag string) {
	at, found := slices.BinarySearch(i.tags, tag)
	if !found {
		i.tags = slices.Insert(i.tags, at, tag)
	}
}

func (i *image) removeTag(tag string) {
	at, found := slices.BinarySearch(i.tags, tag)
	if found {
		i.tags = slices.Delete(i.tags, at, at+1)
	}
}

// tag gives the image a tag. If another image has the tag, that image loses it.
// The caller must have checked that the tag may move.
func (r *repository) tag(i *image, tag string) {
	if old := r.tagged[tag]; old != nil {
		old.removeTag(tag)
	}
	i.addTag(tag)
	r.tagged[tag] = i
}

// untag removes a tag, and with its last tag the image too.
func (r *repository) untag(tag string) {
	i := r.tagged[tag]
	delete(r.tagged, tag)
	i.removeTag(tag)
	if len(i.tags) == 0 {
		r.remove(i)
	}
}

// remove removes an image, all its tags, and the layers that no other image
// names. Fresh layers stay for a while.
func (r *repository) remove(i *image) {
	for _, tag := range i.tags {
		delete(r.tagged, tag)
	}
	delete(r.images, i.digest)
	r.digests.remove(i.digest)
	count(r.parents, i.manifest.children, -1)
	count(r.naming, i.manifest.blobs, -1)
	r.countArchived(i, -1)
	for _, digest := range i.manifest.blobs {
		r.dropLayer(digest)
	}
}

func (r *repository) addImage(i *image) {
	r.images[i.digest] = i
	r.digests.add(i.digest)
	count(r.parents, i.manifest.children, 1)
	count(r.naming, i.manifest.blobs, 1)
	r.countArchived(i, 1)
}

// count adds n to the number of each digest.
func count(numbers map[string]int, digests []string, n int) {
	for _, digest := range digests {
		numbers[digest] += n
		if numbers[digest] == 0 {
			delete(numbers, digest)
		}
	}
}

// ImageID names an image by its digest, a tag, or both.
type ImageID struct {
	Digest string `json:"imageDigest,omitempty"`
	Tag    string `json:"imageTag,omitempty"`
}

// UnmarshalJSON reads an id, and refuses an empty text in it.
func (id *ImageID) UnmarshalJSON(text []byte) error {
	var in optionalID
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	read, err := in.id()
	*id = read
	return err
}

// optionalID is an ImageID as it comes, in which an empty text differs from one
// that is missing.
type optionalID struct {
	Digest *string `json:"imageDigest"`
	Tag    *string `json:"imageTag"`
}

func (o optionalID) id() (ImageID, error) {
	var id ImageID
	for _, part := range []struct {
		name string
		from *string
		to   *string
	}{{"imageDigest", o.Digest, &id.Digest}, {"imageTag", o.Tag, &id.Tag}} {
		if part.from == nil {
			continue
		}
		if *part.from == "" {
			return id, invalidParameter(part.name, "Member must have length greater than or equal to 1")
		}
		*part.to = *part.from
	}
	return id, nil
}

// String returns the id as ECR prints it.
func (id ImageID) String() string {
	return fmt.Sprintf("{imageDigest:'%s', imageTag:'%s'}", cmp.Or(id.Digest, "null"), cmp.Or(id.Tag, "null"))
}

var (
	digestPattern   = regexp.MustCompile(`^[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+$`)
	imageTagPattern = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`)
)

// ImageFailure says why an operation on several images skipped one.
type ImageFailure struct {
	ID     ImageID `json:"imageId"`
	Code   string  `json:"failureCode"`
	Reason string  `json:"failureReason"`
}

// lookup returns the image of an id, or the reason why there is none.
func (r *repository) lookup(id ImageID) (*image, *ImageFailure) {
	switch {
	case id.Digest == "" && id.Tag == "":
		return nil, &ImageFailure{id, "MissingDigestAndTag",
			"Invalid request parameters: both tag and digest cannot be null"}
	case id.Digest != "" && !digestPattern.MatchString(id.Digest):
		return nil, &ImageFailure{id, "InvalidImageDigest",
			"Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"}
	case id.Tag != "" && !imageTagPattern.MatchString(id.Tag):
		return nil, &ImageFailure{id, "InvalidImageTag",
			"Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]*'"}
	}
	found := r.images[id.Digest]
	if id.Digest == "" {
		found = r.tagged[id.Tag]
	}
	if found == nil {
		return nil, &ImageFailure{id, "ImageNotFound", "Requested image not found"}
	}
	if id.Tag != "" && r.tagged[id.Tag] != found {
		return nil, &ImageFailure{id, "ImageTagDoesNotMatchDigest", "Image tag does not match the digest provided"}
	}
	return found, nil
}

// get returns the image of an id, or the error of an operation on one image.
func (r *repository) get(id ImageID) (*image, error) {
	i, failure := r.lookup(id)
	switch {
	case failure == nil:
		return i, nil
	case failure.Code == "ImageNotFound" || failure.Code == "ImageTagDoesNotMatchDigest":
		return nil, service.Errorf("ImageNotFoundException", "The image with imageId %s does not exist within the repository "+
			"with name '%s' in the registry with id '%s'", id, r.name, r.account)
	}
	return nil, service.Errorf("InvalidParameterException", "%s", failure.Reason)
}

// checkIDs checks a list of image ids. The list is nil if the input has none.
func checkIDs(ids []ImageID) error {
	switch {
	case ids != nil && len(ids) == 0:
		return invalidParameter("imageIds", "Member must have length greater than or equal to 1")
	case len(ids) > maxNames:
		return invalidParameter("imageIds", "Member must have length less than or equal to 100")
	}
	for _, id := range ids {
		if err := checkTagLength(id.Tag); err != nil {
			return err
		}
	}
	return nil
}

func checkTagLength(tag string) error {
	if utf8.RuneCountInString(tag) > maxImageTag {
		return invalidParameter("imageTag", "Member must have length less than or equal to 300")
	}
	return nil
}

// Values of the filter tagStatus.
const (
	statusAny      = "ANY"
	statusTagged   = "TAGGED"
	statusUntagged = "UNTAGGED"
)

// imageFilter is the filter of the operations that list images.
type imageFilter struct {
	TagStatus   string `json:"tagStatus"`
	ImageStatus string `json:"imageStatus"` // without it, only ACTIVE images are kept
}

func (f imageFilter) check() error {
	switch f.TagStatus {
	case "", statusAny, statusTagged, statusUntagged:
	default:
		return invalidParameter("filter.tagStatus", "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]")
	}
	switch f.ImageStatus {
	case "", statusAny, imageActive, imageArchived, imageActivating:
	default:
		return invalidParameter("filter.imageStatus", "Member must satisfy enum value set: [ACTIVE, ARCHIVED, ACTIVATING, ANY]")
	}
	return nil
}

func (f imageFilter) keeps(i *image) bool {
	if f.ImageStatus != statusAny && i.status != cmp.Or(f.ImageStatus, imageActive) {
		return false
	}
	switch f.TagStatus {
	case statusTagged:
		return len(i.tags) > 0
	case statusUntagged:
		return len(i.tags) == 0
	}
	return true
}

// key returns a text that is different for each filter.
func (f imageFilter) key() string {
	return f.TagStatus + "/" + f.ImageStatus
}
