package registry

import (
	"fmt"
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
	// If reading fails, the client gets too few bytes. Then net/http closes the
	// connection.
	w := &rangeWriter{ResponseWriter: q.w}
	http.ServeContent(w, q.Request, "", time.Time{}, layer)
	if w.refused {
		return problem{http.StatusRequestedRangeNotSatisfiable, codeSizeInvalid,
			fmt.Sprintf("the Range %.100q does not fit a layer of %d bytes", q.Header.Get("Range"), out.Size)}
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
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Docker-Content-Digest", q.reference)
	h.Set("Etag", `"`+q.reference+`"`)
}

// rangeWriter leaves out the answer of http.ServeContent to a bad range, which is
// plain text.
type rangeWriter struct {
	http.ResponseWriter
	refused bool
}

// WriteHeader keeps back the status of a bad range.
func (w *rangeWriter) WriteHeader(status int) {
	w.refused = status == http.StatusRequestedRangeNotSatisfiable
	if !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write writes nothing of the text.
func (w *rangeWriter) Write(p []byte) (int, error) {
	if w.refused {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets the kernel send a file.
func (w *rangeWriter) ReadFrom(r io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, r) }
