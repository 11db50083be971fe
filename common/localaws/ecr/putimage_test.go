//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestPutImage(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	out, err := client.PutImage(&ecr.PutImageInput{
		RepositoryName: aws.String("group/one"), ImageManifest: aws.String(manifestOf(10)), ImageTag: aws.String("v1"),
		ImageDigest: aws.String(digestOf(manifestOf(10))),
	})
	awstest.Must(t, err)
	image := &ecr.Image{
		ImageId:                &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf(manifestOf(10))), ImageTag: aws.String("v1")},
		ImageManifest:          aws.String(manifestOf(10)),
		ImageManifestMediaType: aws.String(dockerManifest),
		RegistryId:             aws.String(localaws.AdministratorAccount),
		RepositoryName:         aws.String("group/one"),
	}
	if diff := cmp.Diff(&ecr.PutImageOutput{Image: image}, out); diff != "" {
		t.Errorf("put (-want +got):\n%s", diff)
	}
	described, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.DescribeImagesOutput{ImageDetails: []*ecr.ImageDetail{{
		ArtifactMediaType:      aws.String(dockerConfig),
		ImageDigest:            image.ImageId.ImageDigest,
		ImageManifestMediaType: aws.String(dockerManifest),
		ImagePushedAt:          aws.Time(awstest.Noon),
		ImageSizeInBytes:       aws.Int64(11),
		ImageTags:              aws.StringSlice([]string{"v1"}),
		RegistryId:             aws.String(localaws.AdministratorAccount),
		RepositoryName:         aws.String("group/one"),
	}}}, described); diff != "" {
		t.Errorf("described (-want +got):\n%s", diff)
	}
	got, err := client.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{
		{ImageTag: aws.String("v1")}, {ImageTag: aws.String("v2")}}})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.BatchGetImageOutput{Images: []*ecr.Image{image}, Failures: []*ecr.ImageFailure{{
		FailureCode: aws.String("ImageNotFound"), FailureReason: aws.String("Requested image not found"),
		ImageId: &ecr.ImageIdentifier{ImageTag: aws.String("v2")},
	}}}, got); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
	described, err = client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if pulled := described.ImageDetails[0].LastRecordedPullTime; pulled == nil || !pulled.Equal(awstest.Noon) {
		t.Errorf("pulled at %v, want %v", pulled, awstest.Noon)
	}
}

func TestImmutableTags(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	awstest.Must(t, awstest.ErrorOf(client.CreateRepository(&ecr.CreateRepositoryInput{
		RepositoryName: aws.String("group/one"), ImageTagMutability: aws.String("IMMUTABLE")})))
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	awstest.WantError(t, "another image with the tag", put(client, manifestOf(2), "v1"), "ImageTagAlreadyExistsException",
		"The image tag 'v1' already exists in the 'group/one' repository and cannot be overwritten because the tag is immutable.")
	awstest.WantError(t, "same image with the tag", put(client, manifestOf(1), "v1"), "ImageAlreadyExistsException", "and tag 'v1' already exists")
	awstest.Must(t, put(client, manifestOf(1), "v2"))
}

func TestTooManyImageTags(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	img := localaws.Image{Manifest: manifestOf(1)}
	for i := range 1000 {
		img.Tags = append(img.Tags, fmt.Sprintf("v%d", i))
	}
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img))
	awstest.WantError(t, "one tag too many", put(b.ECR(awstest.Here), manifestOf(1), "latest"), "LimitExceededException",
		"exceeds the maximum allowed number of tags per image which is '1000'")
}

// TestManifestIsReadFirst shows that a manifest is read before the caller's
// permissions are. So nobody waits for it: the store is locked only after that.
func TestManifestIsReadFirst(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	nothing := ecr.New(b.Session(awstest.Here, b.Assume(t, localaws.AdministratorAccount,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:ListImages","Resource":"*"}}`, nil)))
	awstest.WantError(t, "not a manifest", put(nothing, "{", "v1"), "InvalidParameterException", "Invalid JSON syntax")
	awstest.WantError(t, "manifest", put(nothing, manifestOf(1), "v1"), "AccessDeniedException", "ecr:PutImage")
}
