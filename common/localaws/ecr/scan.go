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

// Some of the states of a scan.
const (
	scanInProgress = "IN_PROGRESS"
	scanPending    = "PENDING"
	scanComplete   = "COMPLETE"
	scanActive     = "ACTIVE" // Inspector goes on scanning
	scanArchived   = "IMAGE_ARCHIVED"
)

// scanStates are all of them.
var scanStates = []string{scanInProgress, scanPending, scanComplete, scanActive, scanArchived,
	"FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED"}

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

// isRunning reports whether the scan has begun and not ended.
func (s *Scan) isRunning() bool { return s.Status == scanInProgress || s.Status == scanPending }

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
	if err := r.checkScan(i, *in.ID, c.Now); err != nil {
		return nil, err
	}
	i.scan = &Scan{CompletedAt: c.Now}
	return startImageScanOutput{r.account, r.name, ImageID{i.digest, in.ID.Tag}, scanStatus{Status: scanInProgress}}, nil
}

// checkScan returns an error if nobody can start a scan of the image now.
func (r *repository) checkScan(i *image, id ImageID, now time.Time) error {
	last := r.scanOf(i)
	switch {
	case r.registry.scanning.isEnhanced():
		return service.Errorf("ValidationException", "This feature is disabled")
	case !i.isActive():
		return service.Errorf("ImageArchivedException", "The image with imageId %s in the repository with name '%s' "+
			"in the registry with id '%s' is archived and cannot be scanned", id, r.name, r.account)
	case !i.manifest.isScannable():
		return service.Errorf("UnsupportedImageTypeException", "An artifact with media type '%s' cannot be scanned. "+
			"For more information, see the Amazon ECR documentation.", i.manifest.kind())
	case last != nil && (last.isRunning() || now.Sub(last.CompletedAt) < scanInterval):
		return service.Errorf("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	}
	return nil
}

// scanPushed scans an image that has just been pushed or restored, if the rules
// say so. Other images are as if they were never scanned.
func (r *repository) scanPushed(i *image, now time.Time) {
	i.scan = nil
	frequency := r.scanRule().Frequency
	if frequency == scanManual || !i.manifest.isScannable() {
		return
	}
	i.scan = &Scan{Enhanced: r.registry.scanning.isEnhanced(), CompletedAt: now}
	if frequency == scanOnPush {
		i.scan.Status = scanComplete
	}
}

// scanOf returns the scan of an image that callers see, nil if they see none. A
// scan of the other type is seen when the registry has that type again.
func (r *repository) scanOf(i *image) *Scan {
	enhanced := r.registry.scanning.isEnhanced()
	switch {
	case i.scan == nil || i.scan.Enhanced != enhanced:
		return nil
	case !i.isActive():
		return &Scan{Enhanced: enhanced, Status: scanArchived}
	}
	return i.scan
}
