package ecr

import (
	"cmp"
	"slices"
	"strings"
)

// A graph has the images of a repository, and which of them hold others: an
// index holds its parts, and an image holds its signatures, attestations and the
// like. What is held is of no use alone, and what holds is broken without its
// parts. Images are named by their place.
type graph struct {
	images    []*seen // by digest
	parts     map[int32][]int32
	referrers map[int32][]int32
	untold    map[int32]bool // indexes whose parts ECR does not tell, since they are archived
}

// sort puts the images in order, before the first of them is looked for. An
// image that was pushed while the pages were read may be in two of them.
func (g *graph) sort() {
	slices.SortFunc(g.images, func(s, t *seen) int { return cmp.Compare(s.digest, t.digest) })
	g.images = slices.CompactFunc(g.images, func(s, t *seen) bool { return s.digest == t.digest })
	g.parts, g.referrers, g.untold = map[int32][]int32{}, map[int32][]int32{}, map[int32]bool{}
}

func (g *graph) find(digest string) (place int32, found bool) {
	i, found := slices.BinarySearchFunc(g.images, digest, func(s *seen, digest string) int { return cmp.Compare(s.digest, digest) })
	return int32(i), found
}

// places returns the places of those digests that the repository has, each once.
func (g *graph) places(digests []string) (places []int32) {
	for _, digest := range digests {
		if i, found := g.find(digest); found {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// possibleParts returns all images that may be parts of an index. A part is
// pushed before its index.
func (g *graph) possibleParts(index int32) []int32 {
	places := []int32{}
	for i, s := range g.images {
		if int32(i) != index && !s.isReferrer() && !s.pushed.After(g.images[index].pushed) {
			places = append(places, int32(i))
		}
	}
	return places
}

// addReferrers finds out which images refer to others.
func (g *graph) addReferrers() {
	for i, s := range g.images {
		for _, subject := range g.places(s.subjects()) {
			if subject != int32(i) {
				g.referrers[subject] = append(g.referrers[subject], int32(i))
			}
		}
	}
}

// subjects returns the digests of what the image refers to.
func (s *seen) subjects() (digests []string) {
	if s.subject != "" {
		digests = append(digests, s.subject)
	}
	for _, tag := range s.tags {
		if digest := signedBy(tag); digest != "" {
			digests = append(digests, digest)
		}
	}
	return digests
}

// isReferrer tells whether the image is only there for another one.
func (s *seen) isReferrer() bool {
	return s.subject != "" || len(s.tags) > 0 && !slices.ContainsFunc(s.tags, func(tag string) bool { return signedBy(tag) == "" })
}

// signedBy returns the digest of the image to which a tag refers, or nothing.
// Such tags have signatures of cosign, and the lists of referrers that clients
// keep for registries without referrers.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
func signedBy(tag string) string {
	const hexDigits = 64
	hex, ok := strings.CutPrefix(tag, "sha256-")
	if !ok || len(hex) < hexDigits || strings.Trim(hex[:hexDigits], "0123456789abcdef") != "" {
		return ""
	}
	switch hex[hexDigits:] {
	case "", ".sig", ".att", ".sbom":
		return "sha256:" + hex[:hexDigits]
	}
	return ""
}

// held returns what an image holds, with its referrers or without.
func (g *graph) held(i int32, referrers bool) []int32 {
	if !referrers {
		return g.parts[i]
	}
	return slices.Concat(g.parts[i], g.referrers[i])
}

// spread calls next for each image that the image i holds. Where next returns
// true, it goes on with what that one holds.
func (g *graph) spread(i int32, referrers bool, next func(int32) bool) {
	for queue := []int32{i}; len(queue) > 0; queue = queue[1:] {
		for _, held := range g.held(queue[0], referrers) {
			if next(held) {
				queue = append(queue, held)
			}
		}
	}
}

// waves returns the images that go, in the order in which they may go: what
// holds others is in an earlier wave. Images of a wave may go in any order, and
// the oldest come first.
func (g *graph) waves() (waves [][]int32) {
	holders, left := g.countHolders()
	var wave []int32
	for i, s := range g.images {
		if s.goes && holders[i] == 0 {
			wave = append(wave, int32(i))
		}
	}
	if first := g.untoldIn(wave); first != nil { // what they name is not known, so it goes after all of them
		waves, left = append(waves, first), left-len(first)
		wave = append(slices.DeleteFunc(wave, func(i int32) bool { return g.untold[i] }), g.release(first, holders)...)
	}
	for ; left > 0; wave = g.release(wave, holders) {
		if len(wave) == 0 {
			wave = g.breakCircle(holders)
		}
		slices.SortFunc(wave, func(a, b int32) int { return g.images[b].compare(g.images[a]) })
		waves = append(waves, wave)
		left -= len(wave)
	}
	return waves
}

// untoldIn returns the indexes of a wave whose parts ECR does not tell.
func (g *graph) untoldIn(wave []int32) (indexes []int32) {
	for _, i := range wave {
		if g.untold[i] {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// countHolders returns how many images hold each one, of those that go, and how
// many go.
func (g *graph) countHolders() (holders []int, going int) {
	holders = make([]int, len(g.images))
	for i, s := range g.images {
		if !s.goes {
			continue
		}
		going++
		for _, held := range g.held(int32(i), true) {
			if g.images[held].goes {
				holders[held]++
			}
		}
	}
	return holders, going
}

// release returns the images that nothing holds any more once the wave is gone.
func (g *graph) release(wave []int32, holders []int) (next []int32) {
	for _, i := range wave {
		holders[i] = 0
	}
	for _, i := range wave {
		for _, held := range g.held(i, true) {
			if holders[held] == 0 { // it stays, or is in a wave already
				continue
			}
			if holders[held]--; holders[held] == 0 {
				next = append(next, held)
			}
		}
	}
	return next
}

// breakCircle returns images that are left although all of them are held. Images
// can refer to each other in a circle by their tags, or to a part of their own.
// Only parts cannot go before what holds them.
func (g *graph) breakCircle(holders []int) (wave []int32) {
	parts := map[int32]bool{}
	for i, n := range holders {
		if n > 0 {
			for _, part := range g.parts[int32(i)] {
				parts[part] = true
			}
		}
	}
	left := func(parts map[int32]bool) (left []int32) {
		for i, n := range holders {
			if n > 0 && !parts[int32(i)] {
				left = append(left, int32(i))
			}
		}
		return left
	}
	if wave = left(parts); wave == nil {
		wave = left(nil)
	}
	return wave
}
