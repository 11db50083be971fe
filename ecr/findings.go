package ecr

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// The types of scans.
const (
	Basic    = "BASIC"
	Enhanced = "ENHANCED"
)

// A Scan is the last scan of an image, with what it has found.
type Scan struct {
	Digest                       string // of the image
	Type                         string // Basic or Enhanced; empty if the answer fits both
	Status                       ScanStatus
	FindingSeverityCounts        map[string]int64 // nil if AWS counts nothing
	ImageScanCompletedAt         *common.Timestamp
	VulnerabilitySourceUpdatedAt *common.Timestamp

	// Complete tells whether Findings are all that there are. They are sorted,
	// the worst first. They are nil if the scan did not come to its end.
	Complete bool
	Findings []*Finding
}

// A Finding is a vulnerability in an image. Both types of scans give the same
// shape. A nil field is null in JSON, and means that AWS did not tell the value.
type Finding struct {
	Name           string
	Severity       string
	URI            string `json:"Uri"`
	Description    string
	Attributes     []Attribute // of a basic scan; never nil
	PackageName    *string
	PackageVersion *string
	FixedInVersion *string
	Score          *float64

	fixAvailable bool
}

// An Attribute is a detail of a finding, as basic scanning gives it.
type Attribute struct{ Key, Value string }

// Fixable tells whether there is a version of the package without the
// vulnerability.
func (f *Finding) Fixable() bool { return f.FixedInVersion != nil || f.fixAvailable }

// Severities are those of both types of scans, the worst first. The last two mean
// that nobody has rated the vulnerability: UNDEFINED is basic scanning's word, and
// UNTRIAGED Inspector's.
var Severities = []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"}

// rank returns the place of a severity. One that AWS adds later comes last.
func rank(severity string) int {
	if i := slices.Index(Severities, severity); i >= 0 {
		return i
	}
	return len(Severities)
}

// worstFirst orders findings by severity, score, name and package.
func worstFirst(a, b *Finding) int {
	return cmp.Or(
		cmp.Compare(rank(a.Severity), rank(b.Severity)),
		cmp.Compare(scoreOf(b), scoreOf(a)),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(aws.StringValue(a.PackageName), aws.StringValue(b.PackageName)),
	)
}

// scoreOf returns less than any score if the score is not known.
func scoreOf(f *Finding) float64 {
	if f.Score == nil {
		return -1
	}
	return *f.Score
}

// maxScanReads is how often a scan is read that changes meanwhile.
const maxScanReads = 3

// Scan returns the last scan of the image, with all findings. It is nil if ECR
// knows of none.
func (c *Client) Scan(ctx context.Context, name string, id ImageID) (*Scan, error) {
	for reads := 1; ; reads++ {
		scan, changed, err := c.readScan(ctx, name, id)
		switch {
		case hasNoScan(err):
			return nil, nil
		case err != nil:
			return nil, c.explain(ctx, name, err)
		case !changed || reads == maxScanReads:
			scan.settle()
			scan.Complete = scan.Complete && !changed
			return scan, nil
		}
		id = scan.id(id)
	}
}

// hasNoScan tells whether ECR knows of no scan of the image, perhaps because it
// scans no images of its type.
func hasNoScan(err error) bool {
	var e *common.Error
	return errors.As(err, &e) && (e.AWSCode == ecr.ErrCodeScanNotFoundException || e.AWSCode == ecr.ErrCodeUnsupportedImageTypeException)
}

// readScan reads all pages of findings. A tag may move, so it asks for further
// pages by the digest that the first one tells. It also returns whether another
// scan has ended meanwhile.
func (c *Client) readScan(ctx context.Context, name string, id ImageID) (scan *Scan, changed bool, err error) {
	in := &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String(name), MaxResults: aws.Int64(pageSize)}
	for {
		in.ImageId = id.aws()
		page, err := send[findingsPage](ctx, c, "DescribeImageScanFindings", in)
		if err != nil {
			return nil, false, err
		}
		next := newScan(page)
		if scan == nil {
			scan, id = next, next.id(id)
		} else {
			changed = changed || !scan.isContinuedBy(next)
			scan.Findings = append(scan.Findings, next.Findings...)
		}
		if aws.StringValue(page.NextToken) == "" {
			return scan, changed, nil
		}
		in.NextToken = page.NextToken
	}
}

// id returns the digest, or the id with which the scan was asked for if AWS has
// not told that.
func (s *Scan) id(asked ImageID) ImageID {
	if s.Digest == "" {
		return asked
	}
	return ImageID{Digest: s.Digest}
}

