package ecr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// manifestTypes are the media types of manifests that docker pushes and pulls.
// An artifact of OCI has that of an image.
var manifestTypes = []string{dockerManifest, dockerList, ociManifest, ociIndex}

var sha256Pattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// checkWhole returns an error unless the manifest has all that docker needs to
// pull the image. It does not check that what the manifest names is there.
func (m manifestJSON) checkWhole() error {
	if !slices.Contains(manifestTypes, m.MediaType) {
		return invalidParameter("imageManifestMediaType", fmt.Sprintf("must be one of %s, not %.100q", strings.Join(manifestTypes, ", "), m.MediaType))
	}
	if m.SchemaVersion != 2 {
		return invalidParameter("imageManifest", fmt.Sprintf("the schemaVersion must be 2, not %d", m.SchemaVersion))
	}
	check := m.checkImage
	if isIndex(m.MediaType) {
		check = m.checkIndex
	}
	if err := check(); err != nil {
		return err
	}
	if m.Subject == (descriptor{}) {
		return nil
	}
	return checkDigests("subject", m.Subject)
}

// checkImage checks the manifest of an image. One that could also be an index is
// not the same image for every client (CVE-2021-41190).
func (m manifestJSON) checkImage() error {
	switch {
	case m.Config == (descriptor{}):
		return invalidParameter("imageManifest", "the manifest of an image must have a config")
	case len(m.Manifests) > 0:
		return invalidParameter("imageManifest", "the manifest of an image must not have manifests")
	}
	if err := checkDigests("config", m.Config); err != nil {
		return err
	}
	return checkDigests("layer", m.Layers...)
}

func (m manifestJSON) checkIndex() error {
	if m.Config != (descriptor{}) || len(m.Layers) > 0 {
		return invalidParameter("imageManifest", "an index must not have a config or layers")
	}
	return checkDigests("image of the index", m.Manifests...)
}

// checkDigests returns an error unless each descriptor has a digest.
func checkDigests(kind string, of ...descriptor) error {
	for _, d := range of {
		if !sha256Pattern.MatchString(d.Digest) {
			return invalidParameter("imageManifest", fmt.Sprintf("the digest of a %s must be sha256: and 64 hexadecimal digits, not %.100q", kind, d.Digest))
		}
	}
	return nil
}
