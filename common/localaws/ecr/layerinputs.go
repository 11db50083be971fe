package ecr

import (
	"io"
)

// The inputs and outputs of the operations on layers.

// BatchCheckLayerAvailabilityInput asks which layers are there.
type BatchCheckLayerAvailabilityInput struct {
	RepositoryID
	Digests []string `json:"layerDigests"`
}

// BatchCheckLayerAvailabilityOutput has a Layer for each well-formed digest, also
// if the layer is not there.
type BatchCheckLayerAvailabilityOutput struct {
	Layers   []Layer        `json:"layers"`
	Failures []LayerFailure `json:"failures"`
}

// Values of Layer.Availability.
const (
	LayerAvailable   = "AVAILABLE"
	LayerUnavailable = "UNAVAILABLE"
	LayerArchived    = "ARCHIVED" // only archived images name it
)

// Layer is a layer on the wire.
type Layer struct {
	Digest       string `json:"layerDigest"`
	Availability string `json:"layerAvailability"`
	Size         int64  `json:"layerSize,omitempty"` // in bytes
}

// LayerFailure says why an operation on several layers skipped one.
type LayerFailure struct {
	Digest string `json:"layerDigest"`
	Code   string `json:"failureCode"`
	Reason string `json:"failureReason"`
}

// GetDownloadURLForLayerInput asks for the bytes of a layer.
type GetDownloadURLForLayerInput struct {
	RepositoryID
	Digest string `json:"layerDigest"`

	// byAPI says that the answer is a URL. AWS gives one only of a layer that an
	// image names.
	byAPI bool
}

// GetDownloadURLForLayerOutput says where the bytes of a layer are. A caller in
// this process uses Open.
type GetDownloadURLForLayerOutput struct {
	URL    string `json:"downloadUrl"`
	Digest string `json:"layerDigest"`
	// Open returns the bytes. Close it afterwards. A fault that hits the call
	// can stop them on their way.
	Open func() (LayerContent, error) `json:"-"`
	Size int64                        `json:"-"` // in bytes
}

// LayerContent is the bytes of a layer.
type LayerContent interface {
	io.ReadSeeker
	io.Closer
}

// InitiateLayerUploadInput begins the upload of a layer.
type InitiateLayerUploadInput struct {
	RepositoryID
}

// InitiateLayerUploadOutput has the id of an upload.
type InitiateLayerUploadOutput struct {
	UploadID string `json:"uploadId"`
	PartSize int64  `json:"partSize"` // in bytes
}

// UploadLayerPartInput adds bytes to an upload.
type UploadLayerPartInput struct {
	RepositoryID
	UploadID  string `json:"uploadId"`
	FirstByte int64  `json:"partFirstByte"` // counted from 0
	LastByte  int64  `json:"partLastByte"`
	Blob      []byte `json:"layerPartBlob"`

	// Stream, if set, has the bytes, and Blob and LastByte are not used. What
	// came before an error of the stream stays. AnyFirst says that the bytes
	// follow those that are there, wherever that is. Last says that the caller
	// completes the upload with these bytes. They go again if that fails, and
	// they are not needed if it was done already.
	Stream   io.Reader `json:"-"`
	AnyFirst bool      `json:"-"`
	Last     bool      `json:"-"`
	// Cancel ends the upload instead, and removes its bytes.
	Cancel bool `json:"-"`
	// OnlyTell changes nothing.
	OnlyTell bool `json:"-"`
}

// UploadLayerPartOutput says how many bytes an upload has. LastByteReceived is
// -1 if it has none.
type UploadLayerPartOutput struct {
	RegistryID       string `json:"registryId"`
	RepositoryName   string `json:"repositoryName"`
	UploadID         string `json:"uploadId"`
	LastByteReceived int64  `json:"lastByteReceived"`
}

// CompleteLayerUploadInput makes a layer of an upload.
type CompleteLayerUploadInput struct {
	RepositoryID
	UploadID string   `json:"uploadId"`
	Digests  []string `json:"layerDigests"`
	// Lenient lets parts have any size, also none at all, and takes a layer that
	// is there already, also if this upload has become it.
	Lenient bool `json:"-"`
}

// CompleteLayerUploadOutput has the digest of the new layer.
type CompleteLayerUploadOutput struct {
	RegistryID     string `json:"registryId"`
	RepositoryName string `json:"repositoryName"`
	UploadID       string `json:"uploadId"`
	Digest         string `json:"layerDigest"`
}

// MountLayerInput takes a layer over from another repository of the registry. It
// is another input of the operation InitiateLayerUpload:
//
//	login.Perform("ecr", "InitiateLayerUpload", name, MountLayerInput{…})
//
// It also needs GetDownloadUrlForLayer on the source. The answer is an
// InitiateLayerUploadOutput. Its UploadID is empty if the layer was taken over.
// If the source does not have the layer, an upload has begun instead.
type MountLayerInput struct {
	InitiateLayerUploadInput
	From   string // name of the other repository
	Digest string
}

// ListImageReferrersInput asks for the images that refer to an image, such as
// its signatures. It needs the permission BatchGetImage.
type ListImageReferrersInput struct {
	RepositoryID
	Subject struct {
		Digest string `json:"imageDigest"`
	} `json:"subjectId"`
	Filter struct {
		ArtifactTypes  []string `json:"artifactTypes"`
		ArtifactStatus string   `json:"artifactStatus"` // without it, only ACTIVE images are kept
	} `json:"filter"`
	Paging
}

// ListImageReferrersOutput is a page of referrers, in the order of their
// digests.
type ListImageReferrersOutput struct {
	Referrers []Referrer `json:"referrers"`
	NextToken string     `json:"nextToken,omitempty"`
}

// Referrer is an image that refers to another one.
type Referrer struct {
	Digest       string            `json:"digest"`
	MediaType    string            `json:"mediaType"`
	Size         int64             `json:"size"` // of the manifest, in bytes
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Status       string            `json:"artifactStatus"`
}
