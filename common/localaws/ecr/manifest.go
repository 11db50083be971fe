package ecr

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// manifest is what ECR reads from the manifest of an image.
type manifest struct {
	text         string
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
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerLayer    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	ociConfig      = "application/vnd.oci.image.config.v1+json"
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
	var parsed manifestJSON
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return manifest{}, invalidParameter("ImageManifest", "Invalid JSON syntax")
	}
	mediaType, err := parsed.mediaType(mediaType)
	if err != nil {
		return manifest{}, err
	}
	m := manifest{
		text:         text,
		mediaType:    mediaType,
		artifactType: parsed.ArtifactType,
		configType:   parsed.Config.MediaType,
		blobs:        parsed.blobs(),
		subject:      parsed.Subject.Digest,
	}
	if m.artifactType == "" {
		m.artifactType = m.configType
	}
	for _, layer := range parsed.Layers {
		m.size += layer.Size
	}
	if m.isIndex() {
		m.children = digests(parsed.Manifests)
	}
	if m.subject != "" {
		m.annotations = parsed.Annotations
	}
	return m, nil
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

// blobs returns the digests of configuration and layers, each once. Those of
// foreign layers are left out.
func (m manifestJSON) blobs() []string {
	var own []descriptor
	for _, d := range append([]descriptor{m.Config}, m.Layers...) {
		if !d.isForeign() {
			own = append(own, d)
		}
	}
	return digests(own)
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

func (m manifest) digest() string { return digestOf(m.text) }

func digestOf[Text string | []byte](text Text) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

// isIndex reports whether the manifest lists images of several platforms.
func (m manifest) isIndex() bool {
	return strings.Contains(m.mediaType, "manifest.list") || strings.Contains(m.mediaType, "image.index")
}

// isScannable reports whether basic scanning can scan the image.
func (m manifest) isScannable() bool {
	return !m.isIndex() && (m.configType == dockerConfig || m.configType == ociConfig)
}
