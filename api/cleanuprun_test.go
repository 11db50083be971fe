package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

// before does something once, right before the service makes the nth call of an
// operation.
func (w *world) before(operation string, nth int64, do func()) {
	var calls atomic.Int64
	w.aws.Inject(localaws.Fault{Operation: "ecr:" + operation, Code: "never", When: func(c localaws.Call) bool {
		if c.Policy != "" && calls.Add(1) == nth { // calls of the administrator have no policy
			do()
		}
		return false
	}})
}

// manifestOf returns a manifest that is different for each name, and its digest.
func manifestOf(name string) (text, digest string) {
	text = `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "annotations": {"name": "` + name + `"}}`
	return text, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

// indexTextOf returns the manifest of an index of one part, and its digest.
func indexTextOf(part string) (text, digest string) {
	text = indexOf(platform(part, ""))
	return text, fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text)))
}

// A small repository has images with names:
//
//	untagged    without tags
//	one         v1
//	two         v2 and latest
//	index       an untagged index of part
//	part        without tags
type small struct {
	*world
	api       *awsecr.ECR
	manifests map[string]string
	digests   map[string]string
	names     map[string]string // by digest
}

func newSmall(t *testing.T) *small {
	s := &small{world: newWorld(t), manifests: map[string]string{}, digests: map[string]string{}, names: map[string]string{}}
	s.addRepository(account, "g/a", org)
	s.api = s.administrator()
	for _, name := range []string{"untagged", "one", "two", "part", "new"} {
		s.manifests[name], s.digests[name] = manifestOf(name)
	}
	s.manifests["index"], s.digests["index"] = indexTextOf(s.digests["part"])
	s.manifests["other"], s.digests["other"] = indexTextOf(s.digests["untagged"])
	for name, digest := range s.digests {
		s.names[digest] = name
	}
	for name, tags := range map[string][]string{"untagged": nil, "one": {"v1"}, "two": {"v2", "latest"}, "part": nil, "index": nil} {
		mediaType := ociManifest
		if name == "index" {
			mediaType = ociIndexType
		}
		s.addImage(account, "g/a", localaws.Image{Manifest: s.manifests[name], MediaType: mediaType, Tags: tags, PushedAt: daysAgo(9)})
	}
	return s
}

// push pushes an image, if it is not there, with one more tag, which may be empty.
func (s *small) push(name, tag string) {
	in := &awsecr.PutImageInput{RepositoryName: aws.String("g/a"), ImageManifest: aws.String(s.manifests[name])}
	if tag != "" {
		in.ImageTag = &tag
	}
	s.must(s.api.PutImage(in))
}

