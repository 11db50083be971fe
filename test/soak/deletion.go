package main

import (
	"fmt"
	"slices"
)

// deletion is what has become of a repository while the service deleted images
// there.
type deletion struct {
	before state   // before the request
	after  state   // after it
	then   []image // the images when the deletion began: others may have pushed after the look
	again  []image // what others pushed again because AWS had deleted it
	lost   bool    // AWS has deleted something and not said so
}

func (d *deletion) looked() []image { return d.before.Images.images() }

// gone returns what was deleted.
func (d *deletion) gone() removal { return removed(d.then, d.after.Images.images()) }

// check returns an error if the outcome of a deletion is not true.
func (d *deletion) check(o operation, out outcome) error {
	if err := d.checkOthers(); err != nil {
		return err
	}
	gone := d.gone()
	switch {
	case out.status == 0 || o.kind == dryRun:
		if len(gone.ids) > 0 {
			return fmt.Errorf("it may delete nothing, and this is gone: %s", gone)
		}
	case len(out.applied)+len(out.unknown) == 0 && out.status != 200:
		if len(gone.ids) > 0 {
			return fmt.Errorf("it says that it has deleted nothing, and this is gone: %s", gone)
		}
	}
	switch {
	case out.status == 0:
		return nil
	case out.status == 404 && out.code != imageNotFound:
		return errorIf(d.before.Exists, "the repository is there")
	case failures[out.status] && len(out.applied)+len(out.unknown) == 0:
		return nil
	case !d.before.Exists:
		return fmt.Errorf("there is no repository")
	case o.kind == deleteImage:
		return d.checkOne(idOf(o.image), out)
	default:
		return d.checkMany(o, out)
	}
}

func errorIf(wrong bool, text string) error {
	if wrong {
		return fmt.Errorf("%s", text)
	}
	return nil
}

// checkOthers returns an error if something has changed that no deletion of
// images may change.
func (d *deletion) checkOthers() error {
	repository := d.before
	repository.Images = d.after.Images
	if repository != d.after {
		return fmt.Errorf("it has changed the repository")
	}
	want := newLibrary(slices.Concat(without(d.then, d.gone()), d.again))
	if want != d.after.Images {
		return fmt.Errorf("there must be %s\n  and there are %s\n  of which others pushed again %v", want, d.after.Images, d.again)
	}
	return nil
}

// checkOne checks the deletion of one image or tag.
func (d *deletion) checkOne(id imageID, out outcome) error {
	gone := d.gone()
	want, refusal := deletionOf(id, d.then)
	_, atLook := find(d.looked(), id)
	switch {
	case out.status == 404:
		return errorIf(atLook && refusal != imageNotFound, "the image is there")
	case out.status == 409 && out.code == imageInIndex:
		return errorIf(refusal != imageInIndex, "no index names the image")
	case refusal != "" && out.status == 200:
		return fmt.Errorf("it cannot be deleted: %s", refusal)
	case out.status == 200 && !gone.equals(want):
		return fmt.Errorf("this must be gone: %s\n  and this is: %s", want, gone)
	case out.status == 200 && out.deleted != nil:
		return d.checkOneAnswer(id, out.deleted)
	case out.status == 200:
		return nil
	case out.code == tagMoved && id.ImageTag == "":
		return fmt.Errorf("a digest does not move")
	case !failures[out.status] && out.code != tagMoved || len(out.applied) > 0 || !slices.Equal(out.unknown, []string{id.part()}):
		return fmt.Errorf("a failure of that kind cannot be")
	default:
		return errorIf(len(gone.ids) > 0 && !gone.equals(want), "more is gone than was asked for")
	}
}

// part returns the name of what a deletion of that id may have done.
func (id imageID) part() string {
	if id.ImageTag != "" {
		return "Tag " + id.ImageTag
	}
	return "Image"
}

// checkOneAnswer checks what an answer says about what was deleted. If AWS's
// answer was lost, nobody knows from which image a tag went, and which tags an
// image had other than at the look.
func (d *deletion) checkOneAnswer(id imageID, a *deletionAnswer) error {
	want, _ := deletionOf(id, d.then)
	told := a.removal()
	if d.lost {
		told = told.completed(want)
	}
	switch {
	case len(a.Failures) > 0:
		return fmt.Errorf("a deletion of one image has no failures")
	case !slices.Equal(told.ids, want.ids) && !(d.lost && id.ImageDigest != "" && slices.Equal(told.ids, goesWith(id, d.looked()).ids)):
		return fmt.Errorf("this is gone: %v, and the answer says %v", want.ids, told.ids)
	case slices.Equal(told.images, want.images), id.ImageTag != "" && a.DeletedImages == nil: // the look afterwards failed
		return nil
	}
	return fmt.Errorf("these images are gone: %.15q, and the answer says %.15q", want.images, told.images)
}

