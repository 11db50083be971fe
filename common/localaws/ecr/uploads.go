package ecr

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/layers"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Sizes of the parts of a layer, in bytes. They hold for uploads by the API.
const (
	partSize = 10 << 20 // what a client is told to send
	minPart  = 5 << 20  // of all parts but the last one
	maxPart  = 20 << 20
)

// upload is a layer of a repository whose bytes are coming in.
type upload struct {
	*layers.Upload
	id         string
	repository *repository
	touched    time.Time // when a request last wrote to it
}

// uploadStart is the input of InitiateLayerUpload.
type uploadStart interface {
	repositoryInput
	// mount returns the name of a repository that may have the layer, and the
	// digest of the layer. They are empty if the bytes will come.
	mount() (from, digest string)
}

func (InitiateLayerUploadInput) mount() (from, digest string) { return "", "" }

func (in MountLayerInput) mount() (from, digest string) { return in.From, in.Digest }

// decodeUploadStart reads an input. The API has no way to mount a layer.
func decodeUploadStart(c *service.Request, body []byte) (uploadStart, error) {
	return decode[InitiateLayerUploadInput](c, body)
}

// needsToStart adds the permission to read the layer where it is mounted from.
func (s *Store) needsToStart(c *service.Request, in uploadStart) []service.Permission {
	permissions := []service.Permission{s.permission(c, in)}
	if from, _ := in.mount(); from != "" {
		source := s.permissionOn(c, in.owner(c), from)
		source.Action = "ecr:GetDownloadUrlForLayer"
		permissions = append(permissions, source)
	}
	return permissions
}

func (s *Store) initiateLayerUpload(c *service.Request, in uploadStart) (any, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	s.sweep(c.Now)
	if from, digest := in.mount(); from != "" && s.mountLayer(c, r, from, digest) {
		return InitiateLayerUploadOutput{PartSize: partSize}, nil
	}
	u := &upload{Upload: s.files.NewUpload(), id: service.NewID(), repository: r, touched: c.Now}
	s.uploads[u.id] = u
	return InitiateLayerUploadOutput{UploadID: u.id, PartSize: partSize}, nil
}

// mountLayer gives a repository a layer of another one. It returns false if that
// one does not have the layer.
func (s *Store) mountLayer(c *service.Request, to *repository, from, digest string) bool {
	source := s.registry(placeOf(c, to.account)).repositories[from]
	if source == nil || source.layers[digest] == nil {
		return false
	}
	if to.layers[digest] == nil {
		s.files.Hold(digest)
	}
	s.addLayer(to, digest, source.layers[digest].size, c.Now)
	return true
}

// Check checks the sizes of the part. Where the bytes begin is checked when the
// upload is known.
func (in UploadLayerPartInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	switch {
	case in.UploadID == "":
		return invalidParameter("uploadId", "must not be null")
	case in.Cancel || in.Stream != nil:
		return nil
	case in.FirstByte < 0:
		return invalidParameter("partFirstByte", "Member must have value greater than or equal to 0")
	case in.LastByte < 0:
		return invalidParameter("partLastByte", "Member must have value greater than or equal to 0")
	case in.Blob == nil:
		return invalidParameter("layerPartBlob", "must not be null")
	case len(in.Blob) > maxPart:
		return invalidParameter("layerPartBlob", "Member must have length less than or equal to 20971520")
	}
	return nil
}

// uploadLayerPart does not hold the lock while bytes flow.
func (s *Store) uploadLayerPart(c *service.Request, in UploadLayerPartInput) (any, error) {
	u, err := s.lookUp(c, in)
	if err != nil {
		return nil, err
	}
	if in.Cancel {
		s.cancel(u)
	} else if err := s.appendPart(c, u, in); err != nil {
		return nil, u.failed(err)
	}
	r := u.repository
	return UploadLayerPartOutput{r.account, r.name, u.id, u.Size() - 1}, nil
}

// lookUp is findUpload for a caller that does not hold the lock.
func (s *Store) lookUp(c *service.Request, in UploadLayerPartInput) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findUpload(c, in, in.UploadID)
}

// findUpload returns the upload of an id in a repository.
func (s *Store) findUpload(c *service.Request, in repositoryInput, id string) (*upload, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	s.sweep(c.Now)
	u := s.uploads[id]
	if u == nil || u.repository != r {
		return nil, uploadNotFound(r, id)
	}
	return u, nil
}

func uploadNotFound(r *repository, id string) error {
	return service.Errorf("UploadNotFoundException", "The upload with id '%s' in the repository with name '%s' "+
		"in registry with id '%s' does not exist", id, r.name, r.account)
}

func (s *Store) cancel(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, u.id)
	u.Remove()
}

// appendPart adds a part. That may take long, so the upload is idle from the end
// on.
func (s *Store) appendPart(c *service.Request, u *upload, in UploadLayerPartInput) error {
	appendBytes := in.appendBlob
	if in.Stream != nil {
		appendBytes = in.appendStream
	}
	err := appendBytes(c, u)
	s.mu.Lock()
	defer s.mu.Unlock()
	u.touched = s.now()
	return err
}

