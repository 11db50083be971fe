package main

import (
	"slices"
	"testing"
)

// TestDeletionCheck shows that a deletion of images must be as its answer says.
func TestDeletionCheck(t *testing.T) {
	t.Parallel()
	one := func(name string) operation { return operation{kind: deleteImage, image: name} }
	untagged := operation{kind: deleteMany, query: imageQuery{tagged: "false"}}
	dry := operation{kind: dryRun, query: untagged.query}
	byDigest := operation{kind: deleteMany, query: imageQuery{digests: []string{alone, notPushed}}}

	nothing := removal{}
	aloneGone := removal{[]imageID{{alone, ""}}, []string{alone}}
	v1Gone := removal{[]imageID{{index, "v1"}}, []string{}}
	v2Gone := removal{[]imageID{{tagged, "v2"}}, []string{tagged}}
	litter := removal{[]imageID{{otherIndex, ""}, {otherPart, ""}, {alone, ""}}, []string{otherIndex, otherPart, alone}}
	some := removal{[]imageID{{otherIndex, ""}}, []string{otherIndex}}
	part := removal{[]imageID{{part, ""}}, []string{part}}
	both := removal{slices.Concat(litter.ids, v2Gone.ids), slices.Concat(litter.images, v2Gone.images)}

	says := func(r removal, failures ...imageFailure) outcome {
		return outcome{status: 200, deleted: &deletionAnswer{ImageIds: r.ids, DeletedImages: r.images, Failures: failures}}
	}
	fails := func(applied, unknown []string) outcome {
		return outcome{status: 500, applied: applied, unknown: unknown}
	}
	unknown, unknownTag := []string{"Image"}, []string{"Tag v2"}
	missing := imageFailure{imageID{ImageDigest: notPushed}, "ImageNotFound", "Requested image not found"}

	for name, test := range map[string]struct {
		operation operation
		gone      removal
		out       outcome
		ok        bool
	}{
		"one":                                 {one(alone), aloneGone, says(aloneGone), true},
		"one that stays":                      {one(alone), nothing, says(aloneGone), false},
		"one and another":                     {one(tagged), both, says(v2Gone), false},
		"one, and the answer has another":     {one(alone), aloneGone, says(v2Gone), false},
		"one, and the answer does not say it": {one(alone), aloneGone, says(removal{aloneGone.ids, nil}), false},
		"a tag":                               {one("v1"), v1Gone, says(v1Gone), true},
		"a tag, and the answer says the image is gone": {one("v1"), v1Gone, says(removal{v1Gone.ids, []string{index}}), false},
		"the last tag": {one("v2"), v2Gone, says(v2Gone), true},
		"the last tag, and the answer has no image": {one("v2"), v2Gone, says(removal{v2Gone.ids, []string{}}), false},
		"a part of an index":                        {one(part.images[0]), part, says(part), false},
		"a part of an index, refused":               {one(part.images[0]), nothing, outcome{status: 409, code: imageInIndex}, true},
		"no part of an index, refused":              {one(alone), nothing, outcome{status: 409, code: imageInIndex}, false},
		"a missing one":                             {one(notPushed), nothing, outcome{status: 404, code: imageNotFound}, true},
		"one that is there, not found":              {one(alone), nothing, outcome{status: 404, code: imageNotFound}, false},
		"one in a repository that is not found":     {one(alone), nothing, outcome{status: 404, code: "repository-not-found"}, false},
		"one fails":                                 {one(alone), nothing, fails(nil, nil), true},
		"one fails and is gone":                     {one(alone), aloneGone, fails(nil, nil), false},
		"one may be gone, and is":                   {one(alone), aloneGone, fails(nil, unknown), true},
		"one may be gone, and is not":               {one(alone), nothing, fails(nil, unknown), true},
		"one may be gone, and another is":           {one(alone), v2Gone, fails(nil, unknown), false},
		"one may be gone, and more is":              {one("v2"), both, fails(nil, unknownTag), false},
		"a tag may be gone, and is":                 {one("v2"), v2Gone, fails(nil, unknownTag), true},
		"a tag may be gone, and is called an image": {one("v2"), v2Gone, fails(nil, unknown), false},
		"a tag has moved":                           {one("v2"), nothing, outcome{status: 409, code: tagMoved, unknown: unknownTag}, true},
		"a tag has moved, and nothing is unknown":   {one("v2"), nothing, outcome{status: 409, code: tagMoved}, false},
		"a digest has moved":                        {one(alone), nothing, outcome{status: 409, code: tagMoved, unknown: unknown}, false},
		"one is not read":                           {one(alone), nothing, outcome{}, true},
		"one is not read, and gone":                 {one(alone), aloneGone, outcome{}, false},

		"many":                      {untagged, litter, says(litter), true},
		"many whose caller hung up": {untagged, litter, outcome{status: 200}, true},
		"many, but one stays":       {untagged, some, says(some), false},
		"many, and the answer has one that stays": {untagged, some, says(litter), false},
		"many, and one with a tag":                {untagged, both, says(both), false},
		"many, and a part of an index that stays": {untagged, part, says(part), false},
		"many fail":                                     {untagged, nothing, fails(nil, nil), true},
		"many fail, and one is gone":                    {untagged, some, fails(nil, nil), false},
		"dry run":                                       {dry, nothing, says(litter), true},
		"dry run that deletes":                          {dry, litter, says(litter), false},
		"dry run that says too little":                  {dry, nothing, says(some), false},
		"dry run that says too much":                    {dry, nothing, says(both), false},
		"by digest, one missing":                        {byDigest, aloneGone, says(aloneGone, missing), true},
		"by digest, and nothing says what is not there": {byDigest, aloneGone, says(aloneGone), false},
	} {
		before := state{Exists: true, Images: newLibrary(testImages())}
		after := state{Exists: true, Images: newLibrary(without(testImages(), test.gone))}
		d := &deletion{before: before, after: after, then: testImages()}
		if err := d.check(test.operation, test.out); (err == nil) != test.ok {
			t.Errorf("%s: error %v, want ok %t", name, err, test.ok)
		}
	}
}

