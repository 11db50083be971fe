package ecr

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Image is an image to add with AddImage. Every field may be empty.
type Image struct {
	Tags         []string
	Digest       string    // empty means that of the manifest
	Manifest     string    // empty means one that no other image has
	Size         int64     // of all layers, in bytes; 0 means what the manifest says
	PushedAt     time.Time // zero means now
	MediaType    string    // of the manifest; empty means Docker's
	ArtifactType string    // media type of the configuration; empty means Docker's
	Scan         *Scan     // nil means that the image was never scanned
}

// AddRepository adds a repository directly, without checking a policy.
func (s *Store) AddRepository(p service.Place, name string, tags map[string]string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkTags(service.TagList(tags)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registry(p).repositories[name] != nil {
		return fmt.Errorf("there is a repository %s in %s, %s", name, p.Account, p.Region)
	}
	r := s.newRepository(p, name, s.now())
	maps.Copy(r.tags, tags)
	s.add(p, r)
	return nil
}

// AddImage adds an image directly to a repository that exists. If other images
// have its tags, they lose them.
func (s *Store) AddImage(p service.Place, repository string, img Image) error {
	i, err := img.complete(s.now())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.registry(p).repositories[repository]
	if r == nil {
		return fmt.Errorf("there is no repository %s in %s, %s", repository, p.Account, p.Region)
	}
	if r.images[i.digest] != nil {
		return fmt.Errorf("there is an image %s in %s", i.digest, repository)
	}
	r.addImage(i)
	for _, tag := range img.Tags {
		r.tag(i, tag)
	}
	return nil
}

// complete returns the image with a value for each field that was empty. It
// does not have its tags yet.
func (img Image) complete(now time.Time) (*image, error) {
	for _, tag := range img.Tags {
		if !imageTagPattern.MatchString(tag) || len(tag) > maxImageTag {
			return nil, fmt.Errorf("%q cannot be the tag of an image", tag)
		}
	}
	mediaType := cmp.Or(img.MediaType, dockerManifest)
	artifactType := cmp.Or(img.ArtifactType, dockerConfig)
	text := img.Manifest
	if text == "" {
		text = newManifest(mediaType, artifactType, img.Size)
	}
	m, err := parseManifest(text, mediaType)
	if err != nil {
		return nil, err
	}
	m.size = cmp.Or(img.Size, m.size)
	m.artifactType = artifactType
	i := &image{digest: cmp.Or(img.Digest, m.digest()), manifest: m, pushed: img.PushedAt, scan: img.Scan}
	if i.pushed.IsZero() {
		i.pushed = now
	}
	return i, nil
}

// newManifest returns a manifest with one layer that no other manifest has.
func newManifest(mediaType, artifactType string, size int64) string {
	type blob struct {
		MediaType string `json:"mediaType"`
		Size      int64  `json:"size"`
		Digest    string `json:"digest"`
	}
	text, _ := json.Marshal(struct { // strings and numbers can always be marshalled
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
		Config        blob   `json:"config"`
		Layers        []blob `json:"layers"`
	}{
		SchemaVersion: 2,
		MediaType:     mediaType,
		Config:        blob{artifactType, 1472, digestOf(rand.Text())},
		Layers:        []blob{{dockerLayer, size, digestOf(rand.Text())}},
	})
	return string(text)
}
