package ecr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"golang.org/x/sync/errgroup"
)

const (
	batchesAtOnce = 4           // of one clean-up
	timeForBatch  = time.Second // a batch begins only if so much time is left
	maxRounds     = 10          // how often a wave is read again because something was missing
)

// CleanUp deletes what the plan selects. What holds others goes before them, in
// calls of its own. Each batch is looked at again right before it goes. What has
// changed since the plan was made stays, with all that it holds. If CleanUp ends
// early, the error says how many images and tags are gone, and how many may be.
func (c *Client) CleanUp(ctx context.Context, plan *Cleanup) (*Deletion, error) {
	r := &cleanupRun{Cleanup: plan, client: c, lastStart: lastStart(ctx), done: &Deletion{ImageIDs: []ImageIdentifier{}, DeletedImages: []string{}}}
	waves := plan.waves()
	tags := plan.tagUnits()
	r.total = tally{tags: len(tags)}
	for _, wave := range waves {
		r.total.images += len(wave)
	}
	r.wave(ctx, tags)
	if orphans := plan.orphans(waves); len(orphans) > 0 {
		waves[0] = slices.DeleteFunc(waves[0], func(i int32) bool { return plan.isAmong(orphans, i) })
		r.wave(ctx, r.withoutSubjects(ctx, orphans))
	}
	for _, wave := range waves {
		r.wave(ctx, plan.imageUnits(wave))
	}
	return r.outcome()
}

// lastStart returns until when a batch may begin.
func lastStart(ctx context.Context) time.Time {
	end, limited := ctx.Deadline()
	if !limited {
		return time.Now().Add(time.Hour)
	}
	left := time.Until(end)
	return end.Add(-max(left/8, min(left/2, timeForBatch)))
}

// A cleanupRun is a clean-up under way.
type cleanupRun struct {
	*Cleanup
	client    *Client
	lastStart time.Time // no batch begins after it
	total     tally     // what is selected

	mu            sync.Mutex // also for the failures, and for what goes
	done          *Deletion
	gone, unknown tally
	again         []unit // of batches in which something was missing
	late          bool   // there was not enough time for all batches
	err           error  // of the first call that failed
}

// A unit is what one id of a deletion names: an image, or a tag of an image that
// stays.
type unit struct {
	*seen
	place int32
	tag   string   // empty: the image
	now   []string // tags of the image right before the deletion
}

func (u unit) id() ImageID {
	if u.tag != "" {
		return ImageID{Tag: u.tag}
	}
	return ImageID{Digest: u.digest}
}

// tagUnits returns the tags that go alone.
func (c *Cleanup) tagUnits() (units []unit) {
	for i, s := range c.images {
		for _, tag := range s.only {
			units = append(units, unit{seen: s, place: int32(i), tag: tag})
		}
	}
	return units
}

// imageUnits returns the images of a wave that still go.
func (c *Cleanup) imageUnits(wave []int32) (units []unit) {
	for _, i := range wave {
		if s := c.images[i]; s.goes {
			units = append(units, unit{seen: s, place: i})
		}
	}
	return units
}

// wave deletes units that may go in any order. If some of them stay, what they
// hold stays too.
func (r *cleanupRun) wave(ctx context.Context, units []unit) {
	left := units
	for round := 0; len(left) > 0 && round < maxRounds; round++ {
		var batches errgroup.Group
		batches.SetLimit(batchesAtOnce)
		for some := range slices.Chunk(left, maxIDs) {
			batches.Go(func() error {
				if !r.stopped() {
					r.batch(ctx, some)
				}
				return nil
			})
		}
		_ = batches.Wait() // what failed is in r.err
		left = r.takeAgain(ctx)
	}
	for _, u := range left { // others delete all the time
		u.goes = false
	}
	for _, u := range units {
		if u.tag == "" && !u.goes {
			r.leaveHeld(u.place)
		}
	}
	r.leavePossibleParts()
}

// stopped tells whether no more batches may begin.
func (r *cleanupRun) stopped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = r.late || time.Now().After(r.lastStart)
	return r.late || r.err != nil
}

