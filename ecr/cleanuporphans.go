package ecr

import (
	"context"
	"slices"
)

// orphans returns the images of the first wave that refer to others which the
// repository did not have at the look, in the order of their places. They go
// first, right after their subjects were looked for once more. If the caller has
// named the images, they go anyway.
func (c *Cleanup) orphans(waves [][]int32) (units []unit) {
	if len(waves) == 0 || c.by.named() {
		return nil
	}
	for _, i := range slices.Sorted(slices.Values(waves[0])) {
		if s := c.images[i]; len(c.places(s.subjects())) < len(s.subjects()) {
			units = append(units, unit{seen: s, place: i})
		}
	}
	return units
}

// isAmong tells whether the image at that place is one of the units.
func (c *Cleanup) isAmong(units []unit, place int32) bool {
	_, found := slices.BinarySearchFunc(units, place, func(u unit, place int32) int { return int(u.place - place) })
	return found
}

// withoutSubjects looks at all images once more, and returns the orphans whose
// subjects are still not there. Somebody may have pushed the others meanwhile:
// what refers to them stays.
func (r *cleanupRun) withoutSubjects(ctx context.Context, orphans []unit) (left []unit) {
	if r.stopped() {
		return nil
	}
	of := map[string][]unit{} // by their subjects
	for _, u := range orphans {
		for _, digest := range u.subjects() {
			if _, known := r.find(digest); !known {
				of[digest] = append(of[digest], u)
			}
		}
	}
	err := r.client.eachImage(ctx, r.repository, func(i *Image) {
		for _, u := range of[i.ImageDigest] {
			u.goes = false
		}
	}, func(int) error { return nil })
	if err != nil {
		r.stop(err)
		return nil
	}
	for _, u := range orphans {
		if u.goes {
			left = append(left, u)
		} else {
			r.leaveHeld(u.place)
		}
	}
	return left
}
