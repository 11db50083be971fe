package main

import (
	"cmp"
	"regexp"
	"slices"
)

// selection is what a deletion of many images selects.
type selection struct {
	query   imageQuery
	images  []image // that are there
	whole   []image // of these, the ones that go
	only    []image // of the others, those that lose tags: with these tags
	refused []image // selected by name, although an index that stays needs them
}

// selectFrom selects images, except those that stay in any case. It is written as
// the documentation says it, one step after another, without regard to speed.
func (q imageQuery) selectFrom(images, stay []image) *selection {
	s := &selection{query: q, images: images}
	for _, i := range images {
		switch {
		case has(stay, i):
		case q.takes(i):
			s.whole = append(s.whole, i)
		case q.touches(i):
			i.Tags = q.matchingTags(i)
			s.only = append(s.only, i)
		}
	}
	for s.dropOneThatIsNeeded() {
	}
	s.keepSignatures()
	s.keepNewest()
	return s
}

// touches tells whether the query selects an image or some of its tags.
func (q imageQuery) touches(i image) bool {
	return (len(q.digests) == 0 || slices.Contains(q.digests, i.Digest)) && len(q.list([]image{i})) == 1
}

// takes tells whether the query selects a whole image.
func (q imageQuery) takes(i image) bool {
	return q.touches(i) && (len(q.tags) == 0 || len(q.matchingTags(i)) == len(i.Tags))
}

// byName tells whether the caller has named each image, by digest or by tag.
func (q imageQuery) byName() bool {
	return len(q.tags)+len(q.digests) > 0 && q.tagged == "" && q.before == 0
}

func (s *selection) goes(i image) bool { return has(s.whole, i) }

// dropOneThatIsNeeded drops one image that an image needs that stays. It returns
// false if there is none.
func (s *selection) dropOneThatIsNeeded() bool {
	for n, i := range s.whole {
		for _, stays := range s.images {
			if s.goes(stays) || !s.needs(stays, i) {
				continue
			}
			s.whole = slices.Delete(slices.Clone(s.whole), n, n+1)
			if s.query.byName() {
				s.refused = append(s.refused, i)
			}
			return true
		}
	}
	return false
}

// needs tells whether an image may not go while another one stays. Who names a
// signature may delete it.
func (s *selection) needs(stays, i image) bool {
	return isPartOf(i, stays) || !s.query.byName() && refersTo(i, stays)
}

// keepSignatures keeps the tags that make an image the signature of one that
// stays.
func (s *selection) keepSignatures() {
	if s.query.byName() {
		return
	}
	for n := range s.only {
		s.only[n].Tags = slices.DeleteFunc(s.only[n].Tags, func(tag string) bool {
			subject, found := find(s.images, imageID{ImageDigest: signedBy(tag)})
			return found && !s.goes(subject)
		})
	}
	s.only = slices.DeleteFunc(s.only, func(i image) bool { return len(i.Tags) == 0 })
}

// keepNewest spares as many of the selected images as the query says, with what
// they need and what refers to them. That does not count, and neither do images
// that are there only for others, which are gone.
func (s *selection) keepNewest() {
	if s.query.keep == 0 {
		return
	}
	heads := slices.DeleteFunc(slices.Concat(s.whole, s.only), s.belongsToOthers)
	slices.SortFunc(heads, s.compareHeads)
	for _, i := range heads[:min(len(heads), s.query.keep)] {
		s.spare(i)
	}
}

// belongsToOthers tells whether an image goes or stays with one that goes, or is
// there only for others, which are gone.
func (s *selection) belongsToOthers(i image) bool {
	i = s.images[slices.IndexFunc(s.images, i.is)] // with all its tags
	isSubject := func(other image) bool { return slices.Contains(i.subjects(), other.Digest) }
	return slices.ContainsFunc(s.whole, func(other image) bool { return isPartOf(i, other) || i.isForOthers() && refersTo(i, other) }) ||
		i.isForOthers() && !slices.ContainsFunc(s.images, isSubject)
}

// isForOthers tells whether an image is there only for others: by its manifest,
// or because it has no tags but those of signatures.
func (i image) isForOthers() bool {
	isOther := func(tag string) bool { return signedBy(tag) == "" }
	return i.subject() != "" || len(i.Tags) > 0 && !slices.ContainsFunc(i.Tags, isOther)
}

// spare keeps an image, and if it was to go, all that belongs to it.
func (s *selection) spare(i image) {
	went := s.goes(i)
	s.whole = slices.DeleteFunc(slices.Clone(s.whole), i.is)
	s.only = slices.DeleteFunc(s.only, i.is)
	if !went {
		return
	}
	for _, other := range s.images {
		if belongsTo(other, i) {
			s.spare(other)
		}
	}
}

// compareHeads orders images by their pushes, the newest first. Of the same
// millisecond, an index comes first, and an image with tags before one without.
func (s *selection) compareHeads(a, b image) int {
	number := func(i image) (n int) {
		if len(i.parts()) > 0 {
			n = 2
		}
		if len(i.Tags) > 0 {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(b.PushedAt, a.PushedAt), cmp.Compare(number(b), number(a)), cmp.Compare(a.Digest, b.Digest))
}

// both returns what both selections select.
func (s *selection) both(other *selection) *selection {
	in := func(images []image) func(image) bool { return func(i image) bool { return !has(images, i) } }
	return &selection{
		whole: slices.DeleteFunc(slices.Clone(other.whole), in(s.whole)),
		only:  slices.DeleteFunc(slices.Clone(other.only), in(s.only)),
	}
}

// removal returns what the selection removes.
func (s *selection) removal() removal {
	r := removal{}
	for _, i := range s.whole {
		r.add(i)
	}
	for _, i := range s.only {
		for _, tag := range i.Tags {
			r.ids = append(r.ids, imageID{i.Digest, tag})
		}
	}
	return r.sorted()
}

// belongsTo tells whether an image is a part of another one, or refers to it.
func belongsTo(i, other image) bool { return isPartOf(i, other) || refersTo(i, other) }

func isPartOf(i, index image) bool { return slices.Contains(index.parts(), i.Digest) }

func refersTo(i, subject image) bool {
	return i.Digest != subject.Digest && slices.Contains(i.subjects(), subject.Digest)
}

// subjects returns the digests of what an image refers to.
func (i image) subjects() (digests []string) {
	if subject := i.subject(); subject != "" {
		digests = append(digests, subject)
	}
	for _, tag := range i.Tags {
		if digest := signedBy(tag); digest != "" {
			digests = append(digests, digest)
		}
	}
	return digests
}

var signatureTag = regexp.MustCompile(`^sha256-([0-9a-f]{64})(\.sig|\.att|\.sbom)?$`)

// signedBy returns the digest of what the tag of a signature refers to, as cosign
// writes it.
func signedBy(tag string) string {
	if match := signatureTag.FindStringSubmatch(tag); match != nil {
		return "sha256:" + match[1]
	}
	return ""
}
