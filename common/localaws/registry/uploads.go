package registry

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// startUpload begins the upload of a layer. The client may ask to take the layer
// over from another repository instead, or send the whole layer at once.
func (q *request) startUpload() error {
	query := q.URL.Query()
	if digest := query.Get("mount"); digest != "" {
		return q.mount(digest, query.Get("from"))
	}
	if digest := query.Get("digest"); digest != "" {
		return q.uploadAtOnce(digest)
	}
	return q.beginUpload()
}

func (q *request) beginUpload() error {
	id, err := q.newUpload()
	if err != nil {
		return err
	}
	q.reference = id
	q.accepted(-1)
	return nil
}

func (q *request) newUpload() (id string, err error) {
	out, err := do[ecr.InitiateLayerUploadOutput](q, "InitiateLayerUpload", ecr.InitiateLayerUploadInput{RepositoryID: q.repository})
	return out.UploadID, err
}

// mount takes a layer over from another repository of the registry. If that is
// not possible or not allowed, the client has to upload it.
func (q *request) mount(digest, from string) error {
	if err := checkDigest(digest); err != nil {
		return err
	}
	source, name, err := q.registry.resolve(from)
	if err != nil || source.account != q.repository.RegistryID || source.region != q.login.Region() {
		return q.beginUpload()
	}
	out, err := do[ecr.InitiateLayerUploadOutput](q, "InitiateLayerUpload", ecr.MountLayerInput{
		InitiateLayerUploadInput: ecr.InitiateLayerUploadInput{RepositoryID: q.repository}, From: name, Digest: digest})
	if hasCode(err, "AccessDeniedException") {
		return q.beginUpload()
	}
	if err != nil {
		return err
	}
	if out.UploadID == "" {
		q.created("/blobs/", digest)
		return nil
	}
	q.reference = out.UploadID
	q.accepted(-1)
	return nil
}

func (q *request) uploadAtOnce(digest string) error {
	if err := checkDigest(digest); err != nil {
		return err
	}
	id, err := q.newUpload()
	if err != nil {
		return err
	}
	q.reference = id
	return q.sendAndComplete(digest)
}

// showUpload tells how many bytes of an upload are there, also while another
// request is adding some.
func (q *request) showUpload() error {
	out, err := q.upload(ecr.UploadLayerPartInput{OnlyTell: true})
	if err != nil {
		return err
	}
	q.describeUpload(out.LastByteReceived)
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// continueUpload adds bytes to an upload.
func (q *request) continueUpload() error {
	out, err := q.send(ecr.UploadLayerPartInput{Stream: q.Body})
	if err != nil {
		return err
	}
	q.accepted(out.LastByteReceived)
	return nil
}

// finishUpload adds the last bytes, if there are any, and makes a layer of the
// upload.
func (q *request) finishUpload() error {
	digest := q.URL.Query().Get("digest")
	if err := checkDigest(digest); err != nil {
		return err
	}
	return q.sendAndComplete(digest)
}

func (q *request) sendAndComplete(digest string) error {
	body := bufio.NewReaderSize(q.Body, 64<<10)
	if _, err := body.Peek(1); err != io.EOF {
		if _, err := q.send(ecr.UploadLayerPartInput{Stream: body, Last: true}); err != nil {
			return err
		}
	}
	_, err := do[ecr.CompleteLayerUploadOutput](q, "CompleteLayerUpload", ecr.CompleteLayerUploadInput{
		RepositoryID: q.repository, UploadID: q.reference, Digests: []string{digest}, Lenient: true})
	if err != nil {
		return err
	}
	q.created("/blobs/", digest)
	return nil
}

func (q *request) cancelUpload() error {
	if _, err := q.upload(ecr.UploadLayerPartInput{Cancel: true}); err != nil {
		return err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// send adds bytes to the upload, at the place that the header Content-Range
// names. Without it they follow those that are there. If the place is not where
// the upload ends, the client is told where that is.
func (q *request) send(in ecr.UploadLayerPartInput) (ecr.UploadLayerPartOutput, error) {
	first, found, err := q.firstByte()
	if err != nil {
		return ecr.UploadLayerPartOutput{}, err
	}
	in.FirstByte, in.AnyFirst = first, !found
	out, err := q.upload(in)
	if last, refused := lastByte(err); refused {
		q.describeUpload(last)
	}
	return out, err
}

func (q *request) upload(in ecr.UploadLayerPartInput) (ecr.UploadLayerPartOutput, error) {
	in.RepositoryID, in.UploadID = q.repository, q.reference
	return do[ecr.UploadLayerPartOutput](q, "UploadLayerPart", in)
}

// lastByte returns the last byte of an upload, if it did not take a part because
// of its place, or because another request is adding one.
func lastByte(err error) (last int64, refused bool) {
	var e *service.Error
	if !errors.As(err, &e) || e.Code != "InvalidLayerPartException" {
		return 0, false
	}
	last, found := e.Extra["lastValidByteReceived"].(int64)
	if !found {
		last = -1
	}
	return last, true
}

var contentRange = regexp.MustCompile(`^([0-9]{1,18})-([0-9]{1,18})$`)

// firstByte returns the first number of the header Content-Range, and whether
// there is such a header. Unlike that of HTTP it has no unit.
func (q *request) firstByte() (first int64, found bool, err error) {
	text := q.Header.Get("Content-Range")
	if text == "" {
		return 0, false, nil
	}
	parts := contentRange.FindStringSubmatch(text)
	if parts == nil {
		return 0, true, problem{http.StatusBadRequest, codeBlobUploadInvalid, fmt.Sprintf("a Content-Range is like 0-99, not %.100q", text)}
	}
	first, _ = strconv.ParseInt(parts[1], 10, 64) // the pattern has only numbers that fit
	last, _ := strconv.ParseInt(parts[2], 10, 64)
	if q.ContentLength >= 0 && q.ContentLength != last-first+1 {
		return 0, true, problem{http.StatusBadRequest, codeSizeInvalid, fmt.Sprintf("the Content-Range %s does not fit %d bytes", text, q.ContentLength)}
	}
	return first, true, nil
}

func (q *request) accepted(last int64) {
	q.describeUpload(last)
	q.w.WriteHeader(http.StatusAccepted)
}

// describeUpload tells where the upload goes on. Range has the same text for no
// byte as for one, as in other registries: the specification has no word for
// none.
func (q *request) describeUpload(last int64) {
	h := q.w.Header()
	h.Set("Location", q.path("/blobs/uploads/"+q.reference))
	h.Set("Docker-Upload-Uuid", q.reference)
	h.Set("Range", fmt.Sprintf("0-%d", max(last, 0)))
}