func (in UploadLayerPartInput) appendStream(c *service.Request, u *upload) error {
	first := in.FirstByte
	if in.AnyFirst {
		first = layers.AnyFirst
	}
	return u.Append(first, c.Flow(in.Stream))
}

// appendBlob adds the whole part or nothing. A part that the upload ends with is
// there already: the client has lost the answer and sends it again.
func (in UploadLayerPartInput) appendBlob(c *service.Request, u *upload) error {
	if in.LastByte-in.FirstByte+1 != int64(len(in.Blob)) || len(in.Blob) == 0 {
		return errPartSize
	}
	if _, err := io.Copy(io.Discard, c.Flow(bytes.NewReader(in.Blob))); err != nil {
		return err
	}
	err := u.Append(in.FirstByte, bytes.NewReader(in.Blob))
	if errors.Is(err, layers.ErrOutOfOrder) && u.EndsWith(in.FirstByte, in.Blob) {
		return nil
	}
	return err
}

var errPartSize = errors.New("the size of the part is not what its first and last byte say")

// failed returns the answer to a part that was not added.
func (u *upload) failed(err error) error {
	switch {
	case errors.Is(err, layers.ErrRemoved):
		return uploadNotFound(u.repository, u.id)
	case errors.Is(err, layers.ErrBusy), errors.Is(err, layers.ErrOutOfOrder), errors.Is(err, errPartSize):
		return u.invalidPart(err)
	}
	return storeError(err)
}

func (u *upload) invalidPart(reason error) error {
	r, size := u.repository, u.Size()
	failure := service.Errorf("InvalidLayerPartException", "The layer part of the upload with id '%s' in the repository with "+
		"name '%s' in registry with id '%s' is invalid: %v. The upload has %d bytes", u.id, r.name, r.account, reason, size)
	failure.Extra = map[string]any{"registryId": r.account, "repositoryName": r.name, "uploadId": u.id}
	if size > 0 {
		failure.Extra["lastValidByteReceived"] = size - 1
	}
	return failure
}

// Check checks the list of digests.
func (in CompleteLayerUploadInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if in.UploadID == "" {
		return invalidParameter("uploadId", "must not be null")
	}
	if err := checkLayerDigests(in.Digests); err != nil {
		return err
	}
	for _, digest := range in.Digests {
		if !digestPattern.MatchString(digest) {
			return invalidParameter("layerDigests", "Member must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
		}
	}
	return nil
}

func (s *Store) completeLayerUpload(c *service.Request, in CompleteLayerUploadInput) (any, error) {
	u, err := s.findUpload(c, in, in.UploadID)
	if err != nil {
		return nil, err
	}
	if err := u.checkComplete(in); err != nil {
		return nil, err
	}
	r, digest := u.repository, in.Digests[0]
	if err := s.finish(r, u.Upload, digest, c.Now); err != nil {
		return nil, u.notFinished(digest, err)
	}
	delete(s.uploads, u.id)
	return CompleteLayerUploadOutput{r.account, r.name, u.id, digest}, nil
}

// finish makes a layer of an upload.
func (s *Store) finish(r *repository, u *layers.Upload, digest string, now time.Time) error {
	if err := u.Finish(digest); err != nil {
		return err
	}
	if r.layers[digest] != nil {
		s.files.Release(digest) // the repository holds it already
	}
	s.addLayer(r, digest, u.Size(), now)
	return nil
}

// checkComplete checks what only the upload and its repository tell.
func (u *upload) checkComplete(in CompleteLayerUploadInput) error {
	if len(in.Digests) > 1 {
		return service.Errorf("InvalidLayerException", "A layer has one digest here, and it is that of SHA-256")
	}
	if in.Lenient {
		return nil
	}
	r := u.repository
	switch {
	case u.Size() == 0:
		return service.Errorf("EmptyUploadException", "The upload with id '%s' in the repository with name '%s' in registry "+
			"with id '%s' cannot be completed because it does not have any parts", u.id, r.name, r.account)
	case u.SmallestPart() < minPart:
		return service.Errorf("LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB")
	case r.layers[in.Digests[0]] != nil:
		return service.Errorf("LayerAlreadyExistsException", "The layer with digest '%s' already exists in the repository "+
			"with name '%s' in registry with id '%s'", in.Digests[0], r.name, r.account)
	}
	return nil
}

// notFinished returns the answer to an upload that did not become a layer.
func (u *upload) notFinished(digest string, err error) error {
	var other layers.DigestError
	if errors.As(err, &other) {
		return service.Errorf("InvalidLayerException", "The layer digest '%s' does not match the digest '%s' calculated from the bytes",
			digest, other.Computed)
	}
	return u.failed(fmt.Errorf("the upload cannot be completed: %w", err))
}
