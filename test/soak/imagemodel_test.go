package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The images of the tests: two indexes with a part in common, signatures, and
// images that stand alone.
var (
	part, shared, otherPart, attestation  = catalogue[0].digest, catalogue[1].digest, catalogue[2].digest, catalogue[14].digest
	index, otherIndex                     = catalogue[16].digest, catalogue[17].digest
	signed, signature, signatureByTag     = catalogue[8].digest, catalogue[23].digest, catalogue[11].digest
	alone, tagged, pushedLater, notPushed = catalogue[9].digest, catalogue[10].digest, catalogue[12].digest, catalogue[13].digest

	tagOfSignature = signatureOf(catalogue[8])
)

// testImages returns the images, newest first.
func testImages() []image {
	images := []image{
		{part, 1, nil}, {shared, 2, nil}, {attestation, 3, nil}, {otherPart, 4, nil},
		{index, 5, []string{"latest", "v1"}}, {otherIndex, 6, nil},
		{alone, 7, nil}, {tagged, 8, []string{"v2"}},
		{signed, 9, []string{"v3"}}, {signature, 10, nil}, {signatureByTag, 11, []string{tagOfSignature}},
	}
	slices.SortFunc(images, newestFirst)
	return images
}

func TestSelection(t *testing.T) {
	t.Parallel()
	images := func(digests ...string) []string { return slices.Sorted(slices.Values(digests)) }
	for name, test := range map[string]struct {
		query    imageQuery
		images   []string // that go
		tags     []string // that go without their image
		failures []string
	}{
		"untagged":                             {query: imageQuery{tagged: "false"}, images: images(otherIndex, otherPart, alone)},
		"untagged, the newest stays":           {query: imageQuery{tagged: "false", keep: 1}, images: images(otherIndex, otherPart)},
		"untagged, the two newest stay":        {query: imageQuery{tagged: "false", keep: 2}, images: nil},
		"old":                                  {query: imageQuery{before: 7}, images: images(part, shared, attestation, otherPart, index, otherIndex)},
		"so old that only parts are":           {query: imageQuery{before: 5}, images: nil},
		"old, the newest stays with its parts": {query: imageQuery{before: 7, keep: 1}, images: images(part, attestation, index)},
		"not signatures without their image":   {query: imageQuery{before: 12, tags: []string{"none*", tagOfSignature}}, images: nil},
		"a tag":                                {query: imageQuery{tags: []string{"latest"}}, tags: []string{"latest@" + index}},
		"all tags of an index":                 {query: imageQuery{tags: []string{"latest", "v1"}}, images: images(index)},
		"all tags":                             {query: imageQuery{tags: []string{"*"}}, images: images(index, tagged, signed, signatureByTag)},
		"all tags of what is old":              {query: imageQuery{tags: []string{"v*"}, before: 9}, images: images(tagged), tags: []string{"v1@" + index}},
		"the tag of a signature":               {query: imageQuery{tags: []string{tagOfSignature}}, images: images(signatureByTag)},
		"digests":                              {query: imageQuery{digests: []string{alone, signature}}, images: images(alone, signature)},
		"a part and a missing image": {query: imageQuery{digests: []string{part, notPushed}}, failures: images(
			"ImageNotFound @"+notPushed, "ImageReferencedByManifestList @"+part)},
		"a part of two indexes with one of them": {query: imageQuery{digests: []string{otherIndex, shared, otherPart}}, images: images(otherIndex, otherPart),
			failures: images("ImageReferencedByManifestList @" + shared)},
		"archived": {query: imageQuery{tagged: "false", status: "ARCHIVED"}, images: nil},
	} {
		s := test.query.selectFrom(testImages(), nil)
		r := s.removal()
		if diff := cmp.Diff(append([]string{}, test.images...), append([]string{}, r.images...)); diff != "" {
			t.Errorf("%s: images (-want +got):\n%s", name, diff)
		}
		var tags []string
		for _, i := range s.only {
			for _, tag := range i.Tags {
				tags = append(tags, tag+"@"+i.Digest)
			}
		}
		if diff := cmp.Diff(test.tags, tags); diff != "" {
			t.Errorf("%s: tags (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(append([]string{}, test.failures...), s.failures()); diff != "" {
			t.Errorf("%s: failures (-want +got):\n%s", name, diff)
		}
	}
}
