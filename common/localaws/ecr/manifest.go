package ecr

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// manifest is what ECR reads from the manifest of an image.
type manifest struct {
	text         string
	mediaType    string
	artifactType string // media type of the configuration
	size         int64  // of the layers, in bytes; an index has no layers
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

// parseManifest reads a manifest. It does not check that the layers have been
// uploaded, because no operation here uploads one.
func parseManifest(text, mediaType string) (manifest, error) {
	var parsed struct {
		MediaType string `json:"mediaType"`
		Config    struct {
			MediaType string `json:"mediaType"`
		} `json:"config"`
		Layers []struct {
			Size int64 `json:"size"`
		} `json:"layers"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return manifest{}, invalidParameter("ImageManifest", "Invalid JSON syntax")
	}
	switch {
	case mediaType == "":
		mediaType = parsed.MediaType
	case parsed.MediaType != "" && parsed.MediaType != mediaType:
		return manifest{}, invalidParameter("imageManifestMediaType", "does not match the mediaType of the manifest")
	}
	if mediaType == "" {
		return manifest{}, service.Errorf("InvalidParameterException", "image manifest mediatype not provided in manifest or parameter")
	}
	m := manifest{text: text, mediaType: mediaType, artifactType: parsed.Config.MediaType}
	for _, layer := range parsed.Layers {
		m.size += layer.Size
	}
	return m, nil
}

func (m manifest) digest() string { return digestOf(m.text) }

func digestOf(text string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

// isIndex reports whether the manifest lists images of several platforms.
func (m manifest) isIndex() bool {
	return strings.Contains(m.mediaType, "manifest.list") || strings.Contains(m.mediaType, "image.index")
}

// isScannable reports whether basic scanning can scan the image.
func (m manifest) isScannable() bool {
	return !m.isIndex() && (m.artifactType == dockerConfig || m.artifactType == ociConfig)
}
