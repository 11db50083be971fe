package registry

import (
	"crypto/sha256"
	"encoding/json"
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
	q.w.Header().Set("Content-Type", image.MediaType)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(image.Manifest)))
	q.w.Header().Set("Docker-Content-Digest", image.ID.Digest)
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
	manifest, err := q.readManifest()
	if err != nil {
		return err
	}
	mediaType, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	_, err = do[ecr.PutImageOutput](q, "PutImage", ecr.PutImageInput{
		RepositoryID: q.repository,
		Manifest:     string(manifest),
		MediaType:    mediaType,
		Tag:          id.Tag,
		Digest:       id.Digest,
		Strict:       true,
	})
	if err != nil && !hasCode(err, "ImageAlreadyExistsException") {
		return rename(err, "InvalidParameterException", http.StatusBadRequest, codeManifestInvalid)
	}
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(manifest))
	if subject := subjectOf(manifest); subject != "" {
		q.w.Header().Set("OCI-Subject", subject)
	}
	q.created("/manifests/", digest)
	return nil
}

func (q *request) readManifest() ([]byte, error) {
	manifest, err := io.ReadAll(io.LimitReader(q.Body, maxManifest+1))
	if err != nil {
		return nil, problem{http.StatusBadRequest, codeManifestInvalid, "the manifest could not be read: " + err.Error()}
	}
	if len(manifest) > maxManifest {
		return nil, problem{http.StatusRequestEntityTooLarge, codeManifestInvalid, fmt.Sprintf("the manifest is larger than %d bytes", maxManifest)}
	}
	return manifest, nil
}

// subjectOf returns the digest of the image to which a manifest refers, "" if it
// refers to none.
func subjectOf(manifest []byte) string {
	var m struct {
		Subject struct {
			Digest string `json:"digest"`
		} `json:"subject"`
	}
	if json.Unmarshal(manifest, &m) != nil || checkDigest(m.Subject.Digest) != nil {
		return ""
	}
	return m.Subject.Digest
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
