package ecr

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Image is an image to add with AddImage. Every field may be empty.
type Image struct {
	Tags     []string
	Digest   string // empty means that of the manifest
	Manifest string // empty means one that no other image has
	// Files, by their names, are in a layer that can be pulled. There is a manifest
	// then, of Docker's media types unless MediaType is OCI's.
	Files        map[string]string
	Architecture string // of an image with Files, which is for linux; empty means amd64
	// Parts make the image an index of these images, which are added too. One that
	// is an Attestation says how the first one was built.
	Parts       []Image
	Attestation bool
	// Referrers, such as signatures, are added after the image, and refer to it.
	Referrers    []Image
	Size         int64     // of all layers, in bytes; 0 means what the manifest says
	PushedAt     time.Time // zero means now
	MediaType    string    // of the manifest; empty means Docker's
	ArtifactType string    // media type of the configuration; empty means Docker's
	Scan         *Scan     // nil means that the image was never scanned
	PulledAt     time.Time // zero means that the image was never pulled
	Status       string    // ACTIVE, ARCHIVED or ACTIVATING; empty means ACTIVE
	ArchivedAt   time.Time // zero means never; for an image that is not ACTIVE, PushedAt
	ActivatedAt  time.Time // when it was last brought back from the archive; zero means never
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
	_, err := s.addWhole(p, repository, img, descriptor{})
	return err
}

// addWhole adds an image with its parts and referrers. It returns the descriptor
// of the image. The subject is that of a referrer, and empty for others.
func (s *Store) addWhole(p service.Place, repository string, img Image, subject descriptor) (added descriptor, err error) {
	if img.PushedAt.IsZero() {
		img.PushedAt = s.now()
	}
	switch {
	case img.Parts != nil:
		img, err = s.addParts(p, repository, img)
	case img.Files != nil:
		img, err = s.addFiles(p, repository, img, subject)
	}
	if err != nil {
		return added, err
	}
	i, err := img.complete()
	if err == nil {
		err = s.addOne(p, repository, i, img.Tags)
	}
	if err != nil {
		return added, err
	}
	added = descriptor{i.manifest.mediaType, int64(len(i.manifest.text)), i.digest}
	for _, referrer := range img.Referrers {
		if _, err := s.addWhole(p, repository, referrer, added); err != nil {
			return added, err
		}
	}
	return added, nil
}

// addOne puts an image into a repository, and gives it the tags.
func (s *Store) addOne(p service.Place, repository string, i *image, tags []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.existing(p, repository)
	if err != nil {
		return err
	}
	if r.images[i.digest] != nil {
		return fmt.Errorf("there is an image %s in %s", i.digest, repository)
	}
	r.addImage(i)
	for _, tag := range tags {
		r.tag(i, tag)
	}
	return nil
}

// existing returns a repository, or an error that says where it is missing.
func (s *Store) existing(p service.Place, name string) (*repository, error) {
	r := s.registry(p).repositories[name]
	if r == nil {
		return nil, fmt.Errorf("there is no repository %s in %s, %s", name, p.Account, p.Region)
	}
	return r, nil
}

// complete returns the image with a value for each field that was empty. It
// does not have its tags yet.
func (img Image) complete() (*image, error) {
	for _, tag := range img.Tags {
		if !imageTagPattern.MatchString(tag) || len(tag) > maxImageTag {
			return nil, fmt.Errorf("%q cannot be the tag of an image", tag)
		}
	}
	if err := img.checkStates(); err != nil {
		return nil, err
	}
	m, err := img.manifestOrNew()
	if err != nil {
		return nil, err
	}
	i := &image{
		digest:    cmp.Or(img.Digest, m.digest),
		manifest:  m,
		pushed:    img.PushedAt,
		pulled:    img.PulledAt,
		scan:      img.Scan,
		status:    cmp.Or(img.Status, imageActive),
		archived:  img.ArchivedAt,
		activated: img.ActivatedAt,
	}
	if !i.isActive() && i.archived.IsZero() {
		i.archived = i.pushed
	}
	return i, nil
}

// manifestOrNew returns the manifest of the image. If it has none, the manifest
// names files that nobody has.
func (img Image) manifestOrNew() (m manifest, err error) {
	mediaType := cmp.Or(img.MediaType, dockerManifest)
	artifactType := cmp.Or(img.ArtifactType, dockerConfig)
	text := img.Manifest
	if text == "" {
		text = newManifest(mediaType, descriptor{artifactType, 1472, digestOf(rand.Text())}, descriptor{dockerLayer, img.Size, digestOf(rand.Text())}, descriptor{})
	}
	if m, err = parseManifest(text, mediaType); err != nil {
		return m, err
	}
	m.size = cmp.Or(img.Size, m.size)
	if m.configType = artifactType; isIndex(m.mediaType) {
		m.configType = img.ArtifactType // it has no configuration
	}
	if img.Manifest == "" {
		m.blobs = nil
	}
	return m, nil
}

// checkStates returns an error if the image or its scan has a status that ECR
// does not know.
func (img Image) checkStates() error {
	if !slices.Contains([]string{"", imageActive, imageArchived, imageActivating}, img.Status) {
		return fmt.Errorf("%q cannot be the status of an image", img.Status)
	}
	if s := img.Scan; s != nil && s.Status != "" && !slices.Contains(scanStates, s.Status) {
		return fmt.Errorf("%q cannot be the status of a scan", s.Status)
	}
	return nil
}

// newManifest returns a manifest with one layer. The subject may be empty.
func newManifest(mediaType string, config, layer, subject descriptor) string {
	manifest := struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
		Subject       *descriptor  `json:"subject,omitempty"`
	}{SchemaVersion: 2, MediaType: mediaType, Config: config, Layers: []descriptor{layer}}
	if subject.Digest != "" {
		manifest.Subject = &subject
	}
	return string(mustMarshal(manifest))
}
