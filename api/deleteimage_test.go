package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"golang.org/x/sync/errgroup"
)

// Digests of images in tests.
const (
	partDigest  = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	indexDigest = "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
)

var _ = describe("DeleteImage", rowTest{
	given: func(w *world, account, repository, _ string) {
		w.addImage(account, repository, localaws.Image{Tags: []string{"latest"}})
	},
	calls: []string{"ecr:DescribeImages", "ecr:ListTagsForResource", "ecr:BatchDeleteImage"},
	variants: []exchange{
		{name: "a tag", method: "DELETE", path: base + "/g/images/images/latest", status: 200},
		{name: "missing", method: "DELETE", path: base + "/g/images/images/latest", status: 404},
		{name: "part of an index", method: "DELETE", path: base + "/g/images/images/" + partDigest, status: 409,
			want: inIndex(partDigest, "the index "+indexDigest+" (multi)")},
		{name: "the index", method: "DELETE", path: base + "/g/images/images/" + indexDigest, status: 200},
	},
	may: []right{
		{do: []string{"ecr:DescribeImages", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers},
		{do: []string{"ecr:BatchDeleteImage", "ecr:BatchGetImage"}, where: []string{inGroup}, whose: []string{ours}},
	},
	never:     []right{denyOtherOrgs, {do: []string{"ecr:BatchDeleteImage", "ecr:BatchGetImage"}, whose: []string{noOrg}}},
	notCalled: map[string]string{"ecr:BatchGetImage": "finds the index of which the image is part"},
	changes:   map[string]change{"ecr:BatchDeleteImage": {part: "Tag latest"}},
	redundant: []string{"statement 2 without StringEquals aws:ResourceTag/spinup:org"},
})

// deletion returns the answer for ids, which are JSON, and for images that are
// gone.
func deletion(ids string, gone ...string) string {
	if gone == nil {
		gone = []string{}
	}
	return `{"ImageIds": [` + ids + `], "Failures": [], "DeletedImages": ` + jsonOf(gone) + `}`
}

// inIndex returns the answer for an image that is part of indexes.
func inIndex(digest, indexes string) string {
	return problemByAWS("image-in-index", "The image "+digest+" is part of "+indexes+", and cannot be deleted before that.", "ImageReferencedByManifestList")
}

// noImage returns the answer if AWS does not find an image.
func noImage(id string) string {
	return problemByAWS("image-not-found", "The image with imageId "+id+" does not exist within the repository with name 'g/a' "+
		"in the registry with id '012345678901'", "ImageNotFoundException")
}

// addIndexOf adds an index of images to a repository.
func (w *world) addIndexOf(repository, digest string, tags []string, parts ...string) {
	w.t.Helper()
	var named []string
	for _, part := range parts {
		named = append(named, platform(part, ""))
	}
	w.addImage(account, repository, localaws.Image{Digest: digest, Tags: tags, MediaType: ociIndexType, Manifest: indexOf(named...)})
}

// newDeleteWorld returns a world with the repository g/a, and an image with these
// tags in it.
func newDeleteWorld(t *testing.T, tags ...string) *world {
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: tags})
	return w
}

// deleteOf and showOf are requests about an image of g/a.
func deleteOf(image string, status int, want string) exchange {
	return exchange{name: "delete " + image, method: "DELETE", path: base + "/g/a/images/" + image, status: status, want: want}
}

func showOf(image string, status int) exchange {
	return exchange{name: "show " + image, method: "GET", path: base + "/g/a/images/" + image, status: status, want: "-"}
}

func TestDeleteImage(t *testing.T) {
	t.Parallel()
	const one, two = `{"ImageDigest": "` + digestA + `", "ImageTag": "1.0"}`, `{"ImageDigest": "` + digestA + `", "ImageTag": "latest"}`
	for name, test := range map[string]struct {
		tags     []string
		requests []exchange
	}{
		"a tag, and then the last tag": {[]string{"1.0", "latest"}, []exchange{
			deleteOf("latest", 200, deletion(two)), showOf("latest", 404), showOf("1.0", 200), showOf(digestA, 200),
			deleteOf("1.0", 200, deletion(one, digestA)), showOf("1.0", 404), showOf(digestA, 404),
		}},
		"a digest with tags": {[]string{"1.0", "latest"}, []exchange{
			deleteOf(digestA, 200, deletion(one+", "+two, digestA)), showOf("1.0", 404), showOf("latest", 404), showOf(digestA, 404),
		}},
		"a digest without tags": {nil, []exchange{
			deleteOf(digestA, 200, deletion(`{"ImageDigest": "`+digestA+`", "ImageTag": null}`, digestA)), showOf(digestA, 404),
		}},
		"a missing image": {[]string{"1.0"}, []exchange{
			deleteOf("latest", 404, noImage("{imageDigest:'null', imageTag:'latest'}")),
			deleteOf(digestB, 404, noImage("{imageDigest:'"+digestB+"', imageTag:'null'}")),
			showOf("1.0", 200),
		}},
		"again": {[]string{"1.0"}, []exchange{
			deleteOf("1.0", 200, deletion(one, digestA)), deleteOf("1.0", 404, noImage("{imageDigest:'null', imageTag:'1.0'}")),
		}},
		"neither a tag nor a digest": {[]string{"1.0"}, []exchange{
			deleteOf("sha256:AAAA", 400, "-"), deleteOf("1.0@"+digestA, 400, "-"), deleteOf("-v1", 400, "-"), showOf("1.0", 200),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newDeleteWorld(t, test.tags...).run(test.requests...)
		})
	}
}

