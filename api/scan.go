package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/YaleSpinup/ecr-api/iam"
)

// A startedScan is the answer to a request for a scan.
type startedScan struct {
	ImageDigest     string
	ImageScanStatus *ecr.ScanStatus
}

// long is for an index, which is read.
func (*startedScan) long() {}

// scanImage names the image to ECR by its digest: a tag may move after the read.
func scanImage(ctx context.Context, t target, _ nothing) (*startedScan, error) {
	image, err := t.readOwnImage(ctx)
	if err != nil {
		return nil, err
	}
	if image.IsIndex() {
		return nil, t.refuseIndex(ctx, image.ImageDigest, nil)
	}
	status, err := t.ECR().ScanImage(ctx, t.repository(), image.ImageDigest)
	switch {
	case common.CodeOf(err) == common.ImageIsIndex: // ECR did not tell its media type
		return nil, t.refuseIndex(ctx, image.ImageDigest, err)
	case err != nil:
		return nil, err
	}
	return &startedScan{ImageDigest: image.ImageDigest, ImageScanStatus: status}, nil
}

// refuseIndex returns the error that an index cannot be scanned, with the parts
// that can. The refusal is nil if ECR was not asked to scan it.
func (t target) refuseIndex(ctx context.Context, digest string, refusal error) error {
	var parts string
	err := t.loan.read(ctx, func(ctx context.Context) (err error) {
		parts, err = t.whatToScan(ctx, digest)
		return err
	})
	if err != nil {
		return err
	}
	return &common.Error{Code: common.ImageIsIndex, Message: digest + " is an index, which ECR does not scan. " + parts, Cause: refusal}
}

// maxNamedParts is how many parts of an index an error names. The detail of a
// problem document has room for them.
const maxNamedParts = 7

// whatToScan names the parts of an index that run on a platform, each once. What
// else an index names has nothing to scan.
func (t target) whatToScan(ctx context.Context, digest string) (string, error) {
	var named, names []string
	more := false
	told, err := t.ECR().EachPart(ctx, t.repository(), digest, func(p ecr.Part) error {
		switch {
		case !p.Runs(), !ecr.IsDigest(p.Digest), slices.Contains(named, p.Digest):
		case len(named) == maxNamedParts:
			more = true
		default:
			named = append(named, p.Digest)
			names = append(names, p.Digest+" ("+platformName(p.Platform)+")")
		}
		return nil
	})
	switch {
	case err != nil:
		return "", err
	case !told:
		return "It is archived, so ECR does not tell its parts.", nil
	case names == nil:
		return "It names no image that can be scanned.", nil
	}
	sentence := "If the registry has basic scanning, scan its parts: " + strings.Join(names, ", ")
	if more {
		sentence += ", and others"
	}
	return sentence + ".", nil
}

// maxPlatform is how many characters of a platform an error tells. Whoever has
// pushed the index has chosen them.
const maxPlatform = 30

// platformName returns a platform as docker writes it, such as linux/arm64/v8.
func platformName(p ecr.Platform) string {
	words := slices.DeleteFunc([]string{p.OS, p.Architecture, p.Variant}, func(word string) bool { return word == "" })
	return common.Clip(cmp.Or(strings.Join(words, "/"), "unknown platform"), maxPlatform)
}

// scanPolicy allows the read of an index, whose parts the answer names. It is the
// call of a pull, so it is as narrow as a change. The read of findings is for a
// scan whose answer was lost: it shows whether there is one.
func scanPolicy(s iam.Scope) iam.Policy {
	statements := readOwn(s, "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource")
	return iam.NewPolicy(append(statements, writeOwn(s, "ecr:BatchGetImage", "ecr:StartImageScan")...)...)
}
