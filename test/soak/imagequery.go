package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// imageQuery is the query of a list or a deletion of images. What is zero is not
// sent.
type imageQuery struct {
	tagged        string // true or false
	tags, digests []string
	status        string
	before, after int64 // the time of the push, in milliseconds
	keep          int
	dryRun        bool
	limit         int
	cursor        string // of the page before
}

func (q imageQuery) String() string {
	v := url.Values{"tag": q.tags, "digest": q.digests}
	set := func(name, value string, sent bool) {
		if sent {
			v.Set(name, value)
		}
	}
	set("tagged", q.tagged, q.tagged != "")
	set("status", q.status, q.status != "")
	set("pushedBefore", rfc3339(q.before), q.before != 0)
	set("pushedAfter", rfc3339(q.after), q.after != 0)
	set("keep", fmt.Sprint(q.keep), q.keep != 0)
	set("dryRun", "true", q.dryRun)
	set("limit", fmt.Sprint(q.limit), q.limit != 0)
	set("after", q.cursor, q.cursor != "")
	return v.Encode()
}

func rfc3339(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// matches tells whether an image was pushed when the query says, and has the
// status. All images are active.
func (q imageQuery) matches(i image) bool {
	return q.status != "ARCHIVED" && (q.before == 0 || i.PushedAt < q.before) && (q.after == 0 || i.PushedAt > q.after)
}

// list returns the images that a list with the query has.
func (q imageQuery) list(images []image) []image {
	listed := []image{}
	for _, i := range images {
		switch {
		case !q.matches(i),
			q.tagged != "" && q.tagged != fmt.Sprint(len(i.Tags) > 0),
			len(q.tags) > 0 && len(q.matchingTags(i)) == 0:
		default:
			listed = append(listed, i)
		}
	}
	return listed
}

// matchingTags returns the tags of an image that match one of the patterns.
func (q imageQuery) matchingTags(i image) []string {
	return slices.DeleteFunc(slices.Clone(i.Tags), func(tag string) bool { return !matchesAny(q.tags, tag) })
}

// matchesAny tells whether a text matches one of the patterns, in which * stands
// for anything.
func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
		return regexp.MustCompile("^" + expression + "$").MatchString(text)
	})
}

// patterns has patterns that match some of tags.
var patterns = []string{"latest", "v1", "v*", "dev-*", "*-1", "rc.*", "*.*", "*", "none*"}

func choosePatterns(random *rand.Rand) []string {
	chosen := make([]string, 1+random.IntN(2))
	for n := range chosen {
		chosen[n] = patterns[random.IntN(len(patterns))]
	}
	return chosen
}

// chooseTime returns a time at which about an image of the list was pushed, or a
// time of long ago.
func chooseTime(random *rand.Rand, images []image) int64 {
	if len(images) == 0 || random.IntN(10) == 0 {
		return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	}
	return images[random.IntN(len(images))].PushedAt + random.Int64N(3) - 1
}

// chooseFilters returns the query of a list, most of the time with filters.
func chooseFilters(random *rand.Rand, images []image) imageQuery {
	var q imageQuery
	if random.IntN(3) == 0 {
		q.tagged = fmt.Sprint(random.IntN(2) == 0)
	}
	if random.IntN(3) == 0 {
		q.tags = choosePatterns(random)
	}
	if random.IntN(3) == 0 {
		q.before = chooseTime(random, images)
	}
	if random.IntN(3) == 0 {
		q.after = chooseTime(random, images)
	}
	if random.IntN(4) == 0 {
		q.status = []string{"ACTIVE", "ARCHIVED", "ANY"}[random.IntN(3)]
	}
	return q
}

// chooseSelectors returns the query of a deletion of many images.
func chooseSelectors(random *rand.Rand, images []image) imageQuery {
	var q imageQuery
	switch n := random.IntN(10); {
	case n < 4:
		q.tagged = "false"
	case n < 6:
		q.tags = choosePatterns(random)
	case n < 8:
		for range 1 + random.IntN(4) {
			q.digests = append(q.digests, chooseImage(random, images).Digest)
		}
	default:
		q.before = chooseTime(random, images)
	}
	if random.IntN(4) == 0 {
		q.before = chooseTime(random, images)
	}
	if random.IntN(4) == 0 {
		q.keep = 1 + random.IntN(4)
	}
	if random.IntN(6) == 0 {
		q.status = []string{"ACTIVE", "ANY"}[random.IntN(2)]
	}
	q.dryRun = random.IntN(5) == 0
	return q
}

// chooseImage returns one of the images, or sometimes one that is not there.
func chooseImage(random *rand.Rand, images []image) image {
	if len(images) == 0 || random.IntN(12) == 0 {
		return image{Digest: digestOf("missing"), Tags: []string{"missing"}}
	}
	return images[random.IntN(len(images))]
}

// chooseName returns the digest of an image, or one of its tags.
func chooseName(random *rand.Rand, images []image) string {
	i := chooseImage(random, images)
	if len(i.Tags) == 0 || random.IntN(2) == 0 {
		return i.Digest
	}
	return i.Tags[random.IntN(len(i.Tags))]
}
