package registry

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/YaleSpinup/ecr-api/common/localaws/ecr"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Codes of the protocol.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeBlobUploadInvalid   = "BLOB_UPLOAD_INVALID"
	codeBlobUploadUnknown   = "BLOB_UPLOAD_UNKNOWN"
	codeDenied              = "DENIED"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeTagInvalid          = "TAG_INVALID"
	codeTooManyRequests     = "TOOMANYREQUESTS"
	codeUnknown             = "UNKNOWN"
	codeUnsupported         = "UNSUPPORTED"
)

// maxRefused is how many bytes of a layer or manifest are read although they are
// refused. Skopeo asks for the connection to be closed. Closed while skopeo still
// sends, it would not see the answer.
const maxRefused = 10 << 20

// problem is an error in the words of the protocol.
type problem struct {
	status        int
	code, message string
}

func (p problem) Error() string { return p.code + ": " + p.message }

// kind is how the protocol tells an error.
type kind struct {
	status int
	code   string
}

// kinds are the errors of ECR, also the failures of single images.
var kinds = map[string]kind{
	"AccessDeniedException":             {http.StatusForbidden, codeDenied},
	"ExpiredTokenException":             {http.StatusForbidden, codeDenied},
	"RepositoryNotFoundException":       {http.StatusNotFound, codeNameUnknown},
	"ImageNotFound":                     {http.StatusNotFound, codeManifestUnknown},
	"ImageInaccessible":                 {http.StatusNotFound, codeManifestUnknown},
	"ImageReferencedByManifestList":     {http.StatusConflict, codeDenied},
	"LayerInaccessibleException":        {http.StatusNotFound, codeBlobUnknown},
	"LayersNotFoundException":           {http.StatusBadRequest, codeManifestBlobUnknown},
	"ReferencedImagesNotFoundException": {http.StatusBadRequest, codeManifestBlobUnknown},
	"ImageTagAlreadyExistsException":    {http.StatusBadRequest, codeTagInvalid},
	"ImageDigestDoesNotMatchException":  {http.StatusBadRequest, codeDigestInvalid},
	"InvalidLayerException":             {http.StatusBadRequest, codeDigestInvalid},
	"InvalidLayerPartException":         {http.StatusRequestedRangeNotSatisfiable, codeBlobUploadInvalid},
	"UploadNotFoundException":           {http.StatusNotFound, codeBlobUploadUnknown},
	"InvalidParameterException":         {http.StatusBadRequest, codeUnsupported},
	"LimitExceededException":            {http.StatusForbidden, codeDenied},
	"RequestEntityTooLargeException":    {http.StatusRequestEntityTooLarge, codeManifestInvalid},
	"SerializationException":            {http.StatusBadRequest, codeManifestInvalid},
	"ThrottlingException":               {http.StatusTooManyRequests, codeTooManyRequests},
}

// asProblem returns the problem of an error of ECR. A status that the error
// has, such as that of a fault, is kept. Codes that are not in kinds are the
// server's fault.
func asProblem(err error) problem {
	var p problem
	if errors.As(err, &p) {
		return p
	}
	var e *service.Error
	if !errors.As(err, &e) {
		e = &service.Error{Message: err.Error()}
	}
	k, known := kinds[e.Code]
	if !known {
		k = kind{http.StatusInternalServerError, codeUnknown}
	}
	return problem{cmp.Or(e.Status, k.status), k.code, cmp.Or(e.Message, e.Code)}
}

// failureOf returns the error of an image for which an operation failed.
func failureOf(f ecr.ImageFailure) error { return service.Errorf(f.Code, "%s", f.Reason) }

// hasCode tells whether an operation failed with one of AWS's codes.
func hasCode(err error, code string) bool {
	var e *service.Error
	return errors.As(err, &e) && e.Code == code
}

// rename returns the error in other words of the protocol than those of kinds,
// if it has one of AWS's codes.
func rename(err error, awsCode string, status int, code string) error {
	if !hasCode(err, awsCode) {
		return err
	}
	return problem{status, code, message(err)}
}

// message returns AWS's sentence.
func message(err error) string { return asProblem(err).message }

// writeError answers with an error. If a fault drops the connection, it panics
// as net/http wants it: the connection is closed, and nothing is logged.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	var e *service.Error
	if errors.As(err, &e) && e.NoAnswer {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.CopyN(io.Discard, r.Body, maxRefused)
	type entry struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	p := asProblem(err)
	_ = writeJSON(w, p.status, "application/json", map[string][]entry{"errors": {{p.code, p.message}}})
}

// writeJSON answers with a value that can always be encoded.
func writeJSON(w http.ResponseWriter, status int, mediaType string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error means that the client has hung up
	return nil
}
