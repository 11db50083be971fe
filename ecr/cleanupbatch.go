package ecr

import (
	"context"
	"errors"
	"slices"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/iam/calls"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A batch is the units of one BatchDeleteImage.
type batch struct {
	run   *cleanupRun
	units []unit
	tries calls.Attempts
	left  []unit // those that are still there, if a check between two attempts has found some gone
}

// A unitState says what has become of a unit.
type unitState int

const (
	unitSame    unitState = iota // it is as it was, and may go
	unitChanged                  // it is there, and must stay
	unitGone                     // it is gone, even if somebody has pushed the image again since
)

// stateOf compares the unit with its image now, which is nil if it is gone. An
// image that got a tag stays. One that lost a tag is still the same. The last
// tag of an image stays: the image would go with it, and that was not selected.
// An image that was archived or restored has another status, and stays.
func (u unit) stateOf(now *Image) unitState {
	switch {
	case now == nil || !now.pushed().Equal(u.pushed):
		return unitGone
	case now.status() != u.status:
		return unitChanged
	case u.tag == "" && isSubset(now.ImageTags, u.tags):
		return unitSame
	case u.tag == "":
		return unitChanged
	case !slices.Contains(now.ImageTags, u.tag):
		return unitGone
	case isSubset(now.ImageTags, u.only):
		return unitChanged
	}
	return unitSame
}

// isSubset tells whether all texts are among the others, which are sorted.
func isSubset(texts, others []string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool {
		_, found := slices.BinarySearch(others, text)
		return !found
	})
}

// send makes the call, and notes what it has done. If the answer of an attempt
// was lost, it looks before the next attempt. If some of the units are gone then,
// it returns the others, which are to be sent again.
func (b *batch) send(ctx context.Context) (again []unit) {
	done, err := b.delete(ctx)
	switch {
	case err == nil:
		b.note(ctx, done)
		return nil
	case !b.tries.Unsure:
		b.run.stop(err)
		return nil
	case b.left != nil:
		return b.left
	}
	left, lookErr := b.lookForLost(ctx)
	if lookErr == nil && len(left) == 0 {
		return nil
	}
	b.run.stop(calls.UnknownReason(err, lookErr))
	b.run.mu.Lock()
	defer b.run.mu.Unlock()
	for _, u := range left {
		b.run.unknown.add(u)
	}
	return nil
}

func (b *batch) delete(ctx context.Context) (done *batchDeletion, err error) {
	ctx, cancel := calls.ReserveTime(ctx)
	defer cancel()
	ids := make([]ImageID, len(b.units))
	for i, u := range b.units {
		ids[i] = u.id()
	}
	err = retryIfDenied(ctx, b.checkDenied, func() (err error) {
		done, err = b.run.client.batchDelete(ctx, b.run.repository, ids, &b.tries, b.tries.RepeatIfSame(b.check))
		return err
	})
	return done, err
}

var errChanged = errors.New("some of the images are gone or have changed")

// check returns an error unless all units are as they were.
func (b *batch) check(ctx context.Context) error {
	left, err := b.lookForLost(ctx)
	if err != nil || len(left) == len(b.units) {
		return err
	}
	b.left = append([]unit{}, left...)
	return errChanged
}

// checkDenied returns an error unless a denied call may be tried once more.
func (b *batch) checkDenied(ctx context.Context) error {
	if b.tries.Unsure {
		return b.check(ctx)
	}
	_, err := b.run.client.tags(ctx, b.run.repository)
	return err
}

// lookForLost finds out what an attempt has done whose answer was lost. It notes
// what is gone, and returns what is as it was. If it cannot find out, it returns
// all with an error.
func (b *batch) lookForLost(ctx context.Context) (left []unit, err error) {
	present, err := b.run.describe(ctx, b.units)
	if common.CodeOf(err) == common.ImageNotFound {
		present, err = b.run.readPresent(ctx, b.units)
	}
	if err != nil {
		return b.units, err
	}
	var gone []unit
	b.run.mu.Lock()
	for _, u := range b.units {
		now := present[u.digest]
		switch u.stateOf(now) {
		case unitSame:
			left = append(left, u)
		case unitGone:
			gone = append(gone, u)
			u.goes = now == nil // what it holds is needed if it was pushed again
		case unitChanged:
			u.goes = false
		}
	}
	b.run.mu.Unlock()
	b.noteUnseen(ctx, gone)
	return left, nil
}

