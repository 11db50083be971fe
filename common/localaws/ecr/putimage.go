package ecr

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// ImageOutput is an image on the wire, with its manifest.
type ImageOutput struct {
	RegistryID     string  `json:"registryId"`
	RepositoryName string  `json:"repositoryName"`
	ID             ImageID `json:"imageId"`
	Manifest       string  `json:"imageManifest"`
	MediaType      string  `json:"imageManifestMediaType"`
}

func (r *repository) imageOutput(i *image, tag string) ImageOutput {
	return ImageOutput{r.account, r.name, ImageID{i.digest, tag}, i.manifest.text, i.manifest.mediaType}
}

// PutImageInput adds an image, or a tag to an image that is there. It is used by
// a pointer: Check keeps the manifest that it has parsed, because others wait
// during the work.
type PutImageInput struct {
	RepositoryID
	Manifest  string `json:"imageManifest"`
	MediaType string `json:"imageManifestMediaType"`
	Tag       string `json:"-"` // decodePutImage reads it
	Digest    string `json:"-"` // as the tag
	// Strict demands a manifest with which docker can pull the image, and that
	// all layers have been uploaded.
	Strict bool `json:"-"`

	parsed manifest
	layers []descriptor // that must be there, with the configuration
}

func decodePutImage(c *service.Request, body []byte) (*PutImageInput, error) {
	in, err := service.DecodeJSON[struct {
		PutImageInput
		optionalID
	}](body)
	if err != nil {
		return nil, err
	}
	c.Repository = in.RepositoryName
	id, err := in.optionalID.id()
	in.PutImageInput.Digest, in.PutImageInput.Tag = id.Digest, id.Tag
	return &in.PutImageInput, err
}

// Subject returns the digest of the image to which the manifest refers, "" if it
// refers to none. It is known after Check.
func (in *PutImageInput) Subject() string { return in.parsed.subject }