func (r *cleanupRun) stop(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// batch looks at the units again, and deletes those that have not changed. ECR
// does not describe any of several images if one is missing. Then the batch is
// put off until all the images have been read once more.
func (r *cleanupRun) batch(ctx context.Context, units []unit) {
	present, err := r.describe(ctx, units)
	switch {
	case common.CodeOf(err) == common.ImageNotFound:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.again = append(r.again, units...)
	case err != nil:
		r.stop(err)
	default:
		for units = r.unchanged(units, present); len(units) > 0; {
			units = (&batch{run: r, units: units}).send(ctx)
		}
	}
}

func (r *cleanupRun) describe(ctx context.Context, units []unit) (map[string]*Image, error) {
	var ids []ImageID
	for _, u := range units {
		ids = append(ids, ImageID{Digest: u.digest})
	}
	images, err := r.client.DescribeImages(ctx, r.repository, slices.Compact(ids)) // tags of an image are neighbours
	present := make(map[string]*Image, len(images))
	for _, i := range images {
		present[i.ImageDigest] = i
	}
	return present, err
}

// unchanged returns the units that are as they were. The others stay.
func (r *cleanupRun) unchanged(units []unit, present map[string]*Image) (same []unit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range units {
		now := present[u.digest]
		if u.stateOf(now) != unitSame {
			u.goes = false
			continue
		}
		u.now = now.ImageTags
		same = append(same, u)
	}
	return same
}

// takeAgain returns the units of the batches that were put off, without those
// that are gone. Somebody else has deleted these.
func (r *cleanupRun) takeAgain(ctx context.Context) (there []unit) {
	units := r.again
	r.again = nil
	if len(units) == 0 || r.stopped() {
		return nil
	}
	present, err := r.readPresent(ctx, units)
	if err != nil {
		r.stop(err)
		return nil
	}
	for _, u := range units {
		if present[u.digest] != nil {
			there = append(there, u)
		} else {
			r.missing(u)
		}
	}
	return there
}

// readPresent reads all images, and returns those of the units that are there.
func (r *cleanupRun) readPresent(ctx context.Context, units []unit) (map[string]*Image, error) {
	asked := map[string]bool{}
	for _, u := range units {
		asked[u.digest] = true
	}
	present := map[string]*Image{}
	err := r.client.eachImage(ctx, r.repository, func(i *Image) {
		if asked[i.ImageDigest] {
			copied := *i
			present[i.ImageDigest] = &copied
		}
	}, func(int) error { return nil })
	return present, err
}

// missing notes that a unit is gone, and not by this clean-up.
func (r *cleanupRun) missing(u unit) {
	if _, asked := r.asked[u.digest]; asked && u.tag == "" {
		r.fail([]ImageIdentifier{{ImageDigest: &u.digest}}, notFound, notFoundReason)
	}
}

// outcome returns what was deleted if all went well.
func (r *cleanupRun) outcome() (*Deletion, error) {
	err := r.err
	if err == nil && r.late {
		late := common.Errorf(common.Timeout, "The time for this request was over before all was deleted (%s).", r.gone.of(r.total))
		late.Advice = "The same request, sent again, goes on."
		err = late
	}
	if err != nil {
		return nil, common.WithOutcome(err, r.gone.words(), r.unknown.words())
	}
	r.done.Failures = append([]ImageFailure{}, r.failures...)
	return r.done.sorted(), nil
}

// A tally counts images, and tags of images that stay.
type tally struct{ images, tags int }

func (t *tally) add(u unit) {
	if u.tag == "" {
		t.images++
	} else {
		t.tags++
	}
}

// words returns the numbers that are not zero, such as "2 images".
func (t tally) words() (words []string) {
	for _, n := range []struct {
		count int
		what  string
	}{{t.images, "image"}, {t.tags, "tag"}} {
		if n.count > 0 {
			words = append(words, countOf(n.count, n.what))
		}
	}
	return words
}

// of returns the numbers out of a total, such as "2 of 3 images".
func (t tally) of(total tally) string {
	var words []string
	if total.images > 0 {
		words = append(words, fmt.Sprintf("%d of %s", t.images, countOf(total.images, "image")))
	}
	if total.tags > 0 {
		words = append(words, fmt.Sprintf("%d of %s", t.tags, countOf(total.tags, "tag")))
	}
	return strings.Join(words, " and ")
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
