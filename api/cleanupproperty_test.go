package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A node is an image of a random repository.
type node struct {
	digest   string
	tags     []string
	pushed   time.Time
	parts    []string
	subjects []string // by its manifest and by its tags
	manifest string
}

// A forest has the images of a repository by their digests.
type forest map[string]*node

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
)

// drawForest makes a random repository: images, indexes of images and of indexes,
// which share parts, and what refers to them by subject or by tag.
func drawForest(t *rapid.T) forest {
	f := forest{}
	digests := []string{digestOf("0")} // which is not there
	one := func(what string) string { return rapid.SampledFrom(digests).Draw(t, what) }
	for i := range rapid.IntRange(1, 12).Draw(t, "images") {
		manifest := map[string]any{"schemaVersion": 2, "mediaType": ociManifest, "annotations": map[string]string{"n": fmt.Sprint(i)}}
		n := &node{pushed: daysAgo(rapid.IntRange(1, 9).Draw(t, "age")).Add(time.Duration(i) * time.Second)}
		if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
			n.parts = rapid.SliceOfNDistinct(rapid.SampledFrom(digests), 0, min(3, len(digests)), rapid.ID).Draw(t, "parts")
			var manifests []map[string]any
			for _, part := range n.parts {
				if f[part] != nil && !n.pushed.After(f[part].pushed) {
					n.pushed = f[part].pushed.Add(time.Second) // ECR takes no index before its parts
				}
				manifests = append(manifests, map[string]any{"mediaType": ociManifest, "digest": part, "size": 1})
			}
			manifest["mediaType"], manifest["manifests"] = ociIndexType, manifests
		}
		if rapid.IntRange(0, 3).Draw(t, "refers") == 0 {
			n.subjects = []string{one("subject")}
			manifest["subject"] = map[string]any{"digest": n.subjects[0]}
		}
		n.manifest = jsonOf(manifest)
		n.digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(n.manifest)))
		digests = append(digests, n.digest)
		f[n.digest] = n
	}
	f.drawTags(t, digests)
	return f
}

// addForest adds the images to a repository.
func (w *world) addForest(repository string, f forest) {
	for _, n := range f {
		mediaType := ociManifest
		if n.parts != nil {
			mediaType = ociIndexType
		}
		w.addImage(account, repository, localaws.Image{Manifest: n.manifest, MediaType: mediaType, PushedAt: n.pushed, Tags: n.tags})
	}
}

// drawTags gives the images random tags. Some are those of signatures, of any
// image.
func (f forest) drawTags(t *rapid.T, digests []string) {
	for _, tag := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"v1", "v2", "v3", "dev-1", "dev-2", "dev-3", "latest", "sig", "att"}), rapid.ID).Draw(t, "tags") {
		if tag == "sig" || tag == "att" {
			tag = "sha256-" + strings.TrimPrefix(rapid.SampledFrom(digests).Draw(t, "signed"), "sha256:") + "." + tag
		}
		n := f[rapid.SampledFrom(digests[1:]).Draw(t, "tagged")]
		n.tags = append(n.tags, tag)
		if subject := signedBy(tag); subject != "" {
			n.subjects = append(n.subjects, subject)
		}
	}
	for _, n := range f {
		slices.Sort(n.tags)
	}
}

// signedBy returns the digest in the tag of a signature.
func signedBy(tag string) string {
	hex, signs := strings.CutPrefix(tag, "sha256-")
	if !signs {
		return ""
	}
	return "sha256:" + hex[:64]
}

// A choice is what a random request selects.
type choice struct {
	tags, digests []string
	untagged      bool
	before        time.Time // zero: any
	keep          int
}

func drawChoice(t *rapid.T, f forest) (c choice) {
	kinds := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"tag", "digest", "untagged", "before"}), 1, 3, rapid.ID).Draw(t, "selectors")
	for _, kind := range kinds {
		switch kind {
		case "tag":
			c.tags = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"v*", "dev-*", "latest", "v1", "*", "sha256-*", "*-2"}), 1, 2, rapid.ID).Draw(t, "patterns")
		case "digest":
			digests := append(slices.Sorted(maps.Keys(f)), digestOf("0"))
			c.digests = rapid.SliceOfNDistinct(rapid.SampledFrom(digests), 1, len(digests), rapid.ID).Draw(t, "digests")
		case "untagged":
			c.untagged = true
		case "before":
			c.before = daysAgo(rapid.IntRange(0, 8).Draw(t, "before"))
		}
	}
	c.keep = rapid.IntRange(0, 4).Draw(t, "keep")
	return c
}

