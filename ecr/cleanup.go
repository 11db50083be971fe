package ecr

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A Selector says which images a clean-up deletes. Its parts narrow each other.
type Selector struct {
	Filter
	Digests []string // only these images; none: any image
	Keep    int      // so many of the selected images stay, those pushed last
}

// named tells whether the caller has named each image, by its digest or by its
// tags. Then what cannot go is a failure, and a signature goes without its
// image. Otherwise what is needed by an image that stays is not selected.
func (s *Selector) named() bool {
	return len(s.Tags)+len(s.Digests) > 0 && s.Tagged == nil && s.PushedBefore.IsZero()
}

// A Cleanup is the deletion of many images of a repository. It has all images as
// they were at the first look, and says which of them go.
type Cleanup struct {
	Calls int // how many calls the look has needed, one after another

	graph
	by         Selector
	asked      map[string]bool // digests of by; true if the repository has the image
	repository string
	failures   []ImageFailure
}

// A seen is an image as it was at the first look. There can be 100,000, so it
// has only what a clean-up needs.
type seen struct {
	digest  string
	tags    []string // sorted
	status  string
	pushed  time.Time
	subject string // digest of what the image refers to, or empty
	index   bool

	goes bool     // the image is selected
	only []string // these tags are selected, and the image stays
}

func newCleanup(repository string, by Selector) *Cleanup {
	c := &Cleanup{repository: repository, by: by, asked: map[string]bool{}}
	for _, digest := range by.Digests {
		c.asked[digest] = false
	}
	return c
}

// add adds an image of the repository, and selects it or some of its tags. An
// image without a status counts as active.
func (c *Cleanup) add(i *Image) {
	i.Status = aws.String(i.status())
	s := &seen{status: *i.Status, digest: i.ImageDigest, tags: i.ImageTags, pushed: i.pushed(), subject: aws.StringValue(i.Subject), index: i.IsIndex()}
	c.images = append(c.images, s)
	_, asked := c.asked[s.digest]
	if asked {
		c.asked[s.digest] = true
	}
	if !asked && len(c.asked) > 0 || !c.by.keeps(i) {
		return
	}
	matching := s.tags
	if len(c.by.Tags) > 0 {
		matching = slices.DeleteFunc(slices.Clone(s.tags), func(tag string) bool { return !MatchesAny(c.by.Tags, tag) })
	}
	if s.goes = len(matching) == len(s.tags); !s.goes {
		s.only = matching
	}
}

// AWS's words for an image that is not there.
const (
	notFound       = ecr.ImageFailureCodeImageNotFound
	notFoundReason = "Requested image not found"
)

// complete ends the adding of images. It returns false if nothing is selected.
func (c *Cleanup) complete() bool {
	c.sort()
	for _, digest := range c.by.Digests {
		if found, first := c.asked[digest]; first && !found {
			c.fail([]ImageIdentifier{{ImageDigest: &digest}}, notFound, notFoundReason)
			delete(c.asked, digest)
		}
	}
	return slices.ContainsFunc(c.images, (*seen).selected)
}

// decide takes from the selection what must stay. The graph must be complete.
func (c *Cleanup) decide() {
	c.addReferrers()
	for i, s := range c.images {
		if !s.goes {
			c.leaveHeld(int32(i))
		}
	}
	if !c.by.named() {
		c.leaveSignatureTags()
	}
	c.leavePossibleParts()
	if c.by.Keep > 0 {
		c.spareNewest()
		c.leavePossibleParts()
	}
}

// leavePossibleParts takes from the selection what may be part of an archived
// index that stays. The newest such index may name all that the older ones may
// name. If the caller has named tags or digests, ECR says whether they can go.
func (c *Cleanup) leavePossibleParts() {
	for len(c.by.Tags)+len(c.by.Digests) == 0 {
		newest := int32(-1)
		for i := range c.untold {
			if !c.images[i].goes && c.parts[i] == nil && (newest < 0 || c.newestFirst(i, newest) < 0) {
				newest = i
			}
		}
		if newest < 0 {
			return
		}
		c.leavePossiblePartsOf(newest)
	}
}

