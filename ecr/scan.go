package ecr

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// scanPart has the only part of a scan.
var scanPart = []string{"Scan"}

// ScanImage starts a scan of the image of that digest, which was just read, and
// returns its status. If AWS did not say whether it has started one, ScanImage
// looks for it.
func (c *Client) ScanImage(ctx context.Context, name, digest string) (*ScanStatus, error) {
	tries := new(calls.Attempts)
	status, err := c.startScan(ctx, name, digest, tries)
	if err == nil || !tries.Unsure || refusesEveryScan(err) {
		return status, err
	}
	return c.findScan(ctx, name, digest, tries, err)
}

func (c *Client) startScan(ctx context.Context, name, digest string, tries *calls.Attempts) (status *ScanStatus, err error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	start, id := time.Now(), ImageID{Digest: digest}
	isThere := func(ctx context.Context) error {
		_, err := c.DescribeImage(ctx, name, id)
		return err
	}
	in := &ecr.StartImageScanInput{RepositoryName: aws.String(name), ImageId: id.aws()}
	err = retryIfDenied(ctx, isThere, func() error {
		out, err := send[ecr.StartImageScanOutput](ctx, c, "StartImageScan", in, tries.Watch)
		status = scanStatusOf(out.ImageScanStatus)
		return err
	})
	if err == nil && status == nil { // the answer was empty
		tries.Unsure, tries.Start = true, start
		return nil, common.Errorf(common.Internal, "ECR answered the scan of %s without a status", digest)
	}
	return status, err
}

// refusesEveryScan tells whether the error would be that of every attempt, so
// that none of them has started a scan.
func refusesEveryScan(err error) bool {
	switch common.CodeOf(err) {
	case common.RepositoryNotFound, common.ImageNotFound, common.ImageIsIndex, common.ScannedByRegistry, common.BadRequest:
		return true
	}
	return false
}

// findScan ends a scan after an attempt that may have started it without saying
// so. It returns the status of a scan that may be this one: a scan that runs, or
// one that has ended since. Otherwise the error says what failed.
func (c *Client) findScan(ctx context.Context, name, digest string, tries *calls.Attempts, failure error) (*ScanStatus, error) {
	scan, err := c.lastScan(ctx, name, digest)
	switch {
	case err != nil:
		return nil, common.WithOutcome(calls.UnknownReason(failure, err), nil, scanPart)
	case scan.isRunning() || scan.ended != nil && c.clock.MayBeAfter(tries.Start, *scan.ended):
		return scan.status, nil
	case common.CodeOf(failure) == common.QuotaReached && (scan.status == nil || scan.ended != nil):
		return nil, failure // what has reached the quota was before
	default:
		return nil, common.WithOutcome(failure, nil, scanPart)
	}
}

// An imageScan is the last scan of an image. Its fields are nil if there was
// none.
type imageScan struct {
	status *ScanStatus
	ended  *time.Time // also nil if it has brought nothing
}

func (s imageScan) isRunning() bool {
	if s.status == nil {
		return false
	}
	status := aws.StringValue(s.status.Status)
	return status == ecr.ScanStatusInProgress || status == ecr.ScanStatusPending
}

// lastScan returns the last basic scan of the image.
func (c *Client) lastScan(ctx context.Context, name, digest string) (imageScan, error) {
	in := &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String(name), ImageId: ImageID{Digest: digest}.aws(), MaxResults: aws.Int64(1)}
	out, err := send[ecr.DescribeImageScanFindingsOutput](ctx, c, "DescribeImageScanFindings", in)
	switch {
	case hasNoScan(err):
		return imageScan{}, nil
	case err != nil:
		return imageScan{}, c.explain(ctx, name, err)
	}
	scan := imageScan{status: scanStatusOf(out.ImageScanStatus)}
	if found := out.ImageScanFindings; found != nil {
		scan.ended = found.ImageScanCompletedAt
	}
	return scan, nil
}

func scanStatusOf(s *ecr.ImageScanStatus) *ScanStatus {
	if s == nil {
		return nil
	}
	return &ScanStatus{Description: s.Description, Status: s.Status}
}

// scanQuota says what ECR's error does not.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const scanQuota = "ECR scans an image once in 24 hours, and the scan at its push counts too. In an account it makes 100,000 scans in 24 hours. " +
	"One of these limits is reached. "

// refusedScan returns the error of a StartImageScan. ECR has codes for it that
// mean something else in other operations.
func refusedScan(err error) error {
	e, said := new(common.Error), awserr.Error(nil)
	if !errors.As(err, &e) || !errors.As(e.Cause, &said) {
		return err
	}
	switch words := said.Message(); {
	case e.Code == common.QuotaReached:
		e.Message = scanQuota + common.AWSWords(e.AWSCode, words)
	case e.AWSCode == ecr.ErrCodeValidationException && strings.Contains(words, "This feature is disabled"):
		e.Code = common.ScannedByRegistry
		e.Message = "The registry scans its images by itself (enhanced scanning), and not on demand. Show the image to see its findings."
	case e.AWSCode == ecr.ErrCodeUnsupportedImageTypeException && namesIndex(words):
		e.Code = common.ImageIsIndex
	}
	return e
}

// namesIndex tells whether the words have the media type of an index.
func namesIndex(words string) bool {
	return strings.Contains(words, indexType) || strings.Contains(words, dockerListType)
}
