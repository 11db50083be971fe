package registry

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
)

// checkBlob tells whether a layer is there, and its size.
func (q *request) checkBlob() error {
	if err := checkDigest(q.reference); err != nil {
		return err
	}
	out, err := do[ecr.BatchCheckLayerAvailabilityOutput](q, "BatchCheckLayerAvailability",
		ecr.BatchCheckLayerAvailabilityInput{RepositoryID: q.repository, Digests: []string{q.reference}})
	if err != nil {
		return err
	}
	if len(out.Layers) == 0 || out.Layers[0].Availability != ecr.LayerAvailable {
		return problem{http.StatusNotFound, codeBlobUnknown, "the layer " + q.reference + " is not in the repository"}
	}
	q.describeBlob()
	q.w.Header().Set("Accept-Ranges", "bytes")
	q.w.Header().Set("Content-Length", strconv.FormatInt(out.Layers[0].Size, 10))
	return nil
}

// getBlob answers with the bytes of a layer, or with those of a range. ECR sends
// the client to S3 for them.
func (q *request) getBlob() error {
	if err := checkDigest(q.reference); err != nil {
		return err
	}
	out, err := do[ecr.GetDownloadURLForLayerOutput](q, "GetDownloadUrlForLayer",
		ecr.GetDownloadURLForLayerInput{RepositoryID: q.repository, Digest: q.reference})
	if err != nil {
		return unknownBlob(err)
	}
	layer, err := out.Open()
	if err != nil {
		return unknownBlob(err)
	}
	defer layer.Close()
	q.describeBlob()
	read := &content{ReadSeeker: layer}
	http.ServeContent(q.w, q.Request, "", time.Time{}, read)
	if read.err != nil {
		panic(http.ErrAbortHandler) // the client has a part of the layer, and must not take it for the whole
	}
	return nil
}

func unknownBlob(err error) error {
	return rename(err, "LayersNotFoundException", http.StatusNotFound, codeBlobUnknown)
}

// describeBlob sets the headers that HEAD and GET have in common.
func (q *request) describeBlob() {
	h := q.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", q.reference)
	h.Set("Etag", `"`+q.reference+`"`)
}

// content keeps the error of reading, which http.ServeContent does not tell.
type content struct {
	io.ReadSeeker
	err error
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}