// isContinuedBy tells whether a further page is of the same scan.
func (s *Scan) isContinuedBy(next *Scan) bool {
	return aws.StringValue(s.Status.Status) == aws.StringValue(next.Status.Status) &&
		s.completedAt() == next.completedAt()
}

// completedAt returns when the scan was completed, in milliseconds, and 0 if AWS
// does not say that it was.
func (s *Scan) completedAt() int64 {
	if s.ImageScanCompletedAt == nil {
		return 0
	}
	return s.ImageScanCompletedAt.UnixMilli()
}

// unended are the states in which a scan has not come to its end, whatever an
// earlier one has found. In other states ECR may still tell what was found
// before it stopped to look.
var unended = []string{
	ecr.ScanStatusInProgress, ecr.ScanStatusPending, ecr.ScanStatusFailed, ecr.ScanStatusUnsupportedImage,
	ecr.ScanStatusActive, // without an end of the first scan
}

// settle sorts the findings, and decides whether they are all. An answer without
// findings means that there are none only if it tells when the scan was completed:
// before the first scan has ended, ECR was seen to give an empty list too.
func (s *Scan) settle() {
	slices.SortStableFunc(s.Findings, worstFirst)
	status, completed := aws.StringValue(s.Status.Status), s.ImageScanCompletedAt != nil
	ended := status == ecr.ScanStatusComplete || status == ecr.ScanStatusActive && completed
	switch {
	case ended && (len(s.Findings) > 0 || completed && s.counted() == 0):
		s.Complete = true
		if s.Findings == nil {
			s.Findings = []*Finding{}
		}
		if s.FindingSeverityCounts == nil {
			s.FindingSeverityCounts = map[string]int64{}
		}
	case len(s.Findings) == 0 || !ended && slices.Contains(unended, status):
		s.Findings = nil
	}
}

// counted returns how many findings AWS has counted.
func (s *Scan) counted() (sum int64) {
	for _, n := range s.FindingSeverityCounts {
		sum += n
	}
	return sum
}

// newScan returns what a page tells.
func newScan(p *findingsPage) *Scan {
	s := &Scan{}
	if p.ImageID != nil {
		s.Digest = aws.StringValue(p.ImageID.ImageDigest)
	}
	if status := scanStatusOf(p.ImageScanStatus); status != nil {
		s.Status = *status
	}
	found := p.ImageScanFindings
	if found == nil {
		found = &scanFindings{}
	}
	s.Type = found.scanType(aws.StringValue(s.Status.Status))
	s.ImageScanCompletedAt = timestampOf(found.ImageScanCompletedAt)
	s.VulnerabilitySourceUpdatedAt = timestampOf(found.VulnerabilitySourceUpdatedAt)
	s.FindingSeverityCounts = found.counts()
	for i := range found.Findings {
		s.Findings = append(s.Findings, basicFinding(&found.Findings[i]))
	}
	for i := range found.EnhancedFindings {
		s.Findings = append(s.Findings, found.EnhancedFindings[i].finding())
	}
	return s
}

// onlyEnhanced are the states that a basic scan does not have.
var onlyEnhanced = []string{
	ecr.ScanStatusActive, ecr.ScanStatusPending, ecr.ScanStatusScanEligibilityExpired, ecr.ScanStatusFindingsUnavailable,
}

// scanType returns the type of the scan, as far as the answer tells it. An empty
// list of basic findings tells nothing: ECR was seen to give it for an enhanced
// scan that has not ended.
func (f *scanFindings) scanType(status string) string {
	switch {
	case f.EnhancedFindings != nil || slices.Contains(onlyEnhanced, status):
		return Enhanced
	case len(f.Findings) > 0 || f.Findings != nil && f.ImageScanCompletedAt != nil:
		return Basic
	}
	return ""
}

func (f *scanFindings) counts() map[string]int64 {
	if f.FindingSeverityCounts == nil {
		return nil
	}
	counts := make(map[string]int64, len(f.FindingSeverityCounts))
	for severity, n := range f.FindingSeverityCounts {
		counts[severity] = aws.Int64Value(n)
	}
	return counts
}

// known returns nil for a text that says nothing. Inspector has been seen to say
// NotAvailable where there is no fix.
func known(text string) *string {
	if text == "" || strings.EqualFold(text, "NotAvailable") {
		return nil
	}
	return &text
}
