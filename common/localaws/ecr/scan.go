package ecr

import (
	"cmp"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// scanInterval is the time between two basic scans of an image.
const scanInterval = 24 * time.Hour

// Scan is a scan of an image, whatever has become of it.
type Scan struct {
	// Enhanced says that Inspector scans the image. Otherwise it is a basic scan.
	Enhanced bool
	// Status is that of ECR, such as IN_PROGRESS or UNSUPPORTED_IMAGE. Empty means
	// that all went well: COMPLETE, and ACTIVE for an enhanced scan, which goes on.
	Status string
	// Description says more about the status. Empty means what AWS says.
	Description string
	// CompletedAt is when the scan was last completed, zero if it never was.
	// Without it there are no findings.
	CompletedAt     time.Time
	SourceUpdatedAt time.Time // of the list of vulnerabilities; zero means CompletedAt
	Findings        []Finding
}

// The states of a scan that went well.
const (
	scanComplete = "COMPLETE"
	scanActive   = "ACTIVE" // Inspector goes on scanning
)

// scanDescriptions are AWS's, by the status.
var scanDescriptions = map[string]string{
	scanComplete: "The scan was completed successfully.",
	scanActive:   "Continuous scan is selected for image.",
}

type scanStatus struct {
	Status      string `json:"status"`
	Description string `json:"description,omitempty"`
}

func (s *Scan) status() scanStatus {
	status := s.Status
	switch {
	case status != "":
	case s.Enhanced:
		status = scanActive
	default:
		status = scanComplete
	}
	return scanStatus{status, cmp.Or(s.Description, scanDescriptions[status])}
}

type scanSummary struct {
	CompletedAt     service.Timestamp `json:"imageScanCompletedAt"`
	SourceUpdatedAt service.Timestamp `json:"vulnerabilitySourceUpdatedAt"`
	Counts          map[string]int    `json:"findingSeverityCounts"`
}

// summary returns nil if the scan was never completed.
func (s *Scan) summary() *scanSummary {
	if s.CompletedAt.IsZero() {
		return nil
	}
	counts := make(map[string]int)
	for _, f := range s.Findings {
		counts[f.Severity]++
	}
	updated := s.SourceUpdatedAt
	if updated.IsZero() {
		updated = s.CompletedAt
	}
	return &scanSummary{service.Timestamp(s.CompletedAt), service.Timestamp(updated), counts}
}

// scanInput is the input of operations on one image.
type scanInput struct {
	RepositoryID
	ID *ImageID `json:"imageId"`
}

func (in scanInput) Check(c *service.Request) error {
	if err := in.RepositoryID.Check(c); err != nil {
		return err
	}
	if in.ID == nil {
		return invalidParameter("imageId", "must not be null")
	}
	return checkTagLength(in.ID.Tag)
}

// image returns the repository and the image of the input.
func (s *Store) image(c *service.Request, in scanInput) (*repository, *image, error) {
	r, err := s.find(c, in)
	if err != nil {
		return nil, nil, err
	}
	i, err := r.get(*in.ID)
	return r, i, err
}

type startImageScanOutput struct {
	RegistryID     string     `json:"registryId"`
	RepositoryName string     `json:"repositoryName"`
	ID             ImageID    `json:"imageId"`
	Status         scanStatus `json:"imageScanStatus"`
}

// startImageScan scans an image. The answer says IN_PROGRESS, as ECR's does,
// but the scan has already ended.
func (s *Store) startImageScan(c *service.Request, in scanInput) (any, error) {
	r, i, err := s.image(c, in)
	if err != nil {
		return nil, err
	}
	if !i.manifest.isScannable() {
		return nil, service.Errorf("UnsupportedImageTypeException", "The image with imageId %s of media type '%s' "+
			"in the repository with name '%s' cannot be scanned", in.ID, i.manifest.mediaType, r.name)
	}
	if i.scan != nil && c.Now.Sub(i.scan.CompletedAt) < scanInterval {
		return nil, service.Errorf("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	}
	i.scan = &Scan{CompletedAt: c.Now}
	return startImageScanOutput{r.account, r.name, ImageID{i.digest, in.ID.Tag}, scanStatus{Status: "IN_PROGRESS"}}, nil
}