func (c choice) query() string {
	q := url.Values{"tag": c.tags, "digest": c.digests}
	if c.untagged {
		q.Set("tagged", "false")
	}
	if !c.before.IsZero() {
		q.Set("pushedBefore", c.before.Format(time.RFC3339))
	}
	if c.keep > 0 {
		q.Set("keep", fmt.Sprint(c.keep))
	}
	return q.Encode()
}

// named tells whether the request names each image.
func (c choice) named() bool { return !c.untagged && c.before.IsZero() }

// matches tells whether the request names the tag.
func (c choice) matches(tag string) bool {
	return slices.ContainsFunc(c.tags, func(pattern string) bool { ok, _ := path.Match(pattern, tag); return ok })
}

// selects tells whether the request selects an image, by what it says of images.
func (c choice) selects(n *node) bool {
	return (c.digests == nil || slices.Contains(c.digests, n.digest)) && (!c.untagged || len(n.tags) == 0) && (c.before.IsZero() || n.pushed.Before(c.before))
}

// selectsWhole tells whether the request selects an image with all its tags.
func (c choice) selectsWhole(n *node) bool {
	return c.selects(n) && (c.tags == nil || len(n.tags) > 0 && !slices.ContainsFunc(n.tags, func(tag string) bool { return !c.matches(tag) }))
}

// A deletionAnswer is the answer to a deletion of many images.
type deletionAnswer struct {
	DryRun        bool
	ImageIDs      []idOf `json:"ImageIds"`
	Failures      []failureOf
	DeletedImages []string
}

func (w *world) cleanUp(t *rapid.T, repository, query string) (a deletionAnswer) {
	status, _, body := w.do(exchange{method: "DELETE", path: base + "/" + repository + "/images?" + query})
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != 200 {
		t.Fatalf("%s: status %d: %s", query, status, body)
	}
	return a
}

// An imageState has the tags of each image of a repository.
type imageState map[string][]string

func (w *world) stateOf(api *awsecr.ECR, repository string) imageState {
	state := imageState{}
	w.must(nil, api.DescribeImagesPages(&awsecr.DescribeImagesInput{RepositoryName: &repository}, func(out *awsecr.DescribeImagesOutput, _ bool) bool {
		for _, i := range out.ImageDetails {
			state[*i.ImageDigest] = append([]string{}, aws.StringValueSlice(i.ImageTags)...)
		}
		return true
	}))
	return state
}

// after returns the state after what an answer says.
func (s imageState) after(a deletionAnswer) imageState {
	after := imageState{}
	for digest, tags := range s {
		if !slices.Contains(a.DeletedImages, digest) {
			after[digest] = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
				return slices.ContainsFunc(a.ImageIDs, func(id idOf) bool {
					return *id.ImageDigest == digest && aws.StringValue(id.ImageTag) == tag
				})
			})
		}
	}
	return after
}

// Whatever images a repository has, and whatever is to be deleted: what stays is
// whole, and nothing goes that was not selected.
func TestWhatStaysIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := w.administrator()
	var repositories atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		f := drawForest(t)
		c := drawChoice(t, f)
		repository := fmt.Sprintf("g/r%d", repositories.Add(1))
		w.addRepository(account, repository, org)
		w.addForest(repository, f)
		before := w.stateOf(api, repository)
		preview := w.cleanUp(t, repository, c.query()+"&dryRun=true")
		if diff := cmp.Diff(before, w.stateOf(api, repository)); diff != "" {
			t.Fatalf("the dry run has changed the repository (-before +after):\n%s", diff)
		}
		if rapid.Bool().Draw(t, "fails") && !(c.keep > 0 && f.hasReferringIndex()) {
			w.failCleanUp(t, api, repository, c, preview)
			return
		}
		done := w.cleanUp(t, repository, c.query())
		preview.DryRun = false
		if diff := cmp.Diff(preview, done); diff != "" {
			t.Fatalf("the deletion differs from the dry run (-dry run +deletion):\n%s", diff)
		}
		after := w.stateOf(api, repository)
		if diff := cmp.Diff(before.after(done), after); diff != "" {
			t.Fatalf("images and their tags (-by the answer +there):\n%s", diff)
		}
		f.checkWhole(t, c, after)
		f.checkSelected(t, c, done, after)
		again := w.cleanUp(t, repository, c.query())
		if len(again.ImageIDs) > 0 {
			t.Fatalf("the same request, sent again, has deleted more: %s", jsonOf(again))
		}
	})
}

