package main

import (
	"context"
	"fmt"
	"time"
)

// choosesImages tells whether the next request is about the images of the
// repository. One of the worker's repositories has many images and lives long.
func (w *worker) choosesImages(r *repository) bool {
	percent := 10
	if r == w.repositories[0] {
		percent = 85
	}
	if !r.states[0].Exists {
		percent = 5
	}
	return w.random.IntN(100) < percent
}

// stepImages sends one request about the images of a repository. Before most
// requests it pushes some images.
func (w *worker) stepImages(ctx context.Context, r *repository, id string) error {
	if len(r.states) > 1 {
		if err := w.compareWithAWS(r); err != nil {
			return err
		}
	}
	if err := w.pushSome(r); err != nil {
		return err
	}
	s := &sentRequest{id: id, operation: w.chooseImageOperation(r)}
	if s.operation.kind == pageImages {
		return w.pageThrough(ctx, r, s)
	}
	if s.operation.isDeletion() {
		s.meanwhile = w.newMeanwhile(r, s.operation)
		s.meanwhile.begin(r.states[0].Images.images())
	}
	return w.request(ctx, r, s)
}

// pushSome pushes some images into a repository, unless it has many.
func (w *worker) pushSome(r *repository) error {
	const many = 25
	images := r.states[0].Images.images()
	if !r.states[0].Exists || len(images) > many || w.random.IntN(3) == 0 {
		return nil
	}
	pushes := choosePushes(w.random, images, nil)
	if w.random.IntN(200) == 0 {
		pushes = bulk()
	}
	return w.push(r, pushes)
}

// push pushes images into a repository whose state is known.
func (w *worker) push(r *repository, pushes []push) error {
	for _, p := range pushes {
		if err := w.aws.push(r.account, r.fullName(), p); err != nil {
			return fmt.Errorf("pushing to AWS: %w", err)
		}
	}
	after, err := w.aws.stateOf(r.account, r.fullName())
	if err != nil {
		return fmt.Errorf("looking into AWS: %w", err)
	}
	for _, i := range r.states[0].Images.images() {
		if !has(after.Images.images(), i) {
			w.report.violation("an image is gone that nobody has deleted", "%s\n  AWS has: %s\n  gone: %v", w.describe(r), after, i)
		}
	}
	r.states = []state{after}
	r.history = append(r.history, fmt.Sprintf("pushed %v", pushes))
	return nil
}

// newMeanwhile returns what others do during half of the deletions.
func (w *worker) newMeanwhile(r *repository, o operation) *meanwhile {
	m := &meanwhile{aws: w.aws, account: r.account, name: r.fullName(), repeat: w.random.IntN(2) == 0}
	if w.random.IntN(2) == 0 || !r.states[0].Exists {
		return m
	}
	images := r.states[0].Images.images()
	focus := o.query.selectFrom(images, nil).whole
	if i, found := find(images, idOf(o.image)); found {
		focus = []image{i}
	}
	m.pushes = choosePushes(w.random, images, focus)
	return m
}

func (w *worker) chooseImageOperation(r *repository) operation {
	images := r.states[0].Images.images()
	switch n := w.random.IntN(100); {
	case n < 10:
		return operation{kind: listImages}
	case n < 20:
		return operation{kind: listImages, query: chooseFilters(w.random, images)}
	case n < 28:
		return operation{kind: showImage, image: chooseName(w.random, images)}
	case n < 36:
		return operation{kind: pageImages, query: chooseFilters(w.random, images)}
	case n < 65:
		return operation{kind: deleteImage, image: chooseName(w.random, images)}
	default:
		query := chooseSelectors(w.random, images)
		if query.dryRun {
			return operation{kind: dryRun, query: query}
		}
		return operation{kind: deleteMany, query: query}
	}
}

// stateAfterDeletion returns the state of a repository after a deletion of
// images. An error says what is not true of its outcome.
func (w *worker) stateAfterDeletion(r *repository, s *sentRequest, out outcome) ([]state, error) {
	m := s.meanwhile
	m.end()
	if len(out.unknown) > 0 {
		time.Sleep(50 * time.Millisecond) // a call that the service has given up may only now reach AWS
	}
	w.aws.waitForChanges(r.account, r.fullName())
	after, err := w.aws.stateOf(r.account, r.fullName())
	if err != nil || m.err != nil {
		return nil, fmt.Errorf("AWS cannot be asked: %v, %v", err, m.err)
	}
	d := &deletion{before: r.states[0], after: after, then: m.present, again: m.again, lost: m.lost}
	if s.operation.isChange() {
		w.keepRemoval(s, d)
		w.report.countOthers(d)
	}
	if err := d.check(s.operation, out); err != nil {
		return nil, fmt.Errorf("%w\n  before: %s\n  pushed: %v\n  then: %s\n  after: %s\n  pushed again: %v\n  gone: %s",
			err, d.before.Images, m.pushes, newLibrary(d.then), after.Images, d.again, d.gone())
	}
	if !w.Faults && out.deleted != nil && out.deleted.DeletedImages == nil {
		return nil, fmt.Errorf("AWS has no faults, and the answer does not say which images are gone")
	}
	return []state{after}, nil
}
