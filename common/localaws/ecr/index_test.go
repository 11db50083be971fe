//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// indexOf returns an index of the images with the manifests given.
func indexOf(manifests ...string) string {
	var entries []string
	for _, manifest := range manifests {
		entries = append(entries, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, dockerManifest, digestOf(manifest), len(manifest)))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex, strings.Join(entries, ","))
}

func TestIndex(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	index := indexOf(manifestOf(100), manifestOf(30), manifestOf(100))
	awstest.Must(t, put(client, manifestOf(100), ""))
	awstest.WantError(t, "one image is missing", put(client, index, "v1"), "ReferencedImagesNotFoundException", "Images with digests '["+digestOf(manifestOf(30))+
		"]' required for pushing image into repository with name 'group/one' in the registry with id '012345678901' do not exist")
	awstest.Must(t, put(client, manifestOf(30), "small"))
	awstest.Must(t, put(client, index, "v1"))
	out, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.DescribeImagesOutput{ImageDetails: []*ecr.ImageDetail{{
		ImageDigest:            aws.String(digestOf(index)),
		ImageManifestMediaType: aws.String(ociIndex),
		ImagePushedAt:          aws.Time(awstest.Noon),
		ImageSizeInBytes:       aws.Int64(101), // of its largest image
		ImageTags:              aws.StringSlice([]string{"v1"}),
		RegistryId:             aws.String("012345678901"),
		RepositoryName:         aws.String("group/one"),
	}}}, out); diff != "" {
		t.Errorf("described (-want +got):\n%s", diff)
	}
}

// TestDeleteImageOfIndex shows that an image stays while an index names it, but
// may lose tags.
func TestDeleteImageOfIndex(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	for tag, manifest := range map[string]string{"child": manifestOf(1), "child2": manifestOf(1), "other": manifestOf(2)} {
		awstest.Must(t, put(client, manifest, tag))
	}
	child, other := digestOf(manifestOf(1)), digestOf(manifestOf(2))
	first, second := indexOf(manifestOf(1)), indexOf(manifestOf(1), manifestOf(2))
	awstest.Must(t, put(client, first, "first"))
	awstest.Must(t, put(client, second, "second"))
	byDigest := func(digest string) *ecr.ImageIdentifier { return &ecr.ImageIdentifier{ImageDigest: &digest} }
	byTag := func(tag string) *ecr.ImageIdentifier { return &ecr.ImageIdentifier{ImageTag: &tag} }
	both := func(digest, tag string) *ecr.ImageIdentifier {
		return &ecr.ImageIdentifier{ImageDigest: &digest, ImageTag: &tag}
	}
	refused := func(id *ecr.ImageIdentifier) *ecr.ImageFailure {
		return &ecr.ImageFailure{ImageId: id, FailureCode: aws.String("ImageReferencedByManifestList"), FailureReason: aws.String("Requested image referenced by manifest list")}
	}
	for i, test := range []struct {
		ids      []*ecr.ImageIdentifier
		deleted  []*ecr.ImageIdentifier
		failures []*ecr.ImageFailure
	}{
		{[]*ecr.ImageIdentifier{byDigest(child), byTag("child2"), byTag("child")}, []*ecr.ImageIdentifier{both(child, "child2")},
			[]*ecr.ImageFailure{refused(byDigest(child)), refused(byTag("child"))}},
		{[]*ecr.ImageIdentifier{byTag("first"), byTag("child")}, []*ecr.ImageIdentifier{both(digestOf(first), "first")},
			[]*ecr.ImageFailure{refused(byTag("child"))}},
		{[]*ecr.ImageIdentifier{byDigest(other), byDigest(digestOf(second)), byTag("child"), byDigest(other)},
			[]*ecr.ImageIdentifier{both(digestOf(second), "second"), both(child, "child"), both(other, "other")}, []*ecr.ImageFailure{refused(byDigest(other))}},
	} {
		out, err := client.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("group/one"), ImageIds: test.ids})
		awstest.Must(t, err)
		if diff := cmp.Diff(test.deleted, out.ImageIds); diff != "" {
			t.Errorf("call %d, deleted (-want +got):\n%s", i, diff)
		}
		if diff := cmp.Diff(test.failures, out.Failures); diff != "" && len(test.failures)+len(out.Failures) > 0 {
			t.Errorf("call %d, failures (-want +got):\n%s", i, diff)
		}
	}
}

// TestNestedIndex shows an index of an index: its size, and which of them can be
// deleted.
func TestNestedIndex(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	inner := indexOf(manifestOf(100), manifestOf(30))
	outer := strings.ReplaceAll(indexOf(inner, manifestOf(7)), dockerManifest, ociIndex)
	for tag, manifest := range map[string]string{"big": manifestOf(100), "small": manifestOf(30), "other": manifestOf(7)} {
		awstest.Must(t, put(client, manifest, tag))
	}
	awstest.WantError(t, "the inner index is missing", put(client, outer, "outer"), "ReferencedImagesNotFoundException", "Images with digests '["+digestOf(inner)+"]'")
	awstest.Must(t, put(client, inner, "inner"))
	awstest.Must(t, put(client, outer, "outer"))
	described, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{ofTag("outer")}})
	awstest.Must(t, err)
	if size := *described.ImageDetails[0].ImageSizeInBytes; size != 101 {
		t.Errorf("the outer index has %d bytes, want those of the largest image in the inner one", size)
	}
	both := func(manifest, tag string) *ecr.ImageIdentifier {
		return &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf(manifest)), ImageTag: &tag}
	}
	byDigest := func(manifest string) *ecr.ImageIdentifier {
		return &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf(manifest))}
	}
	for i, test := range []struct {
		id      *ecr.ImageIdentifier
		deleted *ecr.ImageIdentifier // nil if an index names it
	}{
		{byDigest(inner), nil},
		{ofTag("inner"), nil},
		{both(inner, "inner"), nil},
		{byDigest(manifestOf(30)), nil},
		{ofTag("other"), nil},
		{both(outer, "outer"), both(outer, "outer")},
		{ofTag("other"), both(manifestOf(7), "other")},
		{both(manifestOf(30), "small"), nil},
		{both(inner, "inner"), both(inner, "inner")},
		{both(manifestOf(30), "small"), both(manifestOf(30), "small")},
		{byDigest(manifestOf(100)), both(manifestOf(100), "big")},
	} {
		want := &ecr.BatchDeleteImageOutput{ImageIds: []*ecr.ImageIdentifier{test.deleted}, Failures: []*ecr.ImageFailure{}}
		if test.deleted == nil {
			want = &ecr.BatchDeleteImageOutput{ImageIds: []*ecr.ImageIdentifier{}, Failures: []*ecr.ImageFailure{{ImageId: test.id,
				FailureCode: aws.String("ImageReferencedByManifestList"), FailureReason: aws.String("Requested image referenced by manifest list")}}}
		}
		out, err := client.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{test.id}})
		awstest.Must(t, err)
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("call %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestIndexOfItself shows that an index with a made-up digest can name itself.
func TestIndexOfItself(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	made := digestOf("made up")
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[{"digest":%q}]}`, ociIndex, made)
	awstest.Must(t, b.AddImage("012345678901", awstest.Here, "group/one", localaws.Image{Digest: made, Manifest: index, MediaType: ociIndex, Size: 5}))
	out, err := b.ECR(awstest.Here).DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if size := *out.ImageDetails[0].ImageSizeInBytes; size != 5 {
		t.Errorf("it has %d bytes", size)
	}
}
