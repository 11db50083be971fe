package ecr

import (
	"archive/tar"
	"bytes"
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
// is one for linux/amd64, and has nothing to run.
func newFiles(files map[string]string, created time.Time) (config, layer blob, err error) {
	content, err := newTar(files)
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
	config = blob{dockerConfig, newConfig(digestOf(content), created)}
	return config, blob{dockerLayer, zipped.Bytes()}, nil
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
func newConfig(diffID string, created time.Time) []byte {
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
	}{Architecture: "amd64", OS: "linux", Created: created.UTC(), RootFS: rootfs{"layers", []string{diffID}}})
}

// mustMarshal is for values that can always be marshalled.
func mustMarshal(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// addFiles returns the image with a manifest of its files, and puts the files
// into the repository.
func (s *Store) addFiles(p service.Place, repository string, img Image) (Image, error) {
	config, content, err := newFiles(img.Files, img.PushedAt)
	if err != nil {
		return img, err
	}
	for _, b := range []blob{config, content} {
		if err := s.addBlob(p, repository, b.content); err != nil {
			return img, err
		}
	}
	img.Manifest = newManifest(dockerManifest, config.descriptor(), content.descriptor())
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
