// Package ecr is Amazon ECR: repositories with their tags, settings and policies,
// images and their scans.
//
// Store holds the repositories of all accounts and regions. To add an
// operation, write the type of its input with a method Check, and a method of
// Store that does the work. Then add a row to the table in Service. A row made
// with row needs one permission: that of the operation's name on its
// repository. An operation that needs other permissions has a function in
// needs.go.
//
// ECR has more operations. Add one here when this module calls it.
package ecr

import (
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/layers"
	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Store holds the repositories of all accounts and regions. It is safe for
// concurrent use.
type Store struct {
	// PrincipalExists tells whether the policy of a repository can name a
	// principal, by its ARN or the id of an account. nil means that it can name
	// any. It is set before the first call.
	PrincipalExists func(principal string) bool

	now   func() time.Time
	host  string // of the registry, for docker; "" means that of AWS
	pages service.Pages

	// mu guards the registries and all that is in them. A call holds it from
	// its authorization, which reads tags, to the end of its work. So it is
	// locked when the methods that do the work run.
	mu         sync.Mutex
	registries map[service.Place]*registry
	previews   Previews

	files     *layers.Store
	uploads   map[string]*upload        // by id, also those that became layers not long ago
	fresh     map[*layer]*repository    // layers that stay for a while, also if no image names them
	swept     time.Time                 // when uploads and layers were last looked at
	downloads *service.Keeper[download] // by the end of the URL
}

// New returns a store without repositories. now gives the time for images and
// repositories that are added directly. host is where docker reaches the
// registry, such as 127.0.0.1:4566. If it is empty, repositories have the URIs
// of AWS. layerLimit is how many bytes all layers together may have.
func New(now func() time.Time, host string, layerLimit int64) *Store {
	return &Store{
		now:        now,
		host:       host,
		pages:      service.NewPages(),
		registries: make(map[service.Place]*registry),
		files:      layers.New(layerLimit),
		uploads:    make(map[string]*upload),
		fresh:      make(map[*layer]*repository),
		downloads:  newDownloads(),
	}
}

// Service returns the service with its table of operations.
func (s *Store) Service() service.Service {
	return service.Service{
		Name:     "ecr",
		Protocol: service.JSON{Prefix: "AmazonEC2ContainerRegistry_V20150921."},
		Lock:     &s.mu,
		Operations: []service.Operation{
			service.Row("CreateRepository", decode, s.needsToCreate, s.createRepository),
			service.Row("DescribeRepositories", decode, s.needsToDescribe, s.describeRepositories),
			service.Row("DeleteRepository", decode, s.needsToDelete, s.deleteRepository),
			row(s, "PutImageScanningConfiguration", s.putImageScanningConfiguration),
			row(s, "PutImageTagMutability", s.putImageTagMutability),

			service.Row("GetRegistryScanningConfiguration", decode, needsOnAll, s.getRegistryScanningConfiguration),
			service.Row("PutRegistryScanningConfiguration", decode, needsOnAll, s.putRegistryScanningConfiguration),
			service.Row("BatchGetRepositoryScanningConfiguration", decode, s.needsToGetScanning, s.batchGetRepositoryScanningConfiguration),

			row(s, "SetRepositoryPolicy", s.setRepositoryPolicy),
			row(s, "GetRepositoryPolicy", s.getRepositoryPolicy),
			service.Row("DeleteRepositoryPolicy", decode, s.needsToDeletePolicy, s.deleteRepositoryPolicy),

			row(s, "PutLifecyclePolicy", s.putLifecyclePolicy),
			row(s, "GetLifecyclePolicy", s.getLifecyclePolicy),
			row(s, "DeleteLifecyclePolicy", s.deleteLifecyclePolicy),
			row(s, "StartLifecyclePolicyPreview", s.startLifecyclePolicyPreview),
			row(s, "GetLifecyclePolicyPreview", s.getLifecyclePolicyPreview),

			service.Row("TagResource", decode, s.needsToTag, s.tagResource),
			service.Row("UntagResource", decode, s.needsToUntag, s.untagResource),
			row(s, "ListTagsForResource", s.listTagsForResource),

			row(s, "DescribeImages", s.describeImages),
			row(s, "ListImages", s.listImages),
			service.Row("PutImage", decodePutImage, needsOwn[*PutImageInput](s), s.putImage),
			row(s, "BatchGetImage", s.batchGetImage),
			row(s, "BatchDeleteImage", s.batchDeleteImage),
			row(s, "UpdateImageStorageClass", s.updateImageStorageClass),
			service.Row("ListImageReferrers", decode, s.needsToListReferrers, s.listImageReferrers),
			service.Row("GetAuthorizationToken", decode, needsOnAll, s.getAuthorizationToken),

			row(s, "BatchCheckLayerAvailability", s.batchCheckLayerAvailability),
			service.Row("InitiateLayerUpload", decodeUploadStart, s.needsToStart, s.initiateLayerUpload),
			service.FreeRow("UploadLayerPart", decode, needsOwn[UploadLayerPartInput](s), s.uploadLayerPart),
			row(s, "CompleteLayerUpload", s.completeLayerUpload),
			service.Row("GetDownloadUrlForLayer", decodeDownload, needsOwn[GetDownloadURLForLayerInput](s), s.getDownloadURLForLayer),

			row(s, "StartImageScan", s.startImageScan),
			service.Row("DescribeImageScanFindings", decode, s.needsForFindings, s.describeImageScanFindings),
		},
	}
}

// Close removes the files of all layers.
func (s *Store) Close() error { return s.files.Close() }

// row returns an operation that needs one permission: that of its own name on
// its repository.
func row[In repositoryInput](
	s *Store, name string, work func(c *service.Request, in In) (any, error),
) service.Operation {
	return service.Row(name, decode, needsOwn[In](s), work)
}

// input is the input of an operation.
type input interface {
	service.Input
	// repository returns the name of the repository, the first of several. It
	// is "" if the input names none.
	repository() string
}

// decode reads an input, and sets the Repository of the Call.
func decode[In input](c *service.Request, body []byte) (In, error) {
	in, err := service.DecodeJSON[In](body)
	if err == nil {
		c.Repository = in.repository()
	}
	return in, err
}

// invalidParameter returns ECR's answer to an input that breaks a constraint.
func invalidParameter(parameter, constraint string) *service.Error {
	return service.Errorf("InvalidParameterException",
		"Invalid parameter at '%s' failed to satisfy constraint: '%s'", parameter, constraint)
}