// TestDeletionAmongPushes shows what must stay if others push while images are
// deleted.
func TestDeletionAmongPushes(t *testing.T) {
	t.Parallel()
	untagged := operation{kind: deleteMany, query: imageQuery{tagged: "false"}}
	withTag := func(images []image, digest, tag string) []image {
		images = slices.Clone(images)
		for n := range images {
			if images[n].Digest == digest {
				images[n].Tags = append(slices.Clone(images[n].Tags), tag)
			}
		}
		return images
	}
	newOne := image{pushedLater, 20, nil}
	again := image{alone, 20, nil}
	others := removal{[]imageID{{otherIndex, ""}, {otherPart, ""}}, []string{otherIndex, otherPart}}
	all := removal{slices.Concat(others.ids, []imageID{{alone, ""}}), slices.Concat(others.images, []string{alone})}
	tooMuch := removal{slices.Concat(others.ids, []imageID{{alone, "new"}}), slices.Concat(others.images, []string{alone})}
	later := removal{slices.Concat(all.ids, []imageID{{pushedLater, ""}}), slices.Concat(all.images, []string{pushedLater})}

	for name, test := range map[string]struct {
		then  []image
		gone  removal
		again []image
		ok    bool
	}{
		"an image that got a tag stays": {withTag(testImages(), alone, "new"), others, nil, true},
		"an image that got a tag goes":  {withTag(testImages(), alone, "new"), tooMuch, nil, false},
		"a new image stays":             {append([]image{newOne}, testImages()...), all, nil, true},
		"a new image goes":              {append([]image{newOne}, testImages()...), later, nil, false},
		"an image pushed again stays":   {testImages(), all, []image{again}, true},
	} {
		after := slices.Concat(test.again, without(test.then, test.gone))
		d := &deletion{
			before: state{Exists: true, Images: newLibrary(testImages())}, after: state{Exists: true, Images: newLibrary(after)},
			then: test.then, again: test.again,
		}
		out := outcome{status: 200, deleted: &deletionAnswer{ImageIds: test.gone.ids, DeletedImages: test.gone.images}}
		if err := d.check(untagged, out); (err == nil) != test.ok {
			t.Errorf("%s: error %v, want ok %t", name, err, test.ok)
		}
		d.again = append(d.again, image{notPushed, 30, nil})
		if d.check(untagged, out) == nil {
			t.Errorf("%s: no error, and an image is gone that was pushed again", name)
		}
	}
}

// TestDeletionOfFormerSignature shows that an image may stay that was the
// signature of one that stays, although others have moved its tag since.
func TestDeletionOfFormerSignature(t *testing.T) {
	t.Parallel()
	tag := signatureOf(manifests[alone])
	before := []image{{part, 1000, []string{tag}}, {alone, 1000, nil}}
	moved := []image{{part, 1000, nil}, {alone, 1000, []string{"v1"}}, {shared, 3000, []string{tag}}}
	all := operation{kind: deleteMany, query: imageQuery{before: 2000}}
	for name, test := range map[string]struct {
		before []image
		ok     bool
	}{
		"a signature": {before, true},
		"another":     {[]image{{part, 1000, nil}, before[1]}, false},
	} {
		d := &deletion{
			before: state{Exists: true, Images: newLibrary(test.before)}, after: state{Exists: true, Images: newLibrary(moved)}, then: moved,
		}
		if err := d.check(all, outcome{status: 200}); (err == nil) != test.ok {
			t.Errorf("%s: error %v, want ok %t", name, err, test.ok)
		}
	}
}