// failCleanUp makes one of the calls of a deletion fail, and sends the request
// again until all is done. Then that is gone which the dry run has told.
func (w *world) failCleanUp(t *rapid.T, api *awsecr.ECR, repository string, c choice, preview deletionAnswer) {
	before := w.stateOf(api, repository)
	left := rapid.IntRange(0, 2).Draw(t, "calls before")
	fault := rapid.SampledFrom([]localaws.Fault{
		{Code: "InvalidParameterException"}, {Drop: true}, {Drop: true, AfterWork: true}, {Code: "ServerException", Status: 500, AfterWork: true},
	}).Draw(t, "fault")
	fault.Operation, fault.Times = "ecr:BatchDeleteImage", 1
	fault.When = func(localaws.Call) bool { left--; return left < 0 }
	defer w.aws.Inject(fault)()
	request := exchange{method: "DELETE", path: base + "/" + repository + "/images?" + c.query()}
	for status, tries := 0, 0; status != 200; tries++ {
		var body string
		status, _, body = w.do(request)
		if status != 200 {
			checkOutcome(t, body, len(before), len(w.stateOf(api, repository)))
			before = w.stateOf(api, repository)
		}
		if tries == 3 {
			t.Fatalf("it fails again and again: %s", body)
		}
	}
	if diff := cmp.Diff(before.after(preview), w.stateOf(api, repository)); diff != "" {
		t.Fatalf("images and their tags (-by the dry run +there):\n%s", diff)
	}
}

// hasReferringIndex tells whether an index with parts refers to another image. Once
// that image and the index are gone, nobody can tell that their parts do not count
// for keep.
func (f forest) hasReferringIndex() bool {
	for _, n := range f {
		if len(n.parts) > 0 && len(n.subjects) > 0 {
			return true
		}
	}
	return false
}

// checkOutcome checks that a failed deletion says how many images are gone.
func checkOutcome(t rapid.TB, body string, before, after int) {
	var said struct{ Applied, Unknown []string }
	if err := json.Unmarshal([]byte(body), &said); err != nil {
		t.Fatal(err)
	}
	count := func(words []string) (n int) {
		if len(words) > 0 && strings.Contains(words[0], "image") {
			fmt.Sscan(words[0], &n)
		}
		return n
	}
	if least := count(said.Applied); before-after < least || before-after > least+count(said.Unknown) {
		t.Errorf("%d images are gone, and the answer is %s", before-after, body)
	}
}

// checkWhole checks that what stays has its parts, and its signatures unless they
// were named.
func (f forest) checkWhole(t *rapid.T, c choice, after imageState) {
	for digest := range after {
		for _, part := range f[digest].parts {
			if f[part] != nil && after[part] == nil {
				t.Errorf("%s stays, and its part %s is gone", digest, part)
			}
		}
	}
	for digest, n := range f {
		for _, subject := range n.subjects {
			if after[digest] == nil && after[subject] != nil && subject != digest && !c.named() {
				t.Errorf("%s stays, and %s is gone, which refers to it", subject, digest)
			}
		}
	}
}

// checkSelected checks that exactly that went which the request selects, and which
// nothing needs that stays.
func (f forest) checkSelected(t *rapid.T, c choice, done deletionAnswer, after imageState) {
	for digest, n := range f {
		for _, tag := range n.tags {
			if !slices.Contains(after[digest], tag) && after[digest] != nil && !(c.selects(n) && c.matches(tag)) {
				t.Errorf("the tag %s of %s is gone and was not selected", tag, digest)
			}
			if subject := signedBy(tag); !slices.Contains(after[digest], tag) && after[subject] != nil && subject != digest && !c.named() {
				t.Errorf("%s stays, and the tag %s is gone, which refers to it", subject, tag)
			}
		}
		gone := after[digest] == nil
		switch {
		case gone && !c.selectsWhole(n):
			t.Errorf("%s is gone and was not selected", digest)
		case !gone && c.keep == 0 && c.selectsWhole(n) && !f.isNeeded(c, n, after):
			t.Errorf("%s was selected and is not needed, and stays", digest)
		}
	}
	for _, f := range done.Failures {
		if !c.named() && f.FailureCode != "ImageNotFound" {
			t.Errorf("a failure about an image that was not named: %s", jsonOf(f))
		}
	}
}

// isNeeded tells whether an image is part of one that stays, or refers to one if
// that matters.
func (f forest) isNeeded(c choice, n *node, after imageState) bool {
	for digest := range after {
		if digest != n.digest && (slices.Contains(f[digest].parts, n.digest) || !c.named() && slices.Contains(n.subjects, digest)) {
			return true
		}
	}
	return false
}
