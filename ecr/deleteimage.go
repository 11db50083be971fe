package ecr

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
)

// A Deletion says what was deleted.
type Deletion struct {
	ImageIDs      []ImageIdentifier `json:"ImageIds"` // one for each tag that went, or the bare digest of an image without tags
	Failures      []ImageFailure    // never nil
	DeletedImages []string          // digests of the images that are gone; nil if that cannot be found out
}

// An imageDeletion deletes one image by its digest, or one tag.
type imageDeletion struct {
	*Client
	name    string
	id      ImageID
	present *Image // what had that id when it was read
	tries   calls.Attempts
}

// DeleteImage deletes the image or the tag with that id, which is one that was
// just read. A tag goes from whichever image has it at that moment. If AWS did
// not say whether it did that, DeleteImage checks whether it is gone. If it is part
// of an index, the error is an ImageInIndex, and IndexesWith finds the index.
func (c *Client) DeleteImage(ctx context.Context, name string, id ImageID, present *Image) (*Deletion, error) {
	d := &imageDeletion{Client: c, name: name, id: id, present: present}
	done, err := d.run(ctx)
	switch {
	case err == nil:
		return d.done(ctx, done.ids, d.goneWith(ctx, done.ids), done.requestID), nil
	case !d.tries.Unsure || common.CodeOf(err) == common.ImageInIndex:
		return nil, err
	}
	if calls.IsGone(err) {
		return d.doneUnseen(ctx), nil
	}
	checkErr := d.checkSame(ctx)
	if calls.IsGone(checkErr) {
		return d.doneUnseen(ctx), nil
	}
	return nil, d.unknown(err, checkErr)
}

// unknown returns the error of a deletion of which nobody knows whether AWS has
// done it. The next deletion by tag may be that of another image, so nobody must
// simply send it again.
func (d *imageDeletion) unknown(failure, checkErr error) error {
	if d.id.Tag == "" {
		return common.WithOutcome(calls.UnknownReason(failure, checkErr), nil, []string{"Image"})
	}
	part := []string{"Tag " + d.id.Tag}
	if common.CodeOf(checkErr) == common.TagMoved {
		moved := common.WithOutcome(checkErr, nil, part)
		moved.Cause = failure
		moved.Advice = "The same request, sent again, would take the tag from that image."
		return moved
	}
	e := common.WithOutcome(calls.UnknownReason(failure, checkErr), nil, part)
	e.Advice = "Look first which image has the tag: the same request, sent again, takes it from that image. Or delete the image by its digest."
	return e
}

// run makes the call. If AWS says that it has not deleted the image, that is the
// error.
func (d *imageDeletion) run(ctx context.Context) (done *batchDeletion, err error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	err = retryIfDenied(ctx, d.checkSame, func() error {
		done, err = d.batchDelete(ctx, d.name, []ImageID{d.id}, &d.tries, d.tries.RepeatIfSame(d.checkSame))
		return err
	})
	if err == nil && len(done.failures) > 0 {
		err = done.failures[0].error("ecr:BatchDeleteImage", done.requestID)
	}
	return done, err
}

// done tells what was deleted, and returns it.
func (d *imageDeletion) done(ctx context.Context, ids []ImageIdentifier, gone []string, requestID string) *Deletion {
	d.tell(ctx, ids, gone, requestID)
	return &Deletion{ImageIDs: ids, Failures: []ImageFailure{}, DeletedImages: gone}
}

// goneWith returns the digests of the images that are gone with the ids that AWS
// tells. An image goes with its last tag, and AWS does not say so. So after the
// deletion of a tag it looks at the image that has lost it.
func (d *imageDeletion) goneWith(ctx context.Context, ids []ImageIdentifier) []string {
	if d.id.Tag == "" {
		return []string{d.present.ImageDigest}
	}
	return d.goneAt(ctx, aws.StringValue(ids[0].ImageDigest))
}

// goneAt looks whether an image is gone from which the tag was taken. The result
// is nil if that cannot be found out.
func (d *imageDeletion) goneAt(ctx context.Context, digest string) []string {
	switch _, err := d.DescribeImage(ctx, d.name, ImageID{Digest: digest}); {
	case err == nil:
		return []string{}
	case calls.IsGone(err):
		return []string{digest}
	default:
		return nil
	}
}

// doneUnseen returns what was deleted if AWS has not told it. If the image that
// was read is still there, the tag may have been on another image when it was
// deleted. Then nobody knows on which, and what went with it.
func (d *imageDeletion) doneUnseen(ctx context.Context) *Deletion {
	if d.id.Tag == "" {
		return d.done(ctx, idsOf(d.present.ImageDigest, d.present.ImageTags), []string{d.present.ImageDigest}, "")
	}
	if err := d.checkImage(ctx, ImageID{Digest: d.present.ImageDigest}); !calls.IsGone(err) {
		return d.done(ctx, []ImageIdentifier{{ImageTag: &d.id.Tag}}, nil, "")
	}
	return d.done(ctx, idsOf(d.present.ImageDigest, []string{d.id.Tag}), []string{d.present.ImageDigest}, "")
}

// checkSame returns an error if what is to be deleted has changed since it was
// read. It is an ImageNotFound if the image or the tag is gone, even if somebody
// has pushed the image again since. If a tag is on another image now (TagMoved),
// that alone does not tell whether it was deleted before. But the image that had
// it may tell: if the last tag is deleted the image goes, and if the tag only moves
// it stays.
func (d *imageDeletion) checkSame(ctx context.Context) error {
	err := d.checkImage(ctx, d.id)
	if common.CodeOf(err) == common.TagMoved {
		if imageErr := d.checkImage(ctx, ImageID{Digest: d.present.ImageDigest}); calls.IsGone(imageErr) {
			return imageErr
		}
	}
	return err
}

func (d *imageDeletion) checkImage(ctx context.Context, id ImageID) error {
	now, err := d.DescribeImage(ctx, d.name, id)
	switch {
	case err != nil:
		return err
	case now.ImageDigest != d.present.ImageDigest:
		return common.Errorf(common.TagMoved, "The image %s has the tag %s now, and keeps it.", now.ImageDigest, d.id.Tag)
	case !now.pushed().Equal(d.present.pushed()):
		return common.Errorf(common.ImageNotFound, "The image %s was deleted meanwhile, and pushed again.", now.ImageDigest)
	}
	return nil
}
