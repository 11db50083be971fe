package ecr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/go-json-experiment/json/jsontext"
)

// A Preview says what a lifecycle policy would do. Total and Images are nil
// unless it is complete.
type Preview struct {
	Status string // IN_PROGRESS, COMPLETE, EXPIRED, FAILED, and what AWS may add
	Total  *int
	Images []PreviewImage
}

// A PreviewImage is an image on which the policy would act.
type PreviewImage struct {
	ImageDigest   string
	ImageTags     []string // sorted; never nil
	ImagePushedAt *common.Timestamp
	Action        *string // EXPIRE or TRANSITION, and what AWS may add
	RulePriority  *int64
}

// IsUnderWay tells whether AWS has not come to the end of the preview.
func (p *Preview) IsUnderWay() bool { return p.Status == ecr.LifecyclePolicyPreviewStatusInProgress }

func (p *Preview) isComplete() bool { return p.Status == ecr.LifecyclePolicyPreviewStatusComplete }

// errReplaced says that the preview is another than before. A repository has one
// preview, without an id, and everybody who may can replace it.
var errReplaced = errors.New("another preview has taken the place of this one")

const (
	// maxPreviews is how often a preview that was replaced is started or read
	// again.
	maxPreviews = 4

	firstLook  = 250 * time.Millisecond // wait before the first look at a preview; the waits double
	maxLook    = 4 * time.Second
	latestFind = 3   // by this look AWS finds a preview that it has started
	pagesMost  = 100 // results on a page, as ECR says
)

// errBusy is the answer if a preview was replaced again and again.
var errBusy = common.Errorf(common.PreviewUnderWay, "Others ask for previews of this repository at the same time, and AWS keeps only the last one. Try again later.")

// Preview starts a preview of the document and waits until it has ended, or until
// half of the time is over: the other half is for the pages. If AWS makes a
// preview of the same document already, Preview waits for that one. The pages of
// the preview are read by read, which calls its argument and may call it again.
func (c *Client) Preview(ctx context.Context, name string, document jsontext.Value, read func(context.Context, func(context.Context) error) error) (preview *Preview, err error) {
	for try := range maxPreviews {
		preview, err = c.runPreview(ctx, name, document)
		if err == nil && preview.isComplete() {
			err = lateOf(read(ctx, func(ctx context.Context) (err error) {
				preview, err = c.readPreview(ctx, name, document, try == 0)
				return err
			}))
		}
		if !errors.Is(err, errReplaced) {
			return preview, err
		}
	}
	return nil, busy(err)
}

// lateOf returns the error of the pages of a complete preview. If the time has
// ended, it says that GET has more time for them.
func lateOf(err error) error {
	if common.CodeOf(err) != common.Timeout {
		return err
	}
	return &common.Error{Code: common.Timeout, Cause: err,
		Message: "The preview is complete, but its images could not be read in time. GET …/lifecycle/preview reads them."}
}

// busy returns the error for a preview that was replaced each time: what AWS has
// said, if that is why it could not be started.
func busy(last error) error {
	var said *common.Error
	if errors.As(last, &said) {
		return said
	}
	return errBusy
}

// LastPreview returns the last preview that somebody has asked for.
func (c *Client) LastPreview(ctx context.Context, name string) (*Preview, error) {
	for try := range maxPreviews {
		if preview, err := c.readPreview(ctx, name, nil, try == 0); !errors.Is(err, errReplaced) {
			return preview, err
		}
	}
	return nil, errBusy
}

// runPreview starts a preview, and waits for its end. It returns the status
// only.
func (c *Client) runPreview(ctx context.Context, name string, document jsontext.Value) (*Preview, error) {
	waiting, cancel := calls.ReservePart(ctx, 2) // there may be many pages
	defer cancel()
	underWay, err := c.startPreview(waiting, name, document)
	if err != nil {
		return nil, err
	}
	looks := 0
	for wait := firstLook; calls.Pause(waiting, wait); wait = min(2*wait, maxLook) {
		now, err := c.look(waiting, name, document)
		looks++
		switch {
		case waiting.Err() != nil || isLater(err, looks):
		case err != nil || !now.IsUnderWay():
			return now, err
		}
	}
	if ctx.Err() != nil { // the caller has hung up
		return nil, common.FromAWS(ctx.Err(), nil, "")
	}
	return underWay, nil
}

// isLater tells whether a look at a preview has found nothing out, and the next
// one may. The first looks may come before AWS knows of the preview.
func isLater(err error, looks int) bool {
	code := common.CodeOf(err)
	return code == common.Throttled || code == common.PreviewNotFound && looks < latestFind
}

// startPreview starts a preview, or finds one of the same document under way.
func (c *Client) startPreview(ctx context.Context, name string, document jsontext.Value) (*Preview, error) {
	in := &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: aws.String(name), LifecyclePolicyText: aws.String(string(document))}
	err := retryIfDenied(ctx, c.isThere(name), func() error {
		_, err := send[ecr.StartLifecyclePolicyPreviewOutput](ctx, c, "StartLifecyclePolicyPreview", in)
		return err
	})
	if common.CodeOf(err) == common.PreviewUnderWay {
		return c.joinPreview(ctx, name, document, err)
	}
	return &Preview{Status: ecr.LifecyclePolicyPreviewStatusInProgress}, err
}

