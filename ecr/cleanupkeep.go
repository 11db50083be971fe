package ecr

import (
	"cmp"
	"slices"
)

// spareNewest spares so many of the selected images as the caller keeps, with
// all that they hold.
func (c *Cleanup) spareNewest() {
	heads := c.heads()
	slices.SortFunc(heads, c.newestFirst)
	for _, i := range heads[:min(len(heads), c.by.Keep)] {
		if c.images[i].goes {
			c.spread(i, true, func(held int32) bool { return c.images[held].spare() })
		}
		c.images[i].spare()
	}
}

// spare takes the image or its tags from the selection. It returns false if they
// stay anyway.
func (s *seen) spare() bool {
	selected := s.selected()
	s.goes, s.only = false, nil
	return selected
}

// heads returns the selected images that count. What another selected image
// holds does not count, and goes or stays with it. Nor does a signature whose
// image is gone: otherwise it would count only in a second request, after the
// first has deleted the image.
func (c *Cleanup) heads() (heads []int32) {
	order, held := c.selection(), c.heldBySelected()
	covered := make([]bool, len(c.images))
	for _, i := range order {
		if !held[i] {
			c.cover(i, covered)
			if !c.isOrphan(i) {
				heads = append(heads, i)
			}
		}
	}
	return append(heads, c.circleHeads(order, covered)...)
}

// circleHeads returns one of the images of each circle in which images hold each
// other, unless something else holds the circle. The newest one counts.
func (c *Cleanup) circleHeads(order []int32, covered []bool) (heads []int32) {
	isHeld := map[int32]bool{}
	for _, i := range order {
		if !covered[i] {
			heads = append(heads, i)
			for _, held := range c.cover(i, covered) {
				isHeld[held] = isHeld[held] || held != i
			}
		}
	}
	return slices.DeleteFunc(heads, func(i int32) bool { return isHeld[i] })
}

// selection returns the selected images, the newest first.
func (c *Cleanup) selection() (selected []int32) {
	for i, s := range c.images {
		if s.selected() {
			selected = append(selected, int32(i))
		}
	}
	slices.SortFunc(selected, c.newestFirst)
	return selected
}

// heldBySelected tells of each image whether one that goes holds it. An image
// that has other tags too than those of signatures counts by itself.
func (c *Cleanup) heldBySelected() []bool {
	by := make([]bool, len(c.images))
	for i, s := range c.images {
		if !s.goes {
			continue
		}
		for _, part := range c.parts[int32(i)] {
			by[part] = true
		}
		for _, referrer := range c.referrers[int32(i)] {
			by[referrer] = by[referrer] || c.images[referrer].isReferrer()
		}
	}
	return by
}

// cover marks the image, and all that goes or stays with it. It returns what it
// has found held, which may have been marked before.
func (c *Cleanup) cover(i int32, covered []bool) (found []int32) {
	covered[i] = true
	if !c.images[i].goes {
		return nil
	}
	c.spread(i, true, func(held int32) bool {
		found = append(found, held)
		was := covered[held]
		covered[held] = true
		return !was
	})
	return found
}

// isOrphan tells whether the image refers to others, which are gone.
func (c *Cleanup) isOrphan(i int32) bool {
	s := c.images[i]
	return s.isReferrer() && len(c.places(s.subjects())) == 0
}

func (c *Cleanup) newestFirst(a, b int32) int { return c.images[a].compare(c.images[b]) }

// compare orders images by the time of the push, the newest first. Of the same
// time an index comes before its parts.
func (s *seen) compare(t *seen) int {
	return cmp.Or(
		t.pushed.Compare(s.pushed),
		compareBools(t.index, s.index),
		compareBools(len(t.tags) > 0, len(s.tags) > 0),
		cmp.Compare(s.digest, t.digest),
	)
}

// compareBools orders false before true.
func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
