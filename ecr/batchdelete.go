package ecr

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// An ImageIdentifier is an image as AWS tells it: its digest, its tag, or both.
// What AWS does not tell is nil, and null in JSON.
type ImageIdentifier struct {
	ImageDigest *string `locationName:"imageDigest"`
	ImageTag    *string `locationName:"imageTag"`
}

// An ImageFailure says why AWS has left out one of several images.
type ImageFailure struct {
	ImageID       ImageIdentifier `json:"ImageId" locationName:"imageId"`
	FailureCode   *string         `locationName:"failureCode"`
	FailureReason *string         `locationName:"failureReason"`
}

// A Removal is what one call has removed from a repository, as far as that is
// known.
type Removal struct {
	Tags         []string // as tag@digest
	Images       []string // digests of the images that are gone; those that lost only tags are not among them
	AWSRequestID string   // of the call; empty if its answer was lost
}

// tell tells the API what was removed: the ids, and the images that are gone.
// Whoever calls batchDelete calls tell too, as soon as it is known which images
// are gone. The request id is empty if the answer of AWS was lost.
func (c *Client) tell(ctx context.Context, ids []ImageIdentifier, images []string, requestID string) {
	r := Removal{Images: images, AWSRequestID: requestID}
	for _, id := range ids {
		if id.ImageTag != nil {
			r.Tags = append(r.Tags, *id.ImageTag+"@"+cmp.Or(aws.StringValue(id.ImageDigest), "unknown"))
		}
	}
	if c.removed != nil && len(r.Tags)+len(r.Images) > 0 {
		c.removed(ctx, r)
	}
}

// idsOf returns an id for each tag of the image, or the bare digest if there are
// none.
func idsOf(digest string, tags []string) (ids []ImageIdentifier) {
	for i := range tags {
		ids = append(ids, ImageIdentifier{&digest, &tags[i]})
	}
	if ids == nil {
		ids = []ImageIdentifier{{ImageDigest: &digest}}
	}
	return ids
}

// A batchDeletion is what one BatchDeleteImage has done.
type batchDeletion struct {
	ids       []ImageIdentifier // one for each tag that went, or the bare digest of an image without tags; never nil
	failures  []ImageFailure    // never nil
	requestID string            // AWS's
}

// batchDelete makes one call that deletes at most 100 images or tags. AWS may do
// a part of it: what it did not do is in the failures of the result, and not in
// the error. The attempts are noted in tries. An attempt whose answer was lost
// is repeated, unless one of the options prevents it.
func (c *Client) batchDelete(ctx context.Context, name string, ids []ImageID, tries *calls.Attempts, options ...request.Option) (*batchDeletion, error) {
	done := new(batchDeletion)
	in := &ecr.BatchDeleteImageInput{RepositoryName: aws.String(name), ImageIds: awsIDs(ids)}
	options = append(slices.Clone(options), tries.Watch, keepRequestID(&done.requestID))
	out, err := send[batchDeleteImageOutput](ctx, c, "BatchDeleteImage", in, options...)
	if err != nil {
		return nil, err
	}
	done.ids, done.failures = append([]ImageIdentifier{}, out.ImageIDs...), append([]ImageFailure{}, out.Failures...)
	if len(done.ids)+len(done.failures) == 0 { // the answer was empty
		tries.Unsure = true
		return nil, common.Errorf(common.Internal, "ECR answered a deletion of images in %q without saying what it did", name)
	}
	return done, nil
}

// keepRequestID is an option for a request. It notes AWS's id of the call.
func keepRequestID(id *string) request.Option {
	return func(r *request.Request) {
		r.Handlers.Complete.PushBack(func(r *request.Request) { *id = r.RequestID })
	}
}

// error returns the common.Error for the failure, as if AWS had answered the
// whole call of the action with it.
func (f ImageFailure) error(action, requestID string) error {
	failure := awserr.New(aws.StringValue(f.FailureCode), aws.StringValue(f.FailureReason), nil)
	return fromAWS(awserr.NewRequestFailure(failure, http.StatusOK, requestID), action)
}
