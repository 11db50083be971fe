package localaws

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Image is an image for AddImage. All of it may be empty.
type Image struct {
	Tags         []string
	Digest       string    // empty: of the manifest
	Manifest     string    // empty: one is made up, different for every image
	Size         int64     // of all layers; 0: as the manifest says
	PushedAt     time.Time // zero: now
	MediaType    string    // of the manifest; empty: Docker's
	ArtifactType string    // media type of the configuration; empty: Docker's
	Scan         *Scan     // nil: it was never scanned
}

// AddRepository adds a repository directly: nobody calls, and no policy is asked.
func (s *Server) AddRepository(account, region, name string, tags map[string]string) error {
	p, err := s.known(account, region)
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkTags(tagList(tags)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registry(p).repositories[name] != nil {
		return fmt.Errorf("localaws: there is a repository %s in %s, %s", name, account, region)
	}
	r := newRepository(p, name, s.now())
	maps.Copy(r.tags, tags)
	s.add(p, r)
	return nil
}

// AddImage adds an image directly, to a repository that exists. Tags of other images move to it.
func (s *Server) AddImage(account, region, repository string, img Image) error {
	p, err := s.known(account, region)
	if err != nil {
		return err
	}
	i, err := img.made(s.now())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.registry(p).repositories[repository]
	if r == nil {
		return fmt.Errorf("localaws: there is no repository %s in %s, %s", repository, account, region)
	}
	if r.images[i.digest] != nil {
		return fmt.Errorf("localaws: there is an image %s in %s", i.digest, repository)
	}
	r.addImage(i)
	for _, tag := range img.Tags {
		r.tag(i, tag)
	}
	return nil
}

// known returns the place, or an error if there cannot be a registry.
func (s *Server) known(account, in string) (place, error) {
	if !s.accounts[account] {
		return place{}, fmt.Errorf("localaws: there is no account %q", account)
	}
	if !region(in).valid() {
		return place{}, fmt.Errorf("localaws: there is no region %q", in)
	}
	return place{account, in}, nil
}

// made returns the image with all that was left empty made up.
func (img Image) made(now time.Time) (*image, error) {
	for _, tag := range img.Tags {
		if !imageTagPattern.MatchString(tag) || len(tag) > maxImageTag {
			return nil, fmt.Errorf("localaws: %q cannot be the tag of an image", tag)
		}
	}
	mediaType, artifactType := img.MediaType, img.ArtifactType
	if mediaType == "" {
		mediaType = dockerManifest
	}
	if artifactType == "" {
		artifactType = dockerConfig
	}
	text := img.Manifest
	if text == "" {
		text = madeUpManifest(mediaType, artifactType, img.Size)
	}
	m, err := parseManifest(text, mediaType)
	if err != nil {
		return nil, err
	}
	if img.Size != 0 {
		m.size = img.Size
	}
	m.artifactType = artifactType
	i := &image{digest: img.Digest, manifest: m, pushed: img.PushedAt, scan: img.Scan}
	if i.digest == "" {
		i.digest = m.digest()
	}
	if i.pushed.IsZero() {
		i.pushed = now
	}
	return i, nil
}

// madeUpManifest returns the manifest of an image with one layer that is like no other.
func madeUpManifest(mediaType, artifactType string, size int64) string {
	type blob struct {
		MediaType string `json:"mediaType"`
		Size      int64  `json:"size"`
		Digest    string `json:"digest"`
	}
	text, err := json.Marshal(struct {
		SchemaVersion int    `json:"schemaVersion"`
		MediaType     string `json:"mediaType"`
		Config        blob   `json:"config"`
		Layers        []blob `json:"layers"`
	}{
		SchemaVersion: 2,
		MediaType:     mediaType,
		Config:        blob{artifactType, 1472, "sha256:" + hash(rand.Text())},
		Layers:        []blob{{dockerLayer, size, "sha256:" + hash(rand.Text())}},
	})
	return string(mustMarshal(text, err))
}