func (s *small) remove(name string) {
	s.must(s.api.BatchDeleteImage(&awsecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a"), ImageIds: []*awsecr.ImageIdentifier{{ImageDigest: aws.String(s.digests[name])}}}))
}

// query replaces names in braces by digests.
func (s *small) query(text string) string {
	for name, digest := range s.digests {
		text = strings.ReplaceAll(text, "{"+name+"}", digest)
	}
	return text
}

// there returns what there is: each tag as name:tag, and images without tags by
// their names.
func (s *small) there() string {
	var words []string
	for digest, tags := range s.stateOf(s.api, "g/a") {
		for _, tag := range tags {
			words = append(words, s.names[digest]+":"+tag)
		}
		if len(tags) == 0 {
			words = append(words, s.names[digest])
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// answer returns what an answer says in the same words. A missing image has a
// question mark, and a part of an index an exclamation mark.
func (s *small) answer(body string) string {
	var a deletionAnswer
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.ImageIDs == nil {
		return body
	}
	name := func(id idOf) string {
		word := "?"
		if id.ImageDigest != nil {
			word = s.names[*id.ImageDigest]
		}
		if id.ImageTag != nil {
			word += ":" + *id.ImageTag
		}
		return word
	}
	var words []string
	for _, id := range a.ImageIDs {
		words = append(words, name(id))
	}
	for _, f := range a.Failures {
		words = append(words, name(f.ImageID)+map[string]string{"ImageNotFound": "?", "ImageReferencedByManifestList": "!"}[f.FailureCode])
	}
	slices.Sort(words)
	var gone []string
	for _, digest := range a.DeletedImages {
		gone = append(gone, "-"+s.names[digest])
	}
	slices.Sort(gone)
	return strings.Join(append(words, gone...), " ")
}

// deletes sends a deletion, and compares what it says and what there is
// afterwards.
func (s *small) deletes(query, want, there string) {
	s.t.Helper()
	status, _, body := s.do(cleanUp(s.query(query), 200, ""))
	if got := s.answer(body); status != 200 || got != want {
		s.t.Errorf("status %d, %s\nwant: %s", status, got, want)
	}
	if got := s.there(); got != there {
		s.t.Errorf("there is %s\nwant:    %s", got, there)
	}
}

// What changes between the look at all images and the deletion stays.
func TestWhatChangesMeanwhileStays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query  string
		change func(*small)
		want   string
		there  string
	}{
		"nothing":                     {"tagged=false", func(*small) {}, "index part untagged -index -part -untagged", "one:v1 two:latest two:v2"},
		"an untagged one gets a tag":  {"tagged=false", func(s *small) { s.push("untagged", "v3") }, "index part -index -part", "one:v1 two:latest two:v2 untagged:v3"},
		"a tagged one gets a tag":     {"tag=v1", func(s *small) { s.push("one", "v3") }, "", "index one:v1 one:v3 part two:latest two:v2 untagged"},
		"a named one gets a tag":      {"digest={one}", func(s *small) { s.push("one", "v3") }, "", "index one:v1 one:v3 part two:latest two:v2 untagged"},
		"its tag moves to a new one":  {"tag=v1", func(s *small) { s.push("new", "v1") }, "one -one", "index new:v1 part two:latest two:v2 untagged"},
		"one of its tags moves":       {"tag=v2", func(s *small) { s.push("new", "v2") }, "", "index new:v2 one:v1 part two:latest untagged"},
		"its other tag moves":         {"tag=v2", func(s *small) { s.push("new", "latest") }, "", "index new:latest one:v1 part two:v2 untagged"},
		"it is pushed again":          {"tag=v1", func(s *small) { s.remove("one"); s.push("one", "v1") }, "", "index one:v1 part two:latest two:v2 untagged"},
		"it is gone":                  {"tagged=false", func(s *small) { s.remove("untagged") }, "index part -index -part", "one:v1 two:latest two:v2"},
		"it is gone and was named":    {"digest={untagged}", func(s *small) { s.remove("untagged") }, "untagged?", "index one:v1 part two:latest two:v2"},
		"an index is gone":            {"tagged=false", func(s *small) { s.remove("index") }, "part untagged -part -untagged", "one:v1 two:latest two:v2"},
		"an index gets a tag":         {"tagged=false", func(s *small) { s.push("index", "v3") }, "untagged -untagged", "index:v3 one:v1 part two:latest two:v2"},
		"an index gets a tag, named":  {"digest={part}&digest={index}", func(s *small) { s.push("index", "v3") }, "part!", "index:v3 one:v1 part two:latest two:v2 untagged"},
		"an index is pushed again":    {"tagged=false", func(s *small) { s.remove("index"); s.push("index", "") }, "untagged -untagged", "index one:v1 part two:latest two:v2"},
		"a new index names it":        {"tagged=false", func(s *small) { s.push("other", "") }, "index part -index -part", "one:v1 other two:latest two:v2 untagged"},
		"a new index names it, named": {"digest={untagged}", func(s *small) { s.push("other", "") }, "untagged!", "index one:v1 other part two:latest two:v2 untagged"},
		"a new one is pushed":         {"tagged=false", func(s *small) { s.push("new", "") }, "index part untagged -index -part -untagged", "new one:v1 two:latest two:v2"},
		"a new one gets a tag":        {"tag=v*", func(s *small) { s.push("new", "v9") }, "one:v1 two:v2 -one", "index new:v9 part two:latest untagged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSmall(t)
			s.later.Add(60)
			s.before("DescribeImages", 2, func() { test.change(s) })
			s.deletes(test.query, test.want, test.there)
		})
	}
}

// If an image stays because it has changed, its signatures stay too.
func TestSignatureOfWhatStaysMeanwhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lost   int   // how many answers get lost
		look   int64 // before which look the change is
		change func(*small)
		want   string
		there  string
	}{
		"it gets a tag": {0, 2, func(s *small) { s.push("untagged", "v3") },
			"index part -index -part", "one:v1 signature two:latest two:v2 untagged:v3"},
		"it is pushed again after a lost answer": {1, 3, func(s *small) { s.push("untagged", "") },
			"index part untagged -index -part -untagged", "one:v1 signature two:latest two:v2 untagged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSmall(t)
			s.later.Add(60)
			s.manifests["signature"] = `{"schemaVersion": 2, "mediaType": "` + ociManifest + `", "subject": {"digest": "` + s.digests["untagged"] + `"}}`
			s.addImage(account, "g/a", localaws.Image{Manifest: s.manifests["signature"], MediaType: ociManifest, PushedAt: daysAgo(9)})
			s.names[fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s.manifests["signature"])))] = "signature"
			s.before("DescribeImages", test.look, func() { test.change(s) })
			for range test.lost {
				s.loseAnswer("ecr:BatchDeleteImage", localaws.Fault{Drop: true}, true)
			}
			s.deletes("tagged=false", test.want, test.there)
		})
	}
}