// Check checks the tag, the digest and the manifest.
func (in *PutImageInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	switch {
	case in.Manifest == "":
		return invalidParameter("imageManifest", "must not be null")
	case utf8.RuneCountInString(in.Manifest) > maxManifest:
		return invalidParameter("imageManifest", "Member must have length less than or equal to 4194304")
	case in.Tag != "" && !imageTagPattern.MatchString(in.Tag):
		return invalidParameter("imageTag", "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]*'")
	case in.Digest != "" && !digestPattern.MatchString(in.Digest):
		return invalidParameter("imageDigest", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
	}
	if err := checkTagLength(in.Tag); err != nil {
		return err
	}
	return in.parse()
}

func (in *PutImageInput) parse() error {
	read, err := readManifest(in.Manifest, in.MediaType)
	if err != nil {
		return err
	}
	if in.Strict {
		if err := read.checkWhole(); err != nil {
			return err
		}
		in.layers = read.own()
	}
	in.parsed = read.manifest(in.Manifest)
	return nil
}

// PutImageOutput has the image.
type PutImageOutput struct {
	Image ImageOutput `json:"image"`
}

// putImage looks for the layers first. So a client that pushes a whole image
// learns what is missing, also if the API has put the image without layers.
func (s *Store) putImage(c *service.Request, in *PutImageInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	m, digest := in.parsed, in.parsed.digest
	if in.Digest != "" && in.Digest != digest {
		return nil, service.Errorf("ImageDigestDoesNotMatchException", "The digest '%s' provided does not match "+
			"the digest '%s' calculated from the image manifest", in.Digest, digest)
	}
	if err := r.checkNamed(in); err != nil {
		return nil, err
	}
	if err := r.checkPut(digest, in.Tag); err != nil {
		return nil, err
	}
	i := r.images[digest]
	switch {
	case i == nil:
		i = &image{digest: digest, manifest: m, pushed: c.Now, status: imageActive}
		r.scanPushed(i, c.Now)
		r.addImage(i)
	case !i.isActive():
		r.restore(i, c.Now)
	}
	if in.Tag != "" {
		r.tag(i, in.Tag)
	}
	return PutImageOutput{r.imageOutput(i, in.Tag)}, nil
}

// checkPut returns an error if an image with this digest cannot get the tag.
func (r *repository) checkPut(digest, tag string) error {
	i := r.images[digest]
	switch {
	case i != nil && i.isActive() && (tag == "" || slices.Contains(i.tags, tag)):
		return service.Errorf("ImageAlreadyExistsException", "Image with digest '%s' and tag '%s' already exists "+
			"in the repository with name '%s' in registry with id '%s'", digest, tag, r.name, r.account)
	case tag != "" && r.tagged[tag] != nil && r.tagged[tag] != i && r.mutability.isFixed(tag):
		return service.Errorf("ImageTagAlreadyExistsException", "The image tag '%s' already exists in the '%s' repository "+
			"and cannot be overwritten because the tag is immutable.", tag, r.name)
	case i == nil && len(r.images) >= maxImages:
		return service.Errorf("LimitExceededException", "The maximum number of images, %d, "+
			"in the repository with name '%s' is reached", maxImages, r.name)
	case i != nil && len(i.tags) >= maxImageTags:
		return service.Errorf("LimitExceededException", "Adding tag '%s' to an image in the repository with name '%s' "+
			"in registry with id '%s' exceeds the maximum allowed number of tags per image which is '%d'",
			tag, r.name, r.account, maxImageTags)
	}
	return nil
}

// checkNamed returns an error if something is missing that the manifest names, or
// if a layer has another size.
func (r *repository) checkNamed(in *PutImageInput) error {
	const format = "%s with digests '[%s]' required for pushing image into repository with name '%s' in the registry with id '%s' do not exist"
	if missing := missingFrom(r.images, in.parsed.children); missing != "" {
		return service.Errorf("ReferencedImagesNotFoundException", format, "Images", missing, r.name, r.account)
	}
	if !in.Strict {
		return nil
	}
	if missing := missingFrom(r.layers, in.parsed.blobs); missing != "" {
		return service.Errorf("LayersNotFoundException", format, "Layers", missing, r.name, r.account)
	}
	for _, d := range in.layers {
		if size := r.layers[d.Digest].size; size != d.Size {
			return invalidParameter("imageManifest", fmt.Sprintf("the layer %s has %d bytes, not %d", d.Digest, size, d.Size))
		}
	}
	return nil
}

// maxListed is how many digests an error lists.
const maxListed = 10

// missingFrom returns the digests that are not there, separated by commas. After
// the first ones it tells only how many there are.
func missingFrom[Item any](there map[string]Item, digests []string) string {
	var missing []string
	for _, digest := range digests {
		if _, ok := there[digest]; !ok {
			missing = append(missing, digest)
		}
	}
	if more := len(missing) - maxListed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(missing[:maxListed], ", "), more)
	}
	return strings.Join(missing, ", ")
}

// BatchGetImageInput asks for the manifests of images.
type BatchGetImageInput struct {
	BatchInput
	Accepted []string `json:"acceptedMediaTypes"`
}

// BatchGetImageOutput has the images, and why others are not among them.
type BatchGetImageOutput struct {
	Images   []ImageOutput  `json:"images"`
	Failures []ImageFailure `json:"failures"`
}

// batchGetImage returns manifests as they were put. ECR converts a manifest to
// a format that the caller accepts. Here a format that the caller does not
// accept is not found.
func (s *Store) batchGetImage(c *service.Request, in BatchGetImageInput) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	out := BatchGetImageOutput{Images: []ImageOutput{}, Failures: []ImageFailure{}}
	for _, id := range in.IDs {
		i, failure := r.lookup(id)
		if failure == nil {
			failure = i.checkPull(id, in.Accepted)
		}
		if failure != nil {
			out.Failures = append(out.Failures, *failure)
			continue
		}
		i.pulled = c.Now
		out.Images = append(out.Images, r.imageOutput(i, id.Tag))
	}
	return out, nil
}

// checkPull returns a failure if the image is in the archive, or if the caller
// does not accept its format.
func (i *image) checkPull(id ImageID, accepted []string) *ImageFailure {
	switch {
	case !i.isActive():
		return &ImageFailure{id, "ImageInaccessible", "Requested image is archived"}
	case accepted != nil && !slices.Contains(accepted, i.manifest.mediaType):
		return &ImageFailure{id, "ImageNotFound", "Requested image not found"}
	}
	return nil
}