// leavePossiblePartsOf does the same for one index. A failure says why.
func (c *Cleanup) leavePossiblePartsOf(index int32) {
	before := c.count()
	c.parts[index] = c.possibleParts(index)
	c.leaveHeld(index)
	for i := range c.untold { // the others may name no more than this one
		if !c.images[i].goes && c.newestFirst(index, i) < 0 {
			c.parts[i] = []int32{}
		}
	}
	if c.count() < before {
		c.fail([]ImageIdentifier{{ImageDigest: &c.images[index].digest}}, inaccessible,
			"ECR does not tell which images this archived index names, so images that were pushed before it stay")
	}
}

// count returns how many images go.
func (c *Cleanup) count() (n int) {
	for _, s := range c.images {
		if s.goes {
			n++
		}
	}
	return n
}

// leaveHeld takes from the selection what an image holds that stays.
func (c *Cleanup) leaveHeld(i int32) {
	c.spread(i, !c.by.named(), func(held int32) bool {
		s := c.images[held]
		if !s.goes {
			return false
		}
		s.goes = false
		if c.by.named() {
			c.fail(c.failedIDs(s), ecr.ImageFailureCodeImageReferencedByManifestList, "Requested image referenced by manifest list")
		}
		return true
	})
}

func (c *Cleanup) fail(ids []ImageIdentifier, code, reason string) {
	for _, id := range ids {
		c.failures = append(c.failures, ImageFailure{id, &code, &reason})
	}
}

// leaveSignatureTags takes from the selection the tags that make an image the
// signature of one that stays.
func (c *Cleanup) leaveSignatureTags() {
	for _, s := range c.images {
		s.only = slices.DeleteFunc(s.only, func(tag string) bool {
			subject, found := c.find(signedBy(tag))
			return found && !c.images[subject].goes
		})
	}
}

// selected tells whether the image goes, or some of its tags.
func (s *seen) selected() bool { return s.goes || len(s.only) > 0 }

// ids returns the ids of what is selected: one for each tag, or the bare digest
// of an image without tags.
func (s *seen) ids() []ImageIdentifier {
	if len(s.only) > 0 {
		return idsOf(s.digest, s.only)
	}
	return idsOf(s.digest, s.tags)
}

// failedIDs returns the ids for a failure, in the way in which the caller has
// named the image.
func (c *Cleanup) failedIDs(s *seen) []ImageIdentifier {
	if len(c.by.Tags) == 0 {
		return []ImageIdentifier{{ImageDigest: &s.digest}}
	}
	return s.ids()
}

// Preview returns what the clean-up would delete.
func (c *Cleanup) Preview() *Deletion {
	d := &Deletion{ImageIDs: []ImageIdentifier{}, Failures: append([]ImageFailure{}, c.failures...), DeletedImages: []string{}}
	for _, s := range c.images {
		if s.selected() {
			d.ImageIDs = append(d.ImageIDs, s.ids()...)
		}
		if s.goes {
			d.DeletedImages = append(d.DeletedImages, s.digest)
		}
	}
	return d.sorted()
}

// sorted puts the lists in the order of digests and tags.
func (d *Deletion) sorted() *Deletion {
	slices.SortFunc(d.ImageIDs, ImageIdentifier.compare)
	slices.SortStableFunc(d.Failures, func(f, g ImageFailure) int { return f.ImageID.compare(g.ImageID) })
	slices.Sort(d.DeletedImages)
	return d
}

func (id ImageIdentifier) compare(other ImageIdentifier) int {
	return cmp.Or(
		cmp.Compare(aws.StringValue(id.ImageDigest), aws.StringValue(other.ImageDigest)),
		cmp.Compare(aws.StringValue(id.ImageTag), aws.StringValue(other.ImageTag)),
	)
}