// Between the last look and the deletion there is a moment in which the service
// sees no change. AWS then tells what it has deleted.
func TestWhatChangesAtTheLastMoment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query  string
		change func(*small)
		want   string
		there  string
	}{
		"it is gone":               {"tag=v1", func(s *small) { s.remove("one") }, "", "index part two:latest two:v2 untagged"},
		"it is gone and was named": {"digest={one}", func(s *small) { s.remove("one") }, "one?", "index part two:latest two:v2 untagged"},
		"a tag is gone":            {"tag=v2", func(s *small) { s.remove("two") }, "", "index one:v1 part untagged"},
		"it becomes the last tag":  {"tag=v2", func(s *small) { s.removeTag("latest") }, "two:v2 -two", "index one:v1 part untagged"},
		"a tag moves":              {"tag=v2", func(s *small) { s.push("one", "v2") }, "one:v2", "index one:v1 part two:latest untagged"},
		"a tag moves to a new one": {"tag=v2", func(s *small) { s.push("new", "v2") }, "new:v2 -new", "index one:v1 part two:latest untagged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSmall(t)
			s.before("BatchDeleteImage", 1, func() { test.change(s) })
			s.deletes(test.query, test.want, test.there)
		})
	}
}

// The answers to attempts of a deletion get lost.
func TestLostAnswersOfCleanups(t *testing.T) {
	t.Parallel()
	const all, rest = "index part untagged -index -part -untagged", "one:v1 two:latest two:v2"
	again := func(change func(*small)) func(*small) {
		return func(s *small) { s.before("DescribeImages", 3, func() { change(s) }) }
	}
	for name, test := range map[string]struct {
		query string
		times int
		after bool // it gets lost after the work
		given func(*small)
		want  string
		there string
	}{
		"once, before the work":          {"tagged=false", 1, false, nil, all, rest},
		"once, after the work":           {"tagged=false", 1, true, nil, all, rest},
		"always, after the work":         {"tagged=false", 0, true, nil, all, rest},
		"a tag, after the work":          {"tag=v2", 0, true, nil, "?:v2", "index one:v1 part two:latest untagged"},
		"all tags, after the work":       {"tag=v2&tag=latest", 0, true, nil, "two:latest two:v2 -two", "index one:v1 part untagged"},
		"then it gets a tag":             {"tag=v1", 1, false, again(func(s *small) { s.push("one", "v3") }), "", "index one:v1 one:v3 part two:latest two:v2 untagged"},
		"then it is pushed again":        {"tag=v1", 1, true, again(func(s *small) { s.push("one", "v1") }), "one:v1 -one", "index one:v1 part two:latest two:v2 untagged"},
		"then an index is pushed again":  {"digest={index}&digest={part}", 1, true, again(func(s *small) { s.push("index", "") }), "index part! -index", "index one:v1 part two:latest two:v2 untagged"},
		"then one of several gets a tag": {"tag=v*&tag=latest", 1, false, again(func(s *small) { s.push("one", "x") }), "two:latest two:v2 -two", "index one:v1 one:x part untagged"},
		"then somebody deletes it":       {"tag=v1", 1, false, again(func(s *small) { s.remove("one") }), "one:v1 -one", "index part two:latest two:v2 untagged"},
	} {
		for kind, fault := range lostAnswerFaults {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				s := newSmall(t)
				s.later.Add(60)
				fault.Operation, fault.AfterWork, fault.Times = "ecr:BatchDeleteImage", test.after, test.times
				fault.When = func(c localaws.Call) bool { return c.Policy != "" }
				s.aws.Inject(fault)
				if test.given != nil {
					test.given(s)
				}
				s.deletes(test.query, test.want, test.there)
			})
		}
	}
}
