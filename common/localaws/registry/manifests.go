package registry

import (
	"crypto/sha256"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
)

// maxManifest is the size of the largest manifest, in bytes.
const maxManifest = 4 << 20

// getManifest answers with a manifest as it was pushed. It converts none to a
// media type that the client would like better.
func (q *request) getManifest() error {
	id, err := q.imageID()
	if err != nil {
		return err
	}
	out, err := do[ecr.BatchGetImageOutput](q, "BatchGetImage", q.images(id))
	if err != nil {
		return err
	}
	if len(out.Failures) > 0 {
		return failureOf(out.Failures[0])
	}
	image := out.Images[0]
	h := q.w.Header()
	h.Set("Content-Type", image.MediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(image.Manifest)))
	h.Set("Docker-Content-Digest", image.ID.Digest)
	_, _ = io.WriteString(q.w, image.Manifest) // an error means that the client has hung up
	return nil
}

// images returns the input of an operation on an image.
func (q *request) images(id ecr.ImageID) ecr.BatchGetImageInput {
	return ecr.BatchGetImageInput{BatchInput: ecr.BatchInput{RepositoryID: q.repository, IDs: []ecr.ImageID{id}}}
}

// putManifest adds an image. If the repository has it already, that is a success
// for the client.
func (q *request) putManifest() error {
	id, err := q.imageID()
	if err != nil {
		return err
	}
	manifest, done, err := q.login.ReadBody(maxManifest)
	if err != nil {
		return err
	}
	defer done()
	mediaType, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	in := &ecr.PutImageInput{
		RepositoryID: q.repository,
		Manifest:     string(manifest),
		MediaType:    mediaType,
		Tag:          id.Tag,
		Digest:       id.Digest,
		Strict:       true,
	}
	_, err = do[ecr.PutImageOutput](q, "PutImage", in)
	if err != nil && !hasCode(err, "ImageAlreadyExistsException") {
		return rename(err, "InvalidParameterException", http.StatusBadRequest, codeManifestInvalid)
	}
	if subject := in.Subject(); subject != "" {
		q.w.Header().Set("OCI-Subject", subject)
	}
	q.created("/manifests/", fmt.Sprintf("sha256:%x", sha256.Sum256(manifest)))
	return nil
}

// created answers that the repository has a new image or layer.
func (q *request) created(kind, digest string) {
	q.w.Header().Set("Location", q.path(kind+digest))
	q.w.Header().Set("Docker-Content-Digest", digest)
	q.w.WriteHeader(http.StatusCreated)
}

// deleteManifest removes an image, or only a tag of it, as BatchDeleteImage does.
func (q *request) deleteManifest() error {
	id, err := q.imageID()
	if err != nil {
		return err
	}
	out, err := do[ecr.BatchDeleteImageOutput](q, "BatchDeleteImage", q.images(id).BatchInput)
	if err != nil {
		return err
	}
	if len(out.Failures) > 0 {
		return failureOf(out.Failures[0])
	}
	q.w.WriteHeader(http.StatusAccepted)
	return nil
}
