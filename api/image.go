package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

// A showImageInput says which findings of an image a caller wants.
type showImageInput struct {
	bodyless
	severities []string // none means all
	fixable    bool     // those that have a fix, and no others
	noFindings bool
}

func (in *showImageInput) queryParams() []queryParam {
	return []queryParam{
		{name: "severity", repeated: true, set: in.addSeverity},
		{name: "fixable", set: func(value string) error {
			in.fixable = value == "true"
			if !in.fixable {
				return errors.New("must be true")
			}
			return nil
		}},
		{name: "findings", set: func(value string) error {
			findings, err := readBool(value)
			in.noFindings = !findings
			return err
		}},
	}
}

func (in *showImageInput) addSeverity(value string) error {
	if !slices.Contains(ecr.Severities, value) {
		return errors.New("must be one of " + strings.Join(ecr.Severities, ", "))
	}
	if !slices.Contains(in.severities, value) {
		in.severities = append(in.severities, value)
	}
	return nil
}

func (in showImageInput) check() error {
	if in.noFindings && (in.fixable || in.severities != nil) {
		return common.Errorf(common.BadRequest, `The query parameters "severity" and "fixable" select findings, but findings=false leaves them out.`)
	}
	return nil
}

// selected returns the findings that the caller wants. It returns nil for nil.
func (in showImageInput) selected(findings []*ecr.Finding) []*ecr.Finding {
	return slices.DeleteFunc(findings, func(f *ecr.Finding) bool {
		return in.fixable && !f.Fixable() || in.severities != nil && !slices.Contains(in.severities, f.Severity)
	})
}

// A shownImage is an image as the answer about one image has it.
type shownImage struct {
	ecr.Image
	ImageStatus                  *string
	LastRecordedPullTime         *common.Timestamp
	SubjectManifestDigest        *string
	Platforms                    []ecr.PlatformImage // nil unless it is an index
	ScanType                     *string             // nil if there was no scan
	FindingSeverityCounts        map[string]int64
	ImageScanCompletedAt         *common.Timestamp
	VulnerabilitySourceUpdatedAt *common.Timestamp
	FindingsComplete             bool
	Findings                     []*ecr.Finding // nil if the scan did not come to its end
}

func (*shownImage) long() {}

// showImage checks the owner, describes the image and reads the first page of its
// findings at the same time. All that it reads afterwards it asks for by the
// digest, so that is about the same image even if somebody replaces the
// repository meanwhile.
func showImage(ctx context.Context, t target, in showImageInput) (*shownImage, error) {
	var shown *shownImage
	err := t.whileOwned(ctx, func(ctx context.Context) (err error) {
		shown, err = t.readShown(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return shown, nil
}

// readShown reads the image and its findings. If both fail, the error is that of
// the image.
func (t target) readShown(ctx context.Context, in showImageInput) (*shownImage, error) {
	if in.noFindings {
		shown, err := t.describeImage(ctx)
		if err == nil {
			shown.tellSummary()
		}
		return shown, err
	}
	var shown *shownImage
	var scan *ecr.Scan
	err := both(ctx, func(ctx context.Context) (err error) {
		shown, err = t.describeImage(ctx)
		return err
	}, func(ctx context.Context) (err error) {
		scan, err = t.scan(ctx, t.image())
		return err
	})
	if err != nil {
		return nil, err
	}
	if t.isOfAnother(scan, shown) {
		if scan, err = t.scan(ctx, ecr.ImageID{Digest: shown.ImageDigest}); err != nil {
			return nil, err
		}
	}
	shown.tellScan(scan, in)
	return shown, nil
}

// describeImage reads the image without its findings.
func (t target) describeImage(ctx context.Context) (*shownImage, error) {
	i, err := t.readImage(ctx)
	if err != nil {
		return nil, err
	}
	shown := &shownImage{Image: *i, ImageStatus: i.Status, LastRecordedPullTime: i.PulledAt, SubjectManifestDigest: i.Subject}
	if i.IsIndex() {
		shown.Platforms, err = t.ECR().Platforms(ctx, t.repository(), i.ImageDigest)
	}
	return shown, err
}

// isOfAnother tells whether the scan may be of another image than the one that is
// shown, because the tag has moved. ECR does not say of which image it knows no
// scan. It scans no index.
func (t target) isOfAnother(scan *ecr.Scan, shown *shownImage) bool {
	if scan == nil {
		return t.image().Tag != "" && !shown.IsIndex()
	}
	return scan.Digest != shown.ImageDigest
}

// tellScan adds what is known of the scan, which is nil if there was none.
func (i *shownImage) tellScan(scan *ecr.Scan, in showImageInput) {
	if scan == nil {
		i.ImageScanStatus = &ecr.ScanStatus{Description: new("ECR knows of no scan of this image.")}
		return
	}
	i.ImageScanStatus = &scan.Status
	i.ScanType = &scan.Type
	i.FindingSeverityCounts = scan.FindingSeverityCounts
	i.ImageScanCompletedAt = scan.ImageScanCompletedAt
	i.VulnerabilitySourceUpdatedAt = scan.VulnerabilitySourceUpdatedAt
	i.FindingsComplete = scan.Complete
	i.Findings = in.selected(scan.Findings)
}

// tellSummary adds what is known of the scan without its findings.
func (i *shownImage) tellSummary() {
	if s := i.ImageScanFindingsSummary; s != nil {
		i.FindingSeverityCounts = s.FindingSeverityCounts
		i.ImageScanCompletedAt = s.ImageScanCompletedAt
		i.VulnerabilitySourceUpdatedAt = s.VulnerabilitySourceUpdatedAt
	}
}

// imagePolicy allows the read of an index, as scanPolicy does.
func imagePolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements, writeOwn(s, "ecr:BatchGetImage")...)...)
}
