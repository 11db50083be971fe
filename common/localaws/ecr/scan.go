package ecr

import (
	"iter"
	"strconv"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// The rules of basic scanning.
const (
	scanInterval    = 24 * time.Hour // between two scans of an image
	scanDescription = "The scan was completed successfully."
)

// Scan is a completed basic scan of an image.
type Scan struct {
	CompletedAt     time.Time
	SourceUpdatedAt time.Time // of the list of vulnerabilities; zero means CompletedAt
	Findings        []Finding
}

// Finding is a vulnerability that a scan has found.
type Finding struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	URI         string `json:"uri,omitempty"`
	Severity    string `json:"severity"` // "CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL" or "UNDEFINED"
}

type scanStatus struct {
	Status      string `json:"status"`
	Description string `json:"description,omitempty"`
}

type scanSummary struct {
	CompletedAt     service.Timestamp `json:"imageScanCompletedAt"`
	SourceUpdatedAt service.Timestamp `json:"vulnerabilitySourceUpdatedAt"`
	Counts          map[string]int    `json:"findingSeverityCounts"`
}

func (s *Scan) status() scanStatus {
	return scanStatus{Status: "COMPLETE", Description: scanDescription}
}

func (s *Scan) summary() scanSummary {
	counts := make(map[string]int)
	for _, f := range s.Findings {
		counts[f.Severity]++
	}
	updated := s.SourceUpdatedAt
	if updated.IsZero() {
		updated = s.CompletedAt
	}
	return scanSummary{service.Timestamp(s.CompletedAt), service.Timestamp(updated), counts}
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

type describeImageScanFindingsInput struct {
	scanInput
	Paging
}

func (in describeImageScanFindingsInput) Check(c *service.Request) error {
	if err := in.scanInput.Check(c); err != nil {
		return err
	}
	return in.Paging.check()
}

type scanFindings struct {
	scanSummary
	Findings []Finding `json:"findings"`
}

type describeImageScanFindingsOutput struct {
	RegistryID     string       `json:"registryId"`
	RepositoryName string       `json:"repositoryName"`
	ID             ImageID      `json:"imageId"`
	Status         scanStatus   `json:"imageScanStatus"`
	Findings       scanFindings `json:"imageScanFindings"`
	NextToken      string       `json:"nextToken,omitempty"`
}

func (s *Store) describeImageScanFindings(c *service.Request, in describeImageScanFindingsInput) (any, error) {
	r, i, err := s.image(c, in.scanInput)
	if err != nil {
		return nil, err
	}
	if i.scan == nil {
		return nil, service.Errorf("ScanNotFoundException", "Image scan does not exist for the image with '%s' in the repository "+
			"with name '%s' in the registry with id '%s'", in.ID, r.name, r.account)
	}
	list := s.pages.List("findings", r.arn, i.digest)
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	page, last := service.Take(i.scan.after(after), in.size())
	return describeImageScanFindingsOutput{
		RegistryID:     r.account,
		RepositoryName: r.name,
		ID:             ImageID{i.digest, in.ID.Tag},
		Status:         i.scan.status(),
		Findings:       scanFindings{i.scan.summary(), page},
		NextToken:      list.Token(last),
	}, nil
}

// after yields the findings after a position. A position is the number of
// findings up to it.
func (s *Scan) after(position string) iter.Seq2[string, Finding] {
	taken, _ := strconv.Atoi(position) // it is a number, or "" for the first page
	return func(yield func(string, Finding) bool) {
		for n := taken; n < len(s.Findings); n++ {
			if !yield(strconv.Itoa(n+1), s.Findings[n]) {
				return
			}
		}
	}
}
