package localaws

import (
	"iter"
	"strconv"
	"time"
)

// Scan is a completed basic scan of an image.
type Scan struct {
	CompletedAt     time.Time
	SourceUpdatedAt time.Time // of the list of vulnerabilities; zero: as CompletedAt
	Findings        []Finding
}

// Finding is a vulnerability that a scan found.
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
	CompletedAt     timestamp      `json:"imageScanCompletedAt"`
	SourceUpdatedAt timestamp      `json:"vulnerabilitySourceUpdatedAt"`
	Counts          map[string]int `json:"findingSeverityCounts"`
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
	return scanSummary{timestamp(s.CompletedAt), timestamp(updated), counts}
}

// scanInput is the input of operations on one image.
type scanInput struct {
	named
	ID *imageID `json:"imageId"`
}

func (in scanInput) check(c *call) error {
	if err := in.named.check(c); err != nil {
		return err
	}
	if in.ID == nil {
		return invalidParameter("imageId", "must not be null")
	}
	return checkTagLength(in.ID.Tag)
}

// image returns the repository and the image that are meant.
func (s *Server) image(c *call, in scanInput) (*repository, *image, error) {
	r, err := s.find(c, in.RepositoryName)
	if err != nil {
		return nil, nil, err
	}
	i, err := r.get(*in.ID)
	return r, i, err
}

type startImageScanOutput struct {
	RegistryID     string     `json:"registryId"`
	RepositoryName string     `json:"repositoryName"`
	ID             imageID    `json:"imageId"`
	Status         scanStatus `json:"imageScanStatus"`
}

// startImageScan scans an image: the answer says that it goes on, as ECR's does, but it is over.
func (s *Server) startImageScan(c *call, in scanInput) (any, error) {
	r, i, err := s.image(c, in)
	if err != nil {
		return nil, err
	}
	if !i.manifest.isScannable() {
		return nil, fail("UnsupportedImageTypeException", "The image with imageId %s of media type '%s' "+
			"in the repository with name '%s' cannot be scanned", in.ID, i.manifest.mediaType, r.name)
	}
	if i.scan != nil && c.now.Sub(i.scan.CompletedAt) < scanInterval {
		return nil, fail("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")
	}
	i.scan = &Scan{CompletedAt: c.now}
	return startImageScanOutput{r.account, r.name, imageID{i.digest, in.ID.Tag}, scanStatus{Status: "IN_PROGRESS"}}, nil
}

type describeImageScanFindingsInput struct {
	scanInput
	paging
}

func (in describeImageScanFindingsInput) check(c *call) error {
	if err := in.scanInput.check(c); err != nil {
		return err
	}
	return in.paging.check(false, "")
}

type scanFindings struct {
	scanSummary
	Findings []Finding `json:"findings"`
}

type describeImageScanFindingsOutput struct {
	RegistryID     string       `json:"registryId"`
	RepositoryName string       `json:"repositoryName"`
	ID             imageID      `json:"imageId"`
	Status         scanStatus   `json:"imageScanStatus"`
	Findings       scanFindings `json:"imageScanFindings"`
	NextToken      string       `json:"nextToken,omitempty"`
}

func (s *Server) describeImageScanFindings(c *call, in describeImageScanFindingsInput) (any, error) {
	r, i, err := s.image(c, in.scanInput)
	if err != nil {
		return nil, err
	}
	if i.scan == nil {
		return nil, fail("ScanNotFoundException", "Image scan does not exist for the image with '%s' in the repository "+
			"with name '%s' in the registry with id '%s'", in.ID, r.name, r.account)
	}
	list := listName("findings", r.arn, i.digest)
	after, err := s.position(list, in.NextToken)
	if err != nil {
		return nil, err
	}
	page, last := take(i.scan.after(after), in.size())
	return describeImageScanFindingsOutput{
		RegistryID:     r.account,
		RepositoryName: r.name,
		ID:             imageID{i.digest, in.ID.Tag},
		Status:         i.scan.status(),
		Findings:       scanFindings{i.scan.summary(), page},
		NextToken:      s.token(list, last),
	}, nil
}

// after yields the findings behind the position, which is a number.
func (s *Scan) after(position string) iter.Seq2[string, Finding] {
	taken, _ := strconv.Atoi(position) // the server's own, or ""
	return func(yield func(string, Finding) bool) {
		for n := taken; n < len(s.Findings); n++ {
			if !yield(strconv.Itoa(n+1), s.Findings[n]) {
				return
			}
		}
	}
}