// noteUnseen notes units that are gone although AWS has not told it.
func (b *batch) noteUnseen(ctx context.Context, gone []unit) {
	var ids []ImageIdentifier
	for _, u := range gone {
		ids = append(ids, u.goneIDs()...)
	}
	b.noteGone(ctx, gone, ids, nil, "")
}

// goneIDs returns the ids with which AWS tells that the unit is gone. A tag may
// have been on another image by then, so its id has no digest.
func (u unit) goneIDs() []ImageIdentifier {
	if u.tag != "" {
		return []ImageIdentifier{{ImageTag: &u.tag}}
	}
	return idsOf(u.digest, u.now)
}

// noteGone notes units that are gone, with ids that say so. Images that are no
// units may have gone with their last tag.
func (b *batch) noteGone(ctx context.Context, gone []unit, ids []ImageIdentifier, others []string, requestID string) {
	images := slices.Clone(others)
	r := b.run
	r.mu.Lock()
	for _, u := range gone {
		r.gone.add(u)
		if u.tag == "" {
			images = append(images, u.digest)
		}
	}
	r.done.ImageIDs = append(r.done.ImageIDs, ids...)
	r.done.DeletedImages = append(r.done.DeletedImages, images...)
	r.mu.Unlock()
	r.client.tell(ctx, ids, images, requestID)
}

// note notes what AWS tells of the units.
func (b *batch) note(ctx context.Context, done *batchDeletion) {
	went := map[ImageID]string{} // digests
	for _, id := range done.ids {
		digest := aws.StringValue(id.ImageDigest)
		went[ImageID{Digest: digest}], went[ImageID{Tag: aws.StringValue(id.ImageTag)}] = digest, digest
	}
	failed := map[ImageID]ImageFailure{}
	for _, f := range done.failures {
		failed[f.unitID()] = f
	}
	var gone, unseen []unit
	var untagged []string
	for _, u := range b.units {
		digest, ok := went[u.id()]
		switch f, refused := failed[u.id()]; {
		case ok:
			gone = append(gone, u)
			if u.tag != "" {
				untagged = append(untagged, digest)
			}
		case refused && aws.StringValue(f.FailureCode) == ecr.ImageFailureCodeImageNotFound && b.tries.Unsure:
			unseen = append(unseen, u)
		default:
			b.noteFailure(u, f)
		}
	}
	b.noteGone(ctx, gone, done.ids, b.goneOf(ctx, untagged), done.requestID)
	b.noteUnseen(ctx, unseen)
}

// unitID returns the id with which the unit was sent.
func (f ImageFailure) unitID() ImageID {
	if tag := aws.StringValue(f.ImageID.ImageTag); tag != "" {
		return ImageID{Tag: tag}
	}
	return ImageID{Digest: aws.StringValue(f.ImageID.ImageDigest)}
}

// noteFailure notes that AWS has not deleted a unit. If it is gone already, that
// is a failure only if the caller has named the digest. If an index needs it, that
// is one only if the caller has named the image.
func (b *batch) noteFailure(u unit, f ImageFailure) {
	r := b.run
	r.mu.Lock()
	defer r.mu.Unlock()
	code := aws.StringValue(f.FailureCode)
	if code == ecr.ImageFailureCodeImageNotFound {
		r.missing(u)
		return
	}
	u.goes = false
	if code != "" && (code != ecr.ImageFailureCodeImageReferencedByManifestList || r.by.named()) {
		ids := r.failedIDs(u.seen)
		if u.tag != "" {
			ids = u.goneIDs()
		}
		r.fail(ids, code, aws.StringValue(f.FailureReason))
	}
}

// goneOf returns those of the images that are gone with their last tag. Right
// before a tag is deleted it may move to another image, or the others may go.
func (b *batch) goneOf(ctx context.Context, digests []string) []string {
	slices.Sort(digests)
	digests = slices.Compact(digests)
	if len(digests) == 0 {
		return nil
	}
	there, err := b.run.client.present(ctx, b.run.repository, digests)
	if err != nil { // nobody knows
		return nil
	}
	return slices.DeleteFunc(digests, func(digest string) bool {
		return slices.ContainsFunc(there, func(i *Image) bool { return i.ImageDigest == digest })
	})
}
