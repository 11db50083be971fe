package ecr

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// blob is the bytes of a layer or a configuration.
type blob struct {
	mediaType string
	content   []byte
}

func (b blob) descriptor() descriptor {
	return descriptor{b.mediaType, int64(len(b.content)), digestOf(b.content)}
}

// newFiles returns the configuration and the layer of an image with files. It
// has nothing to run.
func newFiles(img Image) (config, layer blob, err error) {
	content, err := newTar(img.Files)
	if err != nil {
		return config, layer, err
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(content); err != nil {
		return config, layer, err
	}
	if err := w.Close(); err != nil {
		return config, layer, err
	}
	config = blob{dockerConfig, newConfig(digestOf(content), img)}
	layer = blob{dockerLayer, zipped.Bytes()}
	if img.MediaType == ociManifest {
		config.mediaType, layer.mediaType = ociConfig, ociLayer
	}
	config.mediaType = cmp.Or(img.ArtifactType, config.mediaType)
	return config, layer, nil
}

// newTar returns a tar file. The same files give the same bytes.
func newTar(files map[string]string) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

// newConfig returns the configuration of an image with one layer. The digest is
// that of the layer before compression.
func newConfig(diffID string, img Image) []byte {
	type rootfs struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	return mustMarshal(struct {
		Architecture string    `json:"architecture"`
		OS           string    `json:"os"`
		Created      time.Time `json:"created"`
		Config       struct{}  `json:"config"`
		RootFS       rootfs    `json:"rootfs"`
	}{Architecture: img.architecture(), OS: "linux", Created: img.PushedAt.UTC(), RootFS: rootfs{"layers", []string{diffID}}})
}

// mustMarshal is for values that can always be marshalled.
func mustMarshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func (img Image) architecture() string { return cmp.Or(img.Architecture, "amd64") }

// addFiles returns the image with a manifest of its files, and puts the files
// into the repository. Only an OCI manifest can have a subject.
func (s *Store) addFiles(p service.Place, repository string, img Image, subject descriptor) (Image, error) {
	img.MediaType = cmp.Or(img.MediaType, dockerManifest)
	if subject.Digest != "" {
		img.MediaType = ociManifest
	}
	config, content, err := newFiles(img)
	if err != nil {
		return img, err
	}
	for _, b := range []blob{config, content} {
		if err := s.addBlob(p, repository, b.content); err != nil {
			return img, err
		}
	}
	img.ArtifactType = config.mediaType
	img.Manifest = newManifest(img.MediaType, config.descriptor(), content.descriptor(), subject)
	return img, nil
}

// A part is how an index names an image.
type part struct {
	descriptor
	Platform    platform          `json:"platform"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// addParts adds the parts of an index, and returns the index with its manifest.
func (s *Store) addParts(p service.Place, repository string, img Image) (Image, error) {
	index := struct {
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
		Manifests     []part `json:"manifests"`
	}{SchemaVersion: 2, MediaType: ociIndex}
	for _, one := range img.Parts {
		one.PushedAt = img.PushedAt
		added, err := s.addWhole(p, repository, one, descriptor{})
		if err != nil {
			return img, err
		}
		named := part{descriptor: added, Platform: platform{one.architecture(), "linux"}}
		if one.Attestation {
			named.Platform = platform{"unknown", "unknown"}
			named.Annotations = map[string]string{
				"vnd.docker.reference.type":   "attestation-manifest",
				"vnd.docker.reference.digest": index.Manifests[0].Digest,
			}
		}
		index.Manifests = append(index.Manifests, named)
	}
	img.MediaType, img.Manifest = ociIndex, string(mustMarshal(index))
	return img, nil
}

// addBlob puts bytes into a repository directly.
func (s *Store) addBlob(p service.Place, repository string, content []byte) error {
	u := s.files.NewUpload()
	defer u.Remove()
	if err := u.Append(0, bytes.NewReader(content)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.existing(p, repository)
	if err != nil {
		return err
	}
	return s.finish(r, u, digestOf(content), s.now())
}
