package ecr

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/google/go-cmp/cmp"
)

// A sample is an image of a test, told by its name. Its parts and its subject
// are names too. In tags, {x} stands for the digits of the digest of x.
type sample struct {
	name    string
	tags    []string
	age     int // days
	parts   []string
	subject string
	status  string
	untold  bool // an index whose parts ECR does not tell
}

func digestOf(name string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(name))) }

var sampleTime = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// at returns the time so many days before.
func at(age int) time.Time { return sampleTime.AddDate(0, 0, -age) }

func (s sample) image() *Image {
	const index, manifest = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
	i := &Image{ImageDigest: digestOf(s.name), ImageTags: []string{}, ImageManifestMediaType: aws.String(manifest), ImagePushedAt: &common.Timestamp{Time: at(s.age)}}
	for _, tag := range s.tags {
		before, rest, signs := strings.Cut(tag, "{")
		if name, after, _ := strings.Cut(rest, "}"); signs {
			tag = before + strings.TrimPrefix(digestOf(name), "sha256:") + after
		}
		i.ImageTags = append(i.ImageTags, tag)
	}
	slices.Sort(i.ImageTags)
	if s.parts != nil || s.untold {
		i.ImageManifestMediaType = aws.String(index)
	}
	if s.subject != "" {
		i.Subject = aws.String(digestOf(s.subject))
	}
	if s.status != "" {
		i.Status = &s.status
	}
	return i
}

// planOf returns the plan for a repository with these images.
func planOf(by Selector, images ...sample) *Cleanup {
	c := newCleanup("g/a", by)
	for _, s := range images {
		c.add(s.image())
	}
	c.complete()
	for _, s := range images {
		i, _ := c.find(digestOf(s.name))
		var digests []string
		for _, part := range s.parts {
			digests = append(digests, digestOf(part))
		}
		if parts := c.places(digests); parts != nil {
			c.parts[i] = parts
		}
		if s.untold {
			c.untold[i] = true
		}
	}
	c.decide()
	return c
}

