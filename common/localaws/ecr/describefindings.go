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
	Findings []basicFinding `json:"findings,omitzero"`
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
	findings := &scanFindings{i.scan.summary(), []basicFinding{}}
	for _, f := range page {
		findings.Findings = append(findings.Findings, f.basic())
	}
	return describeImageScanFindingsOutput{
		RegistryID:     r.account,
		RepositoryName: r.name,
		ID:             ImageID{i.digest, in.ID.Tag},
		Status:         i.scan.status(),
		Findings:       findings,
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
