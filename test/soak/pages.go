package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go/service/ecr"
)

// pageWalk is a list of images that is read page by page, while others push and
// delete images.
type pageWalk struct {
	query  imageQuery
	states [][]image // the images before each page
	listed []image
}

const (
	maxPages    = 100
	pageRepeats = 3 // how often a page that fails is asked for again
)

// pageThrough reads the list of images page by page. Between the pages images
// are pushed and deleted.
func (w *worker) pageThrough(ctx context.Context, r *repository, first *sentRequest) error {
	walk := &pageWalk{query: first.operation.query}
	query := walk.query
	query.limit = 1 + w.random.IntN(5)
	failed := 0
	for page := range maxPages {
		s := &sentRequest{id: fmt.Sprintf("%s-%d", first.id, page), operation: operation{kind: pageImages, query: query}}
		walk.states = append(walk.states, r.states[0].Images.images())
		out, err := w.readPage(ctx, r, s)
		switch {
		case err != nil || out == nil:
			return err
		case out.status != 200 && (!failures[out.status] || failed == pageRepeats):
			return nil
		case out.status != 200:
			failed++
			continue
		}
		cursor, wrong := walk.add(out.listed, query.limit, s.answer.link)
		if wrong != nil {
			w.violation("bad pages", r, s, *out, fmt.Sprintf("%v\n  listed: %v\n  images: %v", wrong, walk.listed, walk.states))
		}
		if query.cursor = cursor; cursor == "" {
			return nil
		}
		if err := w.disturb(r); err != nil {
			return err
		}
	}
	return nil
}

// add adds a page, and returns the cursor of the next one. The cursor is empty
// after the last page, and if a page is wrong.
func (walk *pageWalk) add(listed []image, limit int, link string) (cursor string, wrong error) {
	walk.listed = append(walk.listed, listed...)
	if len(listed) > limit {
		return "", fmt.Errorf("the page has %d images", len(listed))
	}
	cursor, err := nextCursor(link)
	if err == nil && cursor == "" {
		err = walk.check()
	}
	return cursor, err
}

// readPage returns the outcome of the request for a page, or nil if there was no
// good answer.
func (w *worker) readPage(ctx context.Context, r *repository, s *sentRequest) (*outcome, error) {
	if err := w.send(ctx, s, r); err != nil {
		return nil, err
	}
	if s.answer == nil {
		r.pending = s
		return nil, nil
	}
	w.report.count(s.operation.kind, strconv.Itoa(s.answer.status))
	out, err := readAnswer(s, r)
	if err != nil {
		w.violation("bad answer", r, s, out, err.Error())
		return nil, nil
	}
	w.keepAnswer(s, out)
	w.derive(r, s, out)
	return &out, nil
}

// nextCursor returns the cursor in a header Link, or nothing if there is no next
// page.
func nextCursor(link string) (string, error) {
	if link == "" {
		return "", nil
	}
	target, ok := strings.CutSuffix(link, `>; rel="next"`)
	next, err := url.Parse(strings.TrimPrefix(target, "<"))
	if !ok || err != nil || next.Query().Get("after") == "" {
		return "", fmt.Errorf("the header Link is %q", link)
	}
	return next.Query().Get("after"), nil
}

// disturb pushes images or deletes one, as others do.
func (w *worker) disturb(r *repository) error {
	images := r.states[0].Images.images()
	switch w.random.IntN(4) {
	case 0:
		return w.push(r, choosePushes(w.random, images, nil))
	case 1:
		if len(images) == 0 {
			return nil
		}
		return w.deleteOneself(r, images[w.random.IntN(len(images))])
	}
	return nil
}

// deleteOneself deletes an image as the auditor. AWS may refuse that.
func (w *worker) deleteOneself(r *repository, i image) error {
	name := r.fullName()
	_, err := w.aws.clients[r.account].BatchDeleteImage(&ecr.BatchDeleteImageInput{
		RepositoryName: &name, ImageIds: []*ecr.ImageIdentifier{{ImageDigest: &i.Digest}},
	})
	if err != nil {
		return fmt.Errorf("deleting an image in AWS: %w", err)
	}
	after, err := w.aws.stateOf(r.account, name)
	r.states = []state{after}
	r.history = append(r.history, "deleted "+i.Digest)
	return err
}

// check returns an error if an image is listed twice, if one is missing that was
// there all the time, or if one is listed that never belonged there.
func (p *pageWalk) check() error {
	var ever []image
	for _, images := range p.states {
		ever = append(ever, p.query.list(images)...)
	}
	for n, i := range p.listed {
		same := func(other image) bool { return isListedAs(other, i) }
		switch {
		case slices.ContainsFunc(p.listed[n+1:], func(other image) bool { return other.is(i) }):
			return fmt.Errorf("it is listed twice: %v", i)
		case !slices.ContainsFunc(ever, same):
			return fmt.Errorf("it was never to be listed: %v", i)
		case n > 0 && p.listed[n-1].PushedAt < i.PushedAt:
			return fmt.Errorf("it is newer than the one before: %v", i)
		}
	}
	for _, i := range p.states[0] {
		if p.alwaysLists(i) && !slices.ContainsFunc(p.listed, func(listed image) bool { return listed.Digest == i.Digest }) {
			return fmt.Errorf("it is missing: %v", i)
		}
	}
	return nil
}

// alwaysLists tells whether the list had the image before each page.
func (p *pageWalk) alwaysLists(i image) bool {
	for _, images := range p.states {
		if !has(p.query.list(images), i) {
			return false
		}
	}
	return true
}