// AWS lets nobody overwrite an immutable tag, but everybody delete it.
func TestDeleteImageOfAnImmutableRepository(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	w.must(w.administrator().PutImageTagMutability(&awsecr.PutImageTagMutabilityInput{
		RepositoryName: aws.String("g/a"), ImageTagMutability: aws.String("IMMUTABLE"),
	}))
	w.run(deleteOf("v1", 200, deletion(`{"ImageDigest": "`+digestA+`", "ImageTag": "v1"}`, digestA)))
}

// Callers learn nothing about the images of repositories that are not ours.
func TestDeleteImageOfAnotherOrg(t *testing.T) {
	t.Parallel()
	for repositoryOrg, whose := range map[string]string{"": "nobody's", "another-org": "another org's"} {
		for name, w := range map[string]*world{"role with a fence": newWorld(t), "role without": newUnfencedWorld(t)} {
			w.addRepository(account, "g/a", repositoryOrg)
			w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1"}})
			for _, image := range []string{"v1", digestA, "missing", digestB} {
				status, _, body := w.do(deleteOf(image, 0, ""))
				if status != http.StatusForbidden || parse(t, body).(map[string]any)["code"] != "other-org" {
					t.Errorf("%s, %s, %s: status %d: %s", whose, name, image, status, body)
				}
			}
			if out, err := w.administrator().DescribeImages(&awsecr.DescribeImagesInput{RepositoryName: aws.String("g/a")}); err != nil || len(out.ImageDetails) != 1 {
				t.Errorf("%s, %s: the images are %v, %v", whose, name, out, err)
			}
		}
	}
}

// The image goes between the look and the deletion.
func TestDeleteImageThatGoesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	w.afterLook(func() { w.removeImage(&awsecr.ImageIdentifier{ImageTag: aws.String("v1")}) })
	w.run(deleteOf("v1", 404, problemByAWS("image-not-found", "Requested image not found", "ImageNotFound")))
}

// afterLook does something once, after the service has looked at the image and
// before it deletes it.
func (w *world) afterLook(do func()) {
	w.aws.Inject(localaws.Fault{Operation: "ecr:BatchDeleteImage", Times: 1, When: func(c localaws.Call) bool {
		if c.Policy != "" { // otherwise it is the administrator's
			do()
		}
		return c.Policy != ""
	}})
}

// removeImage deletes an image of g/a as the administrator.
func (w *world) removeImage(id *awsecr.ImageIdentifier) {
	w.must(w.administrator().BatchDeleteImage(&awsecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a"), ImageIds: []*awsecr.ImageIdentifier{id}}))
}

// The tag moves between the look and the deletion. It goes from the image that
// has it.
func TestDeleteTagThatMoves(t *testing.T) {
	t.Parallel()
	const removed = `{"ImageDigest": "` + digestB + `", "ImageTag": "v1"}`
	for name, test := range map[string]struct {
		tags  []string // of the other image
		fault localaws.Fault
		want  string
	}{
		"its only tag":          {[]string{"v1"}, localaws.Fault{Operation: "none"}, deletion(removed, digestB)},
		"one of its tags":       {[]string{"v1", "v2"}, localaws.Fault{Operation: "none"}, deletion(removed)},
		"and AWS does not tell": {[]string{"v1"}, localaws.Fault{Operation: "ecr:DescribeImages", Code: "ServerException", Status: 500}, `{"ImageIds": [` + removed + `], "Failures": [], "DeletedImages": null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeleteWorld(t, "v1")
			w.afterLook(func() {
				w.addImage(account, "g/a", localaws.Image{Digest: digestB, Tags: test.tags})
				w.aws.Inject(test.fault)
			})
			w.run(deleteOf("v1", 200, test.want))
			if out, err := w.administrator().BatchGetImage(&awsecr.BatchGetImageInput{
				RepositoryName: aws.String("g/a"), ImageIds: []*awsecr.ImageIdentifier{{ImageDigest: aws.String(digestA)}},
			}); err != nil || len(out.Images) != 1 {
				t.Errorf("the image that had the tag at the look: %v, %v", out, err)
			}
		})
	}
}

// Of several deletions at the same time exactly one succeeds, and the others find
// nothing.
func TestDeleteImageManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t, "v1")
	statuses := make([]int, 8)
	var all errgroup.Group
	all.SetLimit(4)
	for i := range statuses {
		all.Go(func() error {
			statuses[i], _, _ = w.do(deleteOf("v1", 0, ""))
			return nil
		})
	}
	_ = all.Wait()
	succeeded := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			succeeded++
		} else if status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d deletions succeeded: %v", succeeded, statuses)
	}
}

// Another tag of the image is deleted or pushed right before the tag goes. The
// answer says what has become of the image.
func TestDeletionOfATagTellsWhetherTheImageIsGone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tags   []string
		change func(*world)
		want   string
	}{
		"the other tag is deleted": {[]string{"v1", "v2"}, func(w *world) { w.removeImage(&awsecr.ImageIdentifier{ImageTag: aws.String("v2")}) },
			deletion(ofA("v1"), digestA)},
		"another tag is pushed": {[]string{"v1"}, func(w *world) {
			w.removeImage(imageID(digestA))
			w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1", "v2"}})
		}, deletion(ofA("v1"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeleteWorld(t, test.tags...)
			w.aws.Inject(localaws.Fault{Operation: "ecr:BatchDeleteImage", Delay: time.Millisecond, Times: 1, When: func(c localaws.Call) bool {
				if c.Policy == "" { // the administrator's
					return false
				}
				test.change(w)
				return true
			}})
			w.run(deleteOf("v1", 200, test.want))
		})
	}
}
