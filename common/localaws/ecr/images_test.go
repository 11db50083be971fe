//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// manifestOf returns the manifest of an image with a layer of the size, and one
// of a single byte.
func manifestOf(size int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"size":7},"layers":[{"size":%d},{"size":1}]}`,
		dockerManifest, dockerConfig, size)
}

// The media types of an image that Docker makes.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
)

func digestOf(manifest string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(manifest)))
}

// put puts an image into group/one. The tag may be empty.
func put(client *ecr.ECR, manifest, tag string) error {
	in := &ecr.PutImageInput{RepositoryName: aws.String("group/one"), ImageManifest: &manifest}
	if tag != "" {
		in.ImageTag = &tag
	}
	return awstest.ErrorOf(client.PutImage(in))
}

func TestImageTagsMove(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	awstest.Must(t, put(client, manifestOf(1), "latest"))
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	awstest.Must(t, put(client, manifestOf(2), "latest"))
	awstest.Must(t, put(client, manifestOf(3), "")) // never tagged
	awstest.Must(t, put(client, manifestOf(4), "v1"))
	want := map[string][]string{
		digestOf(manifestOf(1)): nil,
		digestOf(manifestOf(2)): {"latest"},
		digestOf(manifestOf(3)): nil,
		digestOf(manifestOf(4)): {"v1"},
	}
	for status, keep := range map[string]func(tags []string) bool{
		"ANY":      func([]string) bool { return true },
		"TAGGED":   func(tags []string) bool { return len(tags) > 0 },
		"UNTAGGED": func(tags []string) bool { return len(tags) == 0 },
	} {
		wantDetails, wantIDs := make(map[string][]string), []string{}
		for digest, tags := range want {
			if keep(tags) {
				wantDetails[digest] = tags
				wantIDs = append(wantIDs, digest+strings.Join(tags, ""))
			}
		}
		described, err := client.DescribeImages(&ecr.DescribeImagesInput{
			RepositoryName: aws.String("group/one"), Filter: &ecr.DescribeImagesFilter{TagStatus: &status}})
		awstest.Must(t, err)
		details := make(map[string][]string)
		for _, d := range described.ImageDetails {
			details[*d.ImageDigest] = nil
			if d.ImageTags != nil {
				details[*d.ImageDigest] = aws.StringValueSlice(d.ImageTags)
			}
		}
		if diff := cmp.Diff(wantDetails, details); diff != "" {
			t.Errorf("%s details (-want +got):\n%s", status, diff)
		}
		listed, err := client.ListImages(&ecr.ListImagesInput{
			RepositoryName: aws.String("group/one"), Filter: &ecr.ListImagesFilter{TagStatus: &status}})
		awstest.Must(t, err)
		ids := []string{}
		for _, id := range listed.ImageIds {
			ids = append(ids, *id.ImageDigest+aws.StringValue(id.ImageTag))
		}
		slices.Sort(wantIDs)
		if diff := cmp.Diff(wantIDs, ids); diff != "" {
			t.Errorf("%s ids (-want +got):\n%s", status, diff)
		}
	}
}

func TestBatchDeleteImage(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	for tag, size := range map[string]int{"a1": 1, "a2": 1, "b1": 2, "c1": 3, "c2": 3} {
		awstest.Must(t, put(client, manifestOf(size), tag))
	}
	id := func(size int, tag string) *ecr.ImageIdentifier {
		i := &ecr.ImageIdentifier{}
		if size > 0 {
			i.ImageDigest = aws.String(digestOf(manifestOf(size)))
		}
		if tag != "" {
			i.ImageTag = &tag
		}
		return i
	}
	bad := &ecr.ImageIdentifier{ImageDigest: aws.String("x")}
	out, err := client.BatchDeleteImage(&ecr.BatchDeleteImageInput{
		RepositoryName: aws.String("group/one"),
		ImageIds:       []*ecr.ImageIdentifier{id(0, "a1"), id(0, "b1"), id(3, ""), id(0, "none"), id(9, ""), id(1, "b1"), {}, bad},
	})
	awstest.Must(t, err)
	failure := func(id *ecr.ImageIdentifier, code string) *ecr.ImageFailure {
		return &ecr.ImageFailure{ImageId: id, FailureCode: &code}
	}
	want := &ecr.BatchDeleteImageOutput{
		ImageIds: []*ecr.ImageIdentifier{id(1, "a1"), id(2, "b1"), id(3, "c1"), id(3, "c2")},
		Failures: []*ecr.ImageFailure{
			failure(id(0, "none"), "ImageNotFound"),
			failure(id(9, ""), "ImageNotFound"),
			failure(id(1, "b1"), "ImageTagDoesNotMatchDigest"),
			failure(id(0, ""), "MissingDigestAndTag"),
			failure(bad, "InvalidImageDigest"),
		},
	}
	for _, f := range out.Failures {
		if aws.StringValue(f.FailureReason) == "" {
			t.Errorf("no reason for %v", f)
		}
		f.FailureReason = nil
	}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	listed, err := client.ListImages(&ecr.ListImagesInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if diff := cmp.Diff([]*ecr.ImageIdentifier{id(1, "a2")}, listed.ImageIds); diff != "" {
		t.Errorf("remaining (-want +got):\n%s", diff)
	}
}

func TestImageErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	putWith := func(change func(*ecr.PutImageInput)) error {
		in := &ecr.PutImageInput{RepositoryName: aws.String("group/one"), ImageManifest: aws.String(manifestOf(2))}
		change(in)
		return awstest.ErrorOf(client.PutImage(in))
	}
	describe := func(change func(*ecr.DescribeImagesInput)) error {
		in := &ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")}
		change(in)
		return awstest.ErrorOf(client.DescribeImages(in))
	}
	none := aws.String("group/none")
	ids := []*ecr.ImageIdentifier{{ImageTag: aws.String("v1")}}
	const invalid, missing, gone = "InvalidParameterException", "RepositoryNotFoundException", "ImageNotFoundException"
	for _, test := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"not JSON", putWith(func(in *ecr.PutImageInput) { in.SetImageManifest("{") }), invalid, "Invalid JSON syntax"},
		{"no media type", putWith(func(in *ecr.PutImageInput) { in.SetImageManifest("{}") }), invalid, "mediatype"},
		{"media type unlike that of the manifest", putWith(func(in *ecr.PutImageInput) { in.SetImageManifestMediaType("x") }), invalid, "'imageManifestMediaType'"},
		{"schema version 1", putWith(func(in *ecr.PutImageInput) { in.SetImageManifest(`{"schemaVersion":1,"fsLayers":[]}`) }), invalid, "schema version 1 are not supported"},
		{"signed schema version 1", putWith(func(in *ecr.PutImageInput) {
			in.SetImageManifest(`{}`)
			in.SetImageManifestMediaType("application/vnd.docker.distribution.manifest.v1+prettyjws")
		}), invalid, "schema version 1 are not supported"},
		{"negative size", put(client, manifestOf(-100), "v9"), invalid, "'imageManifest' failed to satisfy constraint: 'a size must not be negative, as -100 is'"},
		{"sizes that no number can sum up", put(client, manifestOf(math.MaxInt64), "v9"), invalid, "'imageManifest' failed to satisfy constraint: 'the sizes together are too large'"},
		{"digest of another manifest", putWith(func(in *ecr.PutImageInput) { in.SetImageDigest(digestOf("x")) }), "ImageDigestDoesNotMatchException", digestOf("x")},
		{"malformed digest", putWith(func(in *ecr.PutImageInput) { in.SetImageDigest("x") }), invalid, "'imageDigest'"},
		{"long tag", putWith(func(in *ecr.PutImageInput) { in.SetImageTag(strings.Repeat("a", 301)) }), invalid, "300"},
		{"malformed tag", putWith(func(in *ecr.PutImageInput) { in.SetImageTag("a/b") }), invalid, "'imageTag'"},
		{"put to a missing repository", putWith(func(in *ecr.PutImageInput) { in.RepositoryName = none }), missing, "'group/none'"},
		{"put an existing image without a tag", put(client, manifestOf(1), ""), "ImageAlreadyExistsException", digestOf(manifestOf(1))},

		{"describe in a missing repository", describe(func(in *ecr.DescribeImagesInput) { in.RepositoryName = none }), missing, "'group/none'"},
		{"describe a missing image", describe(func(in *ecr.DescribeImagesInput) {
			in.ImageIds = []*ecr.ImageIdentifier{{ImageTag: aws.String("v9")}}
		}), gone, "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository with name 'group/one' in the registry with id '012345678901'"},
		{"describe an empty id", describe(func(in *ecr.DescribeImagesInput) { in.ImageIds = []*ecr.ImageIdentifier{{}} }), invalid, "both tag and digest"},
		{"ids and page size", describe(func(in *ecr.DescribeImagesInput) { in.ImageIds = ids; in.SetMaxResults(3) }), invalid, "'maxResults'"},
		{"ids and page token", describe(func(in *ecr.DescribeImagesInput) { in.ImageIds = ids; in.SetNextToken("x") }), invalid, "'nextToken'"},
		{"unknown tag status", describe(func(in *ecr.DescribeImagesInput) { in.Filter = &ecr.DescribeImagesFilter{TagStatus: aws.String("x")} }), invalid, "TAGGED"},
		{"malformed page token", describe(func(in *ecr.DescribeImagesInput) { in.SetNextToken("eHg") }), invalid, "'nextToken'"},
		{"101 ids", describe(func(in *ecr.DescribeImagesInput) { in.ImageIds = slices.Repeat(ids, 101) }), invalid, "less than or equal to 100"},

		{"list in a missing repository", awstest.ErrorOf(client.ListImages(&ecr.ListImagesInput{RepositoryName: none})), missing, ""},
		{"get from a missing repository", awstest.ErrorOf(client.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: none, ImageIds: ids})), missing, ""},
		{"delete from a missing repository", awstest.ErrorOf(client.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: none, ImageIds: ids})), missing, ""},
		{"scan in a missing repository", awstest.ErrorOf(client.StartImageScan(&ecr.StartImageScanInput{RepositoryName: none, ImageId: ids[0]})), missing, ""},
		{"findings in a missing repository", awstest.ErrorOf(client.DescribeImageScanFindings(&ecr.DescribeImageScanFindingsInput{RepositoryName: none, ImageId: ids[0]})), missing, ""},
	} {
		awstest.WantError(t, test.name, test.err, test.code, test.text)
	}
}

func TestImagePaging(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	want := make(map[string]bool)
	for i := range 250 {
		img := localaws.Image{Size: int64(i + 1)}
		if i%5 > 0 {
			img.Tags = []string{fmt.Sprintf("t%d", i), fmt.Sprintf("u%d", i)}
		}
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img))
		for _, tag := range img.Tags {
			want[tag] = true
		}
	}
	got := make(map[string]bool)
	entries, pages := 0, 0
	awstest.Must(t, client.ListImagesPages(&ecr.ListImagesInput{RepositoryName: aws.String("group/one"), MaxResults: aws.Int64(7)},
		func(page *ecr.ListImagesOutput, _ bool) bool {
			pages++
			for _, id := range page.ImageIds {
				entries++
				if id.ImageTag != nil {
					got[*id.ImageTag] = true
				}
			}
			return true
		}))
	if diff := cmp.Diff(want, got); diff != "" || entries != 450 || pages != 65 {
		t.Errorf("%d entries on %d pages, want 450 on 65; tags (-want +got):\n%s", entries, pages, diff)
	}
	digests := make(map[string]bool)
	awstest.Must(t, client.DescribeImagesPages(&ecr.DescribeImagesInput{
		RepositoryName: aws.String("group/one"), Filter: &ecr.DescribeImagesFilter{TagStatus: aws.String("UNTAGGED")}, MaxResults: aws.Int64(50)},
		func(page *ecr.DescribeImagesOutput, last bool) bool {
			for _, d := range page.ImageDetails {
				digests[*d.ImageDigest] = true
			}
			if last != (len(digests) == 50) {
				t.Errorf("last: %v after %d images", last, len(digests))
			}
			return true
		}))
	if len(digests) != 50 {
		t.Errorf("%d untagged images, want 50", len(digests))
	}
}
