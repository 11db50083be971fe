package ecr

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// manifest is what ECR reads from the manifest of an image.
type manifest struct {
	text         string
	digest       string
	mediaType    string
	artifactType string            // its own, else the media type of the configuration
	configType   string            // media type of the configuration
	size         int64             // of the layers, in bytes; an index has no layers
	blobs        []string          // digests of configuration and layers that must be there
	children     []string          // digests of the images in an index
	subject      string            // digest of the image that this one refers to
	annotations  map[string]string // those that ListImageReferrers tells
}

// maxManifest is the length of the longest manifest, in characters.
const maxManifest = 4 << 20

// Media types from which ECR recognizes the kind of an image.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
	ociLayer       = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Beginnings of media types.
const (
	dockerSchema1     = "application/vnd.docker.distribution.manifest.v1+"
	dockerForeign     = "application/vnd.docker.image.rootfs.foreign."
	ociNondistributed = "application/vnd.oci.image.layer.nondistributable."
)

// descriptor is how a manifest names a blob or another manifest.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"`
	Digest    string `json:"digest"`
}

// isForeign reports whether the bytes are elsewhere, and not in a registry.
func (d descriptor) isForeign() bool {
	return strings.HasPrefix(d.MediaType, dockerForeign) || strings.HasPrefix(d.MediaType, ociNondistributed)
}

// manifestJSON is the text of a manifest, as far as ECR reads it.
type manifestJSON struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Manifests     []descriptor      `json:"manifests"`
	Subject       descriptor        `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// parseManifest reads a manifest. It does not check that what the manifest names
// is there.
func parseManifest(text, mediaType string) (manifest, error) {
	read, err := readManifest(text, mediaType)
	if err != nil {
		return manifest{}, err
	}
	return read.manifest(text), nil
}

// readManifest reads the text of a manifest. The media type given comes from
// beside the manifest, and may be empty.
func readManifest(text, mediaType string) (read manifestJSON, err error) {
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return read, invalidParameter("ImageManifest", "Invalid JSON syntax")
	}
	if read.MediaType, err = read.mediaType(mediaType); err != nil {
		return read, err
	}
	return read, read.checkSizes()
}

// manifest returns what is kept of a manifest with this text.
func (m manifestJSON) manifest(text string) manifest {
	kept := manifest{
		text:         text,
		digest:       digestOf(text),
		mediaType:    m.MediaType,
		artifactType: cmp.Or(m.ArtifactType, m.Config.MediaType),
		configType:   m.Config.MediaType,
		blobs:        digests(m.own()),
		subject:      m.Subject.Digest,
	}
	for _, layer := range m.Layers {
		kept.size += layer.Size
	}
	if isIndex(m.MediaType) {
		kept.children = digests(m.Manifests)
	}
	if kept.subject != "" {
		kept.annotations = m.Annotations
	}
	return kept
}

// mediaType returns the media type of the manifest. The one given comes from
// beside the manifest, and may be empty.
func (m manifestJSON) mediaType(given string) (string, error) {
	switch {
	case given == "":
		given = m.MediaType
	case m.MediaType != "" && m.MediaType != given:
		return "", invalidParameter("imageManifestMediaType", "does not match the mediaType of the manifest")
	}
	switch {
	case m.SchemaVersion == 1 || strings.HasPrefix(given, dockerSchema1):
		return "", invalidParameter("ImageManifest", "Docker image manifests of schema version 1 are not supported")
	case given == "":
		return "", service.Errorf("InvalidParameterException", "image manifest mediatype not provided in manifest or parameter")
	}
	return given, nil
}

// checkSizes returns an error if a size is negative, or if the sum of all is
// larger than a number can be.
func (m manifestJSON) checkSizes() error {
	var sum int64
	for _, d := range slices.Concat([]descriptor{m.Config, m.Subject}, m.Manifests, m.Layers) {
		switch {
		case d.Size < 0:
			return invalidParameter("imageManifest", fmt.Sprintf("a size must not be negative, as %d is", d.Size))
		case d.Size > math.MaxInt64-sum:
			return invalidParameter("imageManifest", "the sizes together are too large")
		}
		sum += d.Size
	}
	return nil
}

// own returns the configuration and the layers, without those that are foreign.
// An index has none.
func (m manifestJSON) own() (own []descriptor) {
	if m.Config.Digest != "" {
		own = append(own, m.Config)
	}
	for _, layer := range m.Layers {
		if !layer.isForeign() {
			own = append(own, layer)
		}
	}
	return own
}

// digests returns the digests of descriptors, each once.
func digests(of []descriptor) []string {
	var list []string
	for _, d := range of {
		if d.Digest != "" {
			list = append(list, d.Digest)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func digestOf[Text string | []byte](text Text) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

// isIndex reports whether a manifest of a media type lists images of several
// platforms.
func isIndex(mediaType string) bool {
	return strings.Contains(mediaType, "manifest.list") || strings.Contains(mediaType, "image.index")
}

// kind returns the media type that tells what the image is: that of an index, or
// that of the configuration.
func (m manifest) kind() string {
	if isIndex(m.mediaType) {
		return m.mediaType
	}
	return cmp.Or(m.configType, m.mediaType)
}

// isScannable reports whether basic scanning can scan the image.
func (m manifest) isScannable() bool {
	return !isIndex(m.mediaType) && (m.configType == dockerConfig || m.configType == ociConfig)
}
