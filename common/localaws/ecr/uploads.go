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
	requests   int       // that are about its bytes, and perhaps write for long
	touched    time.Time // when the last of them ended
	layer      string    // digest of the layer that it has become, "" before that
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
// one does not have the layer, or has it in the archive only.
func (s *Store) mountLayer(c *service.Request, to *repository, from, digest string) bool {
	source := s.registry(placeOf(c, to.account)).repositories[from]
	if source == nil || source.layers[digest] == nil || source.isArchived(digest) {
		return false
	}
	if to.layers[digest] == nil { // otherwise the repository holds it already
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
	case in.Cancel || in.OnlyTell || in.Stream != nil:
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
	u, err := s.enter(c, in)
	if err != nil {
		return nil, err
	}
	defer s.leave(u)
	switch {
	case in.Cancel:
		u.Remove()
	case in.OnlyTell:
	case in.Stream != nil:
		err = s.appendStream(c, u, in)
	default:
		err = in.appendBlob(c, u)
	}
	if err != nil {
		return nil, u.failed(err)
	}
	r := u.repository
	return UploadLayerPartOutput{r.account, r.name, u.id, u.Size() - 1}, nil
}

// enter finds the upload of a request about its bytes. It stays until the
// request leaves it.
func (s *Store) enter(c *service.Request, in UploadLayerPartInput) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.findUpload(c, in, in.UploadID, in.Last)
	if err == nil {
		u.requests++
	}
	return u, err
}

func (s *Store) leave(u *upload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.requests--
	u.touched = s.now()
	if u.layer == "" && u.Removed() {
		delete(s.uploads, u.id)
	}
}

// findUpload returns the upload of an id in a repository. An upload that is a
// layer now is found only for a request that may be a repetition of its last
// one.
func (s *Store) findUpload(c *service.Request, in repositoryInput, id string, mayRepeat bool) (*upload, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	s.sweep(c.Now)
	u := s.uploads[id]
	if u == nil || u.repository != r || u.layer != "" && !mayRepeat {
		return nil, uploadNotFound(r, id)
	}
	return u, nil
}

func uploadNotFound(r *repository, id string) error {
	return service.Errorf("UploadNotFoundException", "The upload with id '%s' in the repository with name '%s' "+
		"in registry with id '%s' does not exist", id, r.name, r.account)
}

func (s *Store) appendStream(c *service.Request, u *upload, in UploadLayerPartInput) error {
	first, stream := in.FirstByte, c.Flow(in.Stream)
	if in.AnyFirst {
		first = layers.AnyFirst
	}
	if !in.Last {
		return u.Append(first, stream)
	}
	err := u.AppendLast(first, stream)
	if errors.Is(err, layers.ErrRemoved) && s.isLayer(u) {
		_, err = io.Copy(io.Discard, stream) // the client has lost the answer, and sends it again
	}
	return err
}

func (s *Store) isLayer(u *upload) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.layer != ""
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
	u, err := s.findUpload(c, in, in.UploadID, in.Lenient)
	if err != nil {
		return nil, err
	}
	if err := s.checkComplete(u, in, c.Now); err != nil {
		return nil, err
	}
	r, digest := u.repository, in.Digests[0]
	if u.layer != "" {
		err = s.finishAgain(u, digest, c.Now)
	} else {
		err = s.finish(r, u.Upload, digest, c.Now)
	}
	if err != nil {
		return nil, u.notFinished(digest, err)
	}
	u.layer, u.touched = digest, c.Now
	return CompleteLayerUploadOutput{r.account, r.name, u.id, digest}, nil
}

// finishAgain is for a client that has lost the answer. The upload must have
// become the layer, and the layer must be there.
func (s *Store) finishAgain(u *upload, digest string, now time.Time) error {
	l := u.repository.layers[digest]
	if l == nil || u.layer != digest {
		return layers.ErrRemoved
	}
	s.tell(u.repository, l, now)
	return nil
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
func (s *Store) checkComplete(u *upload, in CompleteLayerUploadInput, now time.Time) error {
	if len(in.Digests) > 1 {
		return service.Errorf("InvalidLayerException", "A layer has one digest here, and it is that of SHA-256")
	}
	if in.Lenient {
		return nil
	}
	r := u.repository
	there := r.layers[in.Digests[0]]
	switch {
	case u.Size() == 0:
		return service.Errorf("EmptyUploadException", "The upload with id '%s' in the repository with name '%s' in registry "+
			"with id '%s' cannot be completed because it does not have any parts", u.id, r.name, r.account)
	case u.SmallestPart() < minPart:
		return service.Errorf("LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB")
	case there != nil:
		s.tell(r, there, now)
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
