//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

func TestPutImage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	client := b.ecr(here)
	must(t, b.AddRepository(AdministratorAccount, here, "group/one", nil))
	out, err := client.PutImage(&ecr.PutImageInput{
		RepositoryName: aws.String("group/one"), ImageManifest: aws.String(manifestOf(10)), ImageTag: aws.String("v1"),
		ImageDigest: aws.String(digestOf(manifestOf(10))),
	})
	must(t, err)
	image := &ecr.Image{
		ImageId:                &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf(manifestOf(10))), ImageTag: aws.String("v1")},
		ImageManifest:          aws.String(manifestOf(10)),
		ImageManifestMediaType: aws.String(dockerManifest),
		RegistryId:             aws.String(AdministratorAccount),
		RepositoryName:         aws.String("group/one"),
	}
	if diff := cmp.Diff(&ecr.PutImageOutput{Image: image}, out); diff != "" {
		t.Errorf("put (-want +got):\n%s", diff)
	}
	described, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	must(t, err)
	if diff := cmp.Diff(&ecr.DescribeImagesOutput{ImageDetails: []*ecr.ImageDetail{{
		ArtifactMediaType:      aws.String(dockerConfig),
		ImageDigest:            image.ImageId.ImageDigest,
		ImageManifestMediaType: aws.String(dockerManifest),
		ImagePushedAt:          aws.Time(noon),
		ImageSizeInBytes:       aws.Int64(11),
		ImageTags:              aws.StringSlice([]string{"v1"}),
		RegistryId:             aws.String(AdministratorAccount),
		RepositoryName:         aws.String("group/one"),
	}}}, described); diff != "" {
		t.Errorf("described (-want +got):\n%s", diff)
	}
	got, err := client.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{
		{ImageTag: aws.String("v1")}, {ImageTag: aws.String("v2")}}})
	must(t, err)
	if diff := cmp.Diff(&ecr.BatchGetImageOutput{Images: []*ecr.Image{image}, Failures: []*ecr.ImageFailure{{
		FailureCode: aws.String("ImageNotFound"), FailureReason: aws.String("Requested image not found"),
		ImageId: &ecr.ImageIdentifier{ImageTag: aws.String("v2")},
	}}}, got); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
	described, err = client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	must(t, err)
	if pulled := described.ImageDetails[0].LastRecordedPullTime; pulled == nil || !pulled.Equal(noon) {
		t.Errorf("pulled at %v, want %v", pulled, noon)
	}
}

func TestImmutableTags(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	client := b.ecr(here)
	must(t, second(client.CreateRepository(&ecr.CreateRepositoryInput{
		RepositoryName: aws.String("group/one"), ImageTagMutability: aws.String("IMMUTABLE")})))
	must(t, put(client, manifestOf(1), "v1"))
	wantError(t, "another image", put(client, manifestOf(2), "v1"), "ImageTagAlreadyExistsException",
		"The image tag 'v1' already exists in the 'group/one' repository and cannot be overwritten because the repository is immutable.")
	wantError(t, "the same image", put(client, manifestOf(1), "v1"), "ImageAlreadyExistsException", "and tag 'v1' already exists")
	must(t, put(client, manifestOf(1), "v2"))
}

func TestMutabilityWithExclusions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mode, tag string
		fixed     bool
	}{
		{mutable, "v1", false},
		{immutable, "v1", true},
		{immutableWithExclusion, "v1", true},
		{immutableWithExclusion, "dev-1", false},
		{immutableWithExclusion, "xdev-1", true},
		{immutableWithExclusion, "a.b", false},
		{immutableWithExclusion, "axb", true},
		{mutableWithExclusion, "v1", false},
		{mutableWithExclusion, "dev-1", true},
	} {
		m := mutability{test.mode, []exclusion{{"WILDCARD", "dev-*"}, {"WILDCARD", "a.b"}}}
		if got := m.fixed(test.tag); got != test.fixed {
			t.Errorf("%s: tag %s is fixed: %v, want %v", test.mode, test.tag, got, test.fixed)
		}
	}
}

func TestTooManyImageTags(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	must(t, b.AddRepository(AdministratorAccount, here, "group/one", nil))
	img := Image{Manifest: manifestOf(1)}
	for i := range maxImageTags {
		img.Tags = append(img.Tags, fmt.Sprintf("v%d", i))
	}
	must(t, b.AddImage(AdministratorAccount, here, "group/one", img))
	wantError(t, "one more", put(b.ecr(here), manifestOf(1), "latest"), "LimitExceededException",
		"exceeds the maximum allowed number of tags per image which is '1000'")
}