// told says what a plan does, by the names of the images: those that go, the
// tags that go alone, and the failures.
func (c *Cleanup) told(images ...sample) string {
	var words []string
	for _, s := range images {
		i, _ := c.find(digestOf(s.name))
		if c.images[i].goes {
			words = append(words, s.name)
		}
		for _, tag := range c.images[i].only {
			words = append(words, s.name+":"+tag)
		}
	}
	names := map[string]string{digestOf("missing"): "missing"}
	for _, s := range images {
		names[digestOf(s.name)] = s.name
	}
	for _, f := range c.Preview().Failures {
		word := "!" + names[*f.ImageID.ImageDigest]
		if f.ImageID.ImageTag != nil {
			word += ":" + *f.ImageID.ImageTag
		}
		if *f.FailureCode != "ImageReferencedByManifestList" {
			word += " " + *f.FailureCode
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func named(names ...string) (by Selector) {
	for _, name := range names {
		by.Digests = append(by.Digests, digestOf(name))
	}
	return by
}

func tagged(patterns ...string) Selector { return Selector{Filter: Filter{Tags: patterns}} }

var untagged = Selector{Filter: Filter{Tagged: new(false)}}

func olderThan(age int) Selector { return Selector{Filter: Filter{PushedBefore: at(age)}} }

func (s Selector) keep(n int) Selector { s.Keep = n; return s }

func TestCleanupPlans(t *testing.T) {
	t.Parallel()
	plain := []sample{
		{name: "a", tags: []string{"v1"}, age: 30},
		{name: "b", tags: []string{"v2", "latest"}, age: 20},
		{name: "c", age: 10},
		{name: "d", tags: []string{"dev-1", "dev-2"}, age: 5, status: "ARCHIVED"},
		{name: "e", tags: []string{"dev-3"}, age: 5, status: "ACTIVE"},
		{name: "f", age: 1, status: "ACTIVATING"},
	}
	multi := []sample{ // two indexes share a part, and an index is in another
		{name: "both", tags: []string{"v2"}, age: 10, parts: []string{"amd", "arm"}},
		{name: "one", age: 40, parts: []string{"amd", "old"}},
		{name: "outer", age: 39, parts: []string{"one", "away"}},
		{name: "amd", age: 40}, {name: "arm", age: 40, tags: []string{"v2-arm"}}, {name: "old", age: 40},
	}
	signed := []sample{
		{name: "stays", tags: []string{"v2"}, age: 50},
		{name: "sig", tags: []string{"sha256-{stays}.sig"}, age: 50},
		{name: "att", subject: "stays", age: 50},
		{name: "att of att", subject: "att", age: 50},
		{name: "list", tags: []string{"sha256-{stays}"}, parts: []string{"att"}, age: 50},
		{name: "goes", age: 50},
		{name: "its", subject: "goes", age: 50},
		{name: "orphan", tags: []string{"sha256-{missing}.att"}, age: 50},
		{name: "half", tags: []string{"sha256-{stays}.sbom", "other"}, age: 50},
	}
	circles := []sample{
		{name: "x", tags: []string{"sha256-{y}.sig"}, age: 3}, {name: "y", tags: []string{"sha256-{x}.sig"}, age: 2},
		{name: "self", tags: []string{"sha256-{self}"}, age: 1},
		{name: "own", parts: []string{"main"}, subject: "main", age: 4}, {name: "main", age: 5},
	}
	circle := []sample{ // and a newer signature of it
		{name: "own", parts: []string{"main"}, subject: "main", age: 4}, {name: "main", age: 5}, {name: "signature", subject: "main", age: 3},
		{name: "last", age: 6},
	}
	series := []sample{ // three images of two platforms, each with a signature that is newer than the next image
		{name: "v3", tags: []string{"v3"}, age: 10, parts: []string{"p3"}}, {name: "p3", age: 10},
		{name: "v2", tags: []string{"v2"}, age: 20, parts: []string{"p2"}}, {name: "p2", age: 20}, {name: "s2", subject: "v2", age: 2},
		{name: "v1", tags: []string{"v1"}, age: 30, parts: []string{"p1"}}, {name: "p1", age: 30}, {name: "s1", tags: []string{"sha256-{v1}.sig"}, age: 1},
	}
	archived := []sample{
		{name: "old", age: 50}, {name: "signature", subject: "gone", age: 45},
		{name: "index", tags: []string{"v1"}, age: 40, status: "ARCHIVED", untold: true},
		{name: "younger", age: 30},
		{name: "other", age: 20, status: "ARCHIVED", untold: true},
		{name: "youngest", age: 10},
	}
	for _, test := range []struct {
		name   string
		by     Selector
		images []sample
		want   string
	}{
		{"what may be part of an archived index", untagged, archived, "signature, youngest, !other ImageInaccessible"},
		{"what may be part of an archived index that stays", Selector{Filter: Filter{Tagged: new(false), Status: Any}}, archived, "signature, younger, other, youngest, !index ImageInaccessible"},
		{"with all archived indexes", Selector{Filter: Filter{Status: Any}}, archived, "old, signature, index, younger, other, youngest"},
		{"named, though it may be part of an archived index", named("old"), archived, "old"},
		{"kept archived indexes", Selector{Filter: Filter{Status: Any}}.keep(2), archived, "signature, !other ImageInaccessible"},
		{"nothing may be part of an archived index", untagged, archived[2:3:3], ""},

		{"a tag", tagged("v1"), plain, "a"},
		{"one of two tags", tagged("latest"), plain, "b:latest"},
		{"patterns for both tags", tagged("v*", "lat*"), plain, "a, b"},
		{"all tags, of active ones", tagged("*"), plain, "a, b, e"},
		{"all tags, of archived ones", Selector{Filter: Filter{Tags: []string{"*"}, Status: "ARCHIVED"}}, plain, "d"},
		{"no tag matches", tagged("x*"), plain, ""},
		{"digests", named("a", "c"), plain, "a, c"},
		{"a digest that is missing", named("missing", "a", "missing"), plain, "a, !missing ImageNotFound"},
		{"a digest that is excluded", named("d"), plain, ""},
		{"untagged", untagged, plain, "c"},
		{"untagged of any status", Selector{Filter: Filter{Tagged: new(false), Status: Any}}, plain, "c, f"},
		{"old", olderThan(9), plain, "a, b, c"},
		{"by status alone", Selector{Filter: Filter{Status: Any}}, plain, "a, b, c, d, e, f"},
		{"a tag and an age", Selector{Filter: Filter{Tags: []string{"v*"}, PushedBefore: at(25)}}, plain, "a"},
		{"a tag and a digest", Selector{Filter: Filter{Tags: []string{"v*"}}, Digests: []string{digestOf("b")}}, plain, "b:v2"},
		{"tags and untagged", Selector{Filter: Filter{Tags: []string{"v*"}, Tagged: new(false)}}, plain, ""},

		{"parts that are needed", untagged, multi, "one, outer, old"},
		{"old parts that are needed", olderThan(20), multi, "one, outer, old"},
		{"named parts", named("amd", "old"), multi, "!amd, !old"},
		{"named parts with one of their indexes", named("amd", "old", "one", "outer"), multi, "one, outer, old, !amd"},
		{"an index in an index", named("one", "old"), multi, "!one, !old"},
		{"the last tag of a part", tagged("v2-arm"), multi, "!arm:v2-arm"},
		{"an index and a part by their tags", tagged("v2*"), multi, "both, arm"},
		{"everything", Selector{Filter: Filter{Status: Any}}, multi, "both, one, outer, amd, arm, old"},

		{"signatures of what stays", untagged, signed, "goes, its"},
		{"tagged signatures of what stays", Selector{Filter: Filter{Tags: []string{"sha256-*"}, PushedBefore: at(0)}}, signed, "orphan"},
		{"named signatures", tagged("sha256-*.sig", "sha256-*.sbom"), signed, "sig, half:" + signed[8].image().ImageTags[1]},
		{"a part of a list of referrers", named("att"), signed, "!att"},
		{"an image with all that refers to it", olderThan(20), signed, "stays, sig, att, att of att, list, goes, its, orphan, half"},

		{"circles", olderThan(0), circles, "x, y, self, own, main"},
		{"circles, one spared", olderThan(0).keep(1), circles, "x, y, own, main"},
		{"circles, two spared", olderThan(0).keep(2), circles, "own, main"},
		{"circles, all spared", olderThan(0).keep(3), circles, ""},
		{"a circle with a signature, kept", olderThan(0).keep(1), circle, "last"},
		{"a circle with a signature, not kept", olderThan(0).keep(1), append(circle[:3:3], sample{name: "new", age: 1}), "own, main, signature"},
		{"a circle that does not go", untagged, circles, "own, main"},

		{"keep two", olderThan(0).keep(2), series, "v1, p1, s1"},
		{"keep two, again", olderThan(0).keep(2), slices.Concat(series[:5], series[6:]), "p1, s1"},
		{"keep more than there are", olderThan(0).keep(9), series, ""},
		{"keep what is not only a signature", olderThan(0).keep(1), signed[:9:9], "stays, sig, att, att of att, list, goes, its, orphan"},
		{"keep by tags", tagged("v*").keep(1), series, "v2, v1"},
		{"keep parts by digests", named("v1", "p1", "v2", "p2").keep(1), series, "v1, p1"},
		{"keep one of two tags", tagged("v1", "latest").keep(1), plain, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := planOf(test.by, test.images...).told(test.images...); got != test.want {
				t.Errorf("goes: %s\nwant: %s", got, test.want)
			}
		})
	}
}

// What holds others goes before them.
func TestCleanupWaves(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		images []sample
		want   [][]string
	}{
		{"nothing", nil, nil},
		{"plain ones, the oldest first", []sample{{name: "new", age: 1}, {name: "old", age: 3}, {name: "middle", age: 2}}, [][]string{{"old", "middle", "new"}}},
		{"indexes in an index", []sample{
			{name: "part", age: 9}, {name: "inner", age: 8, parts: []string{"part"}}, {name: "outer", age: 7, parts: []string{"inner", "part"}},
			{name: "signature", subject: "outer", age: 6}, {name: "other", age: 1},
		}, [][]string{{"outer", "other"}, {"inner", "signature"}, {"part"}}},
		{"an archived index, before all that it may name", []sample{{name: "part", age: 9}, {name: "index", age: 8, untold: true}, {name: "later", age: 7}},
			[][]string{{"index"}, {"part", "later"}}},
		{"a circle of tags", []sample{
			{name: "x", tags: []string{"sha256-{y}.sig"}, age: 3}, {name: "y", tags: []string{"sha256-{x}.sig"}, age: 2}, {name: "z", subject: "x", age: 1},
		}, [][]string{{"x", "y", "z"}}},
		{"a part that is the subject of its index", []sample{
			{name: "main", age: 3}, {name: "index", subject: "main", parts: []string{"main"}, age: 2},
		}, [][]string{{"index"}, {"main"}}},
		{"indexes that name each other", []sample{
			{name: "i", parts: []string{"j"}, age: 3}, {name: "j", parts: []string{"i"}, age: 2},
		}, [][]string{{"i", "j"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := planOf(Selector{Filter: Filter{Status: Any}}, test.images...)
			var got [][]string
			for _, wave := range plan.waves() {
				var names []string
				for _, i := range wave {
					at := slices.IndexFunc(test.images, func(s sample) bool { return digestOf(s.name) == plan.images[i].digest })
					names = append(names, test.images[at].name)
				}
				got = append(got, names)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("waves (-want +got):\n%s", diff)
			}
		})
	}
}
