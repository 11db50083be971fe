package ecr

import (
	"iter"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

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

type describeImageScanFindingsOutput struct {
	RegistryID     string        `json:"registryId"`
	RepositoryName string        `json:"repositoryName"`
	ID             ImageID       `json:"imageId"`
	Status         scanStatus    `json:"imageScanStatus"`
	Findings       *scanFindings `json:"imageScanFindings,omitempty"`
	NextToken      string        `json:"nextToken,omitempty"`
}

// scanFindings has the findings of one of the two kinds of scans. The other list
// is nil and left out.
type scanFindings struct {
	*scanSummary
	Findings []basicFinding    `json:"findings,omitzero"`
	Enhanced []enhancedFinding `json:"enhancedFindings,omitzero"`
}

// scanFindings returns what an image's scan has found, as far as it is on the
// page. Of a scan that was never completed, AWS was seen to leave all out, and to
// answer an empty list of the wrong kind if the scan is an enhanced one.
func (r *repository) scanFindings(i *image, scan *Scan, page []Finding) *scanFindings {
	summary := scan.summary()
	switch {
	case summary == nil && !scan.Enhanced:
		return nil
	case summary == nil:
		return &scanFindings{Findings: []basicFinding{}}
	case scan.Enhanced:
		found := []enhancedFinding{} // JSON writes [] and not null
		for _, f := range page {
			found = append(found, f.enhanced(r, i))
		}
		return &scanFindings{scanSummary: summary, Enhanced: found}
	}
	found := []basicFinding{}
	for _, f := range page {
		found = append(found, f.basic())
	}
	return &scanFindings{scanSummary: summary, Findings: found}
}

// basicFinding is a finding of a basic scan on the wire.
type basicFinding struct {
	Name        string      `json:"name"`
	Description string      `json:"description,omitempty"`
	URI         string      `json:"uri,omitempty"`
	Severity    string      `json:"severity"`
	Attributes  []Attribute `json:"attributes,omitempty"`
}

func (f Finding) basic() basicFinding {
	return basicFinding{f.Name, f.Description, f.URI, f.Severity, f.Attributes}
}

func (s *Store) describeImageScanFindings(c *service.Request, in describeImageScanFindingsInput) (any, error) {
	r, i, err := s.image(c, in.scanInput)
	if err != nil {
		return nil, err
	}
	scan := r.scanOf(i)
	if scan == nil || scan.Enhanced && r.account != c.Account { // Inspector knows the caller's own images only
		return nil, service.Errorf("ScanNotFoundException", "Image scan does not exist for the image with '%s' in the repository "+
			"with name '%s' in the registry with id '%s'", in.ID, r.name, r.account)
	}
	list := s.pages.List("findings", r.arn, i.digest)
	after, err := in.Paging.position(list)
	if err != nil {
		return nil, err
	}
	page, last := service.Take(scan.after(after), in.size())
	return describeImageScanFindingsOutput{
		RegistryID:     r.account,
		RepositoryName: r.name,
		ID:             ImageID{i.digest, in.ID.Tag},
		Status:         scan.status(),
		Findings:       r.scanFindings(i, scan, page),
		NextToken:      list.Token(last),
	}, nil
}

// after yields the findings after a position. A position is the number of
// findings up to it. A scan that was never completed has found nothing.
func (s *Scan) after(position string) iter.Seq2[string, Finding] {
	if s.CompletedAt.IsZero() {
		return func(func(string, Finding) bool) {}
	}
	taken, _ := strconv.Atoi(position) // it is a number, or "" for the first page
	return func(yield func(string, Finding) bool) {
		for n := taken; n < len(s.Findings); n++ {
			if !yield(strconv.Itoa(n+1), s.Findings[n]) {
				return
			}
		}
	}
}
