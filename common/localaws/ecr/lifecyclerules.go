package ecr

import (
	"cmp"
	"regexp"
	"slices"
	"time"
)

// mark says which rule acts on an image.
type mark struct {
	image *image
	rule  lifecycleRule
}

// marks returns the images on which the policy acts now, the oldest first.
//
//   - Each rule selects among all images, as if there were no other rule.
//   - A rule acts on those that it has selected. But an image that has met the tags
//     of a rule is out of reach for the rules after it, also if the first one has
//     not selected it.
//   - An image stays while an index names it. It counts all the same.
func (p lifecyclePolicy) marks(r *repository, now time.Time) []mark {
	images := r.byAge()
	active := namedByActive(images)
	met, acting := make(map[*image]bool), make(map[*image]lifecycleRule)
	for _, rule := range p {
		fits := slices.DeleteFunc(slices.Clone(images), func(i *image) bool { return !rule.fits(i) })
		for _, i := range rule.selected(fits, now) {
			if !met[i] && !r.isHeld(i, rule, active) {
				acting[i] = rule
			}
		}
		for _, i := range fits {
			met[i] = true
		}
	}
	var marks []mark
	for _, i := range images {
		if rule, ok := acting[i]; ok {
			marks = append(marks, mark{i, rule})
		}
	}
	return marks
}

// byAge returns all images, the oldest first.
func (r *repository) byAge() []*image {
	images := slices.Collect(r.imagesFrom(""))
	slices.SortStableFunc(images, func(a, b *image) int {
		return cmp.Or(a.since().Compare(b.since()), cmp.Compare(a.digest, b.digest))
	})
	return images
}

// since returns when an image came to where it is: into the archive, back from
// it, or into the repository.
func (i *image) since() time.Time {
	switch {
	case i.status == imageArchived:
		return i.archived
	case !i.activated.IsZero():
		return i.activated
	}
	return i.pushed
}

// used returns when an image was last pulled, or else pushed. An image that has
// come back from the archive was used then.
func (i *image) used() time.Time {
	last := i.pulled
	if last.IsZero() {
		last = i.pushed
	}
	if i.activated.After(last) {
		return i.activated
	}
	return last
}

// fits reports whether an image has the tags and the storage class of the rule.
func (rule lifecycleRule) fits(i *image) bool {
	class := map[string]string{classStandard: imageActive, classArchive: imageArchived}
	if i.status != class[rule.class] {
		return false
	}
	switch rule.tagStatus {
	case tagStatusAny:
		return true
	case tagStatusUntagged:
		return len(i.tags) == 0
	}
	return !slices.ContainsFunc(rule.patterns, func(pattern *regexp.Regexp) bool {
		return !slices.ContainsFunc(i.tags, pattern.MatchString)
	})
}

// maxDays keeps the number of days in the range of a time.Duration.
const maxDays = 100_000

// selected returns those of the images that are beyond the count or the age. The
// images are in the order of their age, the oldest first.
func (rule lifecycleRule) selected(images []*image, now time.Time) []*image {
	if rule.countType == countMoreThan {
		return images[:max(0, int64(len(images))-rule.number)]
	}
	begin := map[string]func(*image) time.Time{
		sincePushed:       func(i *image) time.Time { return i.pushed },
		sincePulled:       (*image).used,
		sinceTransitioned: func(i *image) time.Time { return i.archived },
	}[rule.countType]
	age := time.Duration(min(rule.number, maxDays)) * 24 * time.Hour
	return slices.DeleteFunc(slices.Clone(images), func(i *image) bool { return now.Sub(begin(i)) <= age })
}

// isHeld reports whether an index keeps an image where it is: any index from
// being deleted, and one that is not in the archive from going there.
func (r *repository) isHeld(i *image, rule lifecycleRule, active map[string]bool) bool {
	if rule.action == actionTransition {
		return active[i.digest]
	}
	return r.parents[i.digest] > 0
}

// namedByActive returns the digests that indexes outside of the archive name.
func namedByActive(images []*image) map[string]bool {
	named := make(map[string]bool)
	for _, i := range images {
		if !i.isActive() {
			continue
		}
		for _, digest := range i.manifest.children {
			named[digest] = true
		}
	}
	return named
}

// EvaluateLifecycles does what the lifecycle policies of all repositories say.
// AWS does so once a day or more often; here only a caller does.
func (s *Store) EvaluateLifecycles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, registry := range s.registries {
		for _, r := range registry.repositories {
			if r.lifecycle != nil {
				r.evaluateLifecycle(now)
			}
		}
	}
}

func (r *repository) evaluateLifecycle(now time.Time) {
	for _, m := range r.lifecycle.policy.marks(r, now) {
		if m.rule.action == actionExpire {
			r.remove(m.image)
		} else {
			r.archive(m.image, now)
		}
	}
	for r.moveReferrers(now) {
	}
	r.lifecycle.evaluated = now
}

// moveReferrers lets referrers, such as signatures, follow the images to which
// they refer. It reports whether there were any: others may refer to them.
func (r *repository) moveReferrers(now time.Time) bool {
	moved := false
	for _, i := range r.byAge() {
		subject := r.images[i.manifest.subject]
		switch {
		case i.manifest.subject == "":
		case subject == nil && r.parents[i.digest] == 0:
			r.remove(i)
			moved = true
		case subject != nil && subject.status == imageArchived && i.isActive():
			r.archive(i, now)
			moved = true
		}
	}
	return moved
}