// joinPreview returns the preview that is under way if it is of the same
// document. The refusal is AWS's.
func (c *Client) joinPreview(ctx context.Context, name string, document jsontext.Value, refusal error) (*Preview, error) {
	page, err := c.previewPage(ctx, name, 1, nil)
	switch {
	case common.CodeOf(err) == common.PreviewNotFound:
		return nil, refusal
	case err != nil:
		return nil, err
	case !page.preview().IsUnderWay(): // it has ended since, so the next start may succeed
		return nil, fmt.Errorf("%w: %w", errReplaced, refusal)
	case !sameJSON(page.text(), document):
		return nil, refusal
	}
	return page.preview(), nil
}

// look returns the status of the preview if it is of that document.
func (c *Client) look(ctx context.Context, name string, document jsontext.Value) (*Preview, error) {
	page, err := c.previewPage(ctx, name, 1, nil, lookAgain)
	switch {
	case err != nil:
		return nil, err
	case !sameJSON(page.text(), document):
		return nil, errReplaced
	}
	return page.preview(), nil
}

// lookAgain is an option for a look at a preview. The SDK does not repeat a look
// that AWS throttles, because the next look comes anyway. So the looks take no
// retries from other calls.
func lookAgain(r *request.Request) {
	r.Handlers.Retry.PushBack(func(r *request.Request) {
		if r.IsErrorThrottle() {
			r.Retryable = aws.Bool(false)
		}
	})
}

// readPreview reads all pages of the preview. The error is errReplaced if it is
// not of that document, or if it was replaced between two pages, also by one of
// the same document. A nil document is that of the first page. AWS's totals are
// compared if counted is true: the first time only, since AWS does not say that
// each page has the total of all.
func (c *Client) readPreview(ctx context.Context, name string, document jsontext.Value, counted bool) (*Preview, error) {
	whole := &Preview{Status: ecr.LifecyclePolicyPreviewStatusComplete, Images: []PreviewImage{}}
	var first *previewPage
	var token *string
	for {
		page, err := c.previewPage(ctx, name, pagesMost, token)
		if first != nil && isOfAnother(err) {
			return nil, errReplaced
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = page
		}
		if document == nil {
			document = page.text()
		}
		switch {
		case !sameJSON(page.text(), document), page.status() != first.status(), counted && page.total() != first.total():
			return nil, errReplaced
		case page.status() != whole.Status:
			return page.preview(), nil
		}
		whole.Images = append(whole.Images, page.images()...)
		if token = page.NextToken; aws.StringValue(token) == "" {
			return whole, whole.count(first.total(), counted)
		}
	}
}

// count sets the Total. The error is errReplaced if the images are not those of
// one preview: an image comes twice, or there are others than AWS has counted.
func (p *Preview) count(told int64, counted bool) error {
	p.Total = aws.Int(len(p.Images))
	digests := make(map[string]bool, len(p.Images))
	for _, image := range p.Images {
		digests[image.ImageDigest] = true
	}
	if len(digests) < len(p.Images) || counted && told != notCounted && told != int64(len(p.Images)) {
		return errReplaced
	}
	return nil
}

// isOfAnother tells whether AWS refuses a page because it is of a preview that is
// gone.
func isOfAnother(err error) bool {
	code := common.CodeOf(err)
	return code == common.BadRequest || code == common.PreviewNotFound
}

func (c *Client) previewPage(ctx context.Context, name string, size int64, token *string, options ...request.Option) (*previewPage, error) {
	in := &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: aws.String(name), MaxResults: aws.Int64(size), NextToken: token}
	page, err := send[previewPage](ctx, c, "GetLifecyclePolicyPreview", in, options...)
	if err != nil {
		return nil, c.explain(ctx, name, err)
	}
	return page, nil
}

func (p *previewPage) text() jsontext.Value {
	return jsontext.Value(aws.StringValue(p.LifecyclePolicyText))
}

func (p *previewPage) status() string { return aws.StringValue(p.Status) }

// preview returns the preview without its images.
func (p *previewPage) preview() *Preview { return &Preview{Status: p.status()} }

// notCounted is the total if AWS does not tell it.
const notCounted = -1

// total returns how many images AWS has counted on all pages.
func (p *previewPage) total() int64 {
	if p.Summary == nil {
		return notCounted
	}
	total := aws.Int64Value(p.Summary.ExpiringImageTotalCount)
	for _, c := range p.Summary.TransitioningImageTotalCounts {
		total += aws.Int64Value(c.ImageTotalCount)
	}
	return total
}

// images returns the images of the page, in ECR's order.
func (p *previewPage) images() []PreviewImage {
	images := make([]PreviewImage, len(p.PreviewResults))
	for i, r := range p.PreviewResults {
		images[i] = PreviewImage{
			ImageDigest:   aws.StringValue(r.ImageDigest),
			ImageTags:     aws.StringValueSlice(r.ImageTags),
			ImagePushedAt: timestampOf(r.ImagePushedAt),
			Action:        r.Action.Type,
			RulePriority:  r.AppliedRulePriority,
		}
		slices.Sort(images[i].ImageTags)
	}
	return images
}