// pushed tells what others pushed after the look.
func (d *deletion) pushed() []imageID { return removed(d.then, d.looked()).ids }

// deletionOf returns what goes with a digest or a tag, or the code of the problem
// that prevents it.
func deletionOf(id imageID, images []image) (r removal, refusal string) {
	i, found := find(images, id)
	r = goesWith(id, images)
	switch {
	case !found:
		return r, imageNotFound
	case len(r.images) > 0 && isPart(images, i.Digest):
		return removal{}, imageInIndex
	}
	return r, ""
}

// goesWith returns what goes with a digest or a tag, if no index names the image.
func goesWith(id imageID, images []image) (r removal) {
	i, found := find(images, id)
	switch {
	case !found:
	case id.ImageTag != "" && len(i.Tags) > 1:
		r.ids = []imageID{{i.Digest, id.ImageTag}}
	default:
		r.add(i)
	}
	return r.sorted()
}

// checkMany checks the deletion of many images, or what it says that it would
// delete.
func (d *deletion) checkMany(o operation, out outcome) error {
	atLook := o.query.selectFrom(d.looked(), nil)
	if o.kind == dryRun {
		if out.status != 200 {
			return fmt.Errorf("a failure of that kind cannot be")
		}
		return checkAnswer(out.deleted, atLook.removal(), atLook, false)
	}
	if err := d.checkSelected(atLook); err != nil {
		return err
	}
	if out.status != 200 {
		return d.checkFailure(out)
	}
	gone := d.gone()
	due := atLook.both(d.selectThen(o.query))
	kept := d.belonged(o.query)
	due.whole = slices.DeleteFunc(due.whole, func(i image) bool { return has(kept, i) })
	if left := due.removal().without(gone); len(left.ids) > 0 {
		return fmt.Errorf("it is selected, and not gone: %s", left)
	}
	if len(d.pushed())+len(d.again) > 0 {
		return checkAnswer(out.deleted, gone, nil, d.lost)
	}
	return checkAnswer(out.deleted, gone, atLook, d.lost)
}

// belonged returns the images that belonged at the look to one that stays, and what
// belongs to these. A tag may have moved since that made one a signature. The
// service goes by both looks, and rather keeps too much.
func (d *deletion) belonged(q imageQuery) []image {
	if q.byName() {
		return nil
	}
	there := d.after.Images.images()
	var kept []image
	for _, i := range there {
		before, _ := find(d.looked(), imageID{ImageDigest: i.Digest})
		if slices.ContainsFunc(there, func(stays image) bool { return refersTo(before, stays) }) {
			kept = append(kept, i)
		}
	}
	for n := 0; n < len(kept); n++ {
		for _, i := range there {
			if belongsTo(i, kept[n]) && !has(kept, i) {
				kept = append(kept, i)
			}
		}
	}
	return kept
}

// selectThen selects images as they were when the deletion began. What others
// pushed after the look stays, and so does what belongs to it.
func (d *deletion) selectThen(q imageQuery) *selection {
	isAgain := func(i image) bool {
		_, found := find(d.again, imageID{ImageDigest: i.Digest})
		return found
	}
	images := slices.Concat(slices.DeleteFunc(slices.Clone(d.then), isAgain), d.again)
	return q.selectFrom(images, slices.Concat(d.fresh(), d.again))
}

// fresh returns the images that were pushed after the look, and those that got a
// tag.
func (d *deletion) fresh() []image {
	return slices.DeleteFunc(slices.Clone(d.then), func(i image) bool {
		before, found := find(d.looked(), imageID{ImageDigest: i.Digest})
		return found && isSubset(i.Tags, before.Tags)
	})
}

func isSubset(texts, others []string) bool {
	return len(difference(texts, others)) == 0
}

// checkSelected returns an error if something is gone that was not selected at
// the look, that has got a tag since, or that an image needs that stays.
func (d *deletion) checkSelected(s *selection) error {
	there, fresh := d.after.Images.images(), d.fresh()
	for _, i := range d.then {
		switch {
		case has(there, i):
		case !s.goes(i) || has(fresh, i):
			return fmt.Errorf("it is not selected, and gone: %s", i.Digest)
		case slices.ContainsFunc(there, func(stays image) bool { return s.needs(stays, i) && has(s.images, stays) }):
			return fmt.Errorf("it is gone, and belongs to an image that is there: %s", i.Digest)
		}
	}
	gone, selected := d.gone(), s.removal()
	for _, id := range gone.ids {
		if !slices.Contains(gone.images, id.ImageDigest) && !slices.Contains(selected.ids, id) {
			return fmt.Errorf("it is not selected, and gone: %s", id)
		}
	}
	return nil
}
