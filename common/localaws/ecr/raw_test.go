//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"io"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// raw makes a call of the SDK, and returns the answer as it came. The SDK would
// drop what it does not know.
func raw(c *ecr.ECR, operation string, in any) (string, error) {
	r := c.NewRequest(&request.Operation{Name: operation, HTTPMethod: "POST", HTTPPath: "/"}, in, nil)
	r.Handlers.Unmarshal.Clear()
	if err := r.Send(); err != nil {
		return "", err
	}
	defer r.HTTPResponse.Body.Close()
	text, err := io.ReadAll(r.HTTPResponse.Body)
	return string(text), err
}

// wantRaw fails the test unless a call has this answer.
func wantRaw(t *testing.T, name string, c *ecr.ECR, operation string, in any, want string) {
	t.Helper()
	got, err := raw(c, operation, in)
	if err != nil || got != want {
		t.Errorf("%s: %v\n%s, want\n%s", name, err, got, want)
	}
}

// Inputs that the SDK does not have, or does not have whole.
type (
	storageClassInput struct {
		RepositoryName     *string              `locationName:"repositoryName"`
		ImageID            *ecr.ImageIdentifier `locationName:"imageId"`
		TargetStorageClass *string              `locationName:"targetStorageClass"`
	}
	listInput struct {
		RepositoryName *string                `locationName:"repositoryName"`
		ImageIDs       []*ecr.ImageIdentifier `locationName:"imageIds"`
		Filter         *listFilter            `locationName:"filter"`
		NextToken      *string                `locationName:"nextToken"`
		MaxResults     *int64                 `locationName:"maxResults"`
	}
	listFilter struct {
		TagStatus   *string `locationName:"tagStatus"`
		ImageStatus *string `locationName:"imageStatus"`
	}
	listOutput struct {
		ImageIDs  []*ecr.ImageIdentifier `locationName:"imageIds"`
		NextToken *string                `locationName:"nextToken"`
	}
	// textInput has ids with any text in them: the SDK refuses an empty one.
	textInput struct {
		RepositoryName *string   `locationName:"repositoryName"`
		ImageID        *textID   `locationName:"imageId"`
		ImageIDs       []*textID `locationName:"imageIds"`
		ImageManifest  *string   `locationName:"imageManifest"`
		ImageTag       *string   `locationName:"imageTag"`
		ImageDigest    *string   `locationName:"imageDigest"`
	}
	textID struct {
		ImageDigest *string `locationName:"imageDigest"`
		ImageTag    *string `locationName:"imageTag"`
	}
)

func updateStorageClass(c *ecr.ECR, in *storageClassInput) (string, error) {
	return raw(c, "UpdateImageStorageClass", in)
}

// ofTag returns the id of an image in group/one.
func ofTag(tag string) *ecr.ImageIdentifier { return &ecr.ImageIdentifier{ImageTag: &tag} }

// idsIn returns the input of an operation on images of group/one.
func idsIn(ids ...*ecr.ImageIdentifier) *listInput {
	return &listInput{RepositoryName: aws.String("group/one"), ImageIDs: ids}
}

// TestEmptyTexts shows that an empty tag or digest is refused.
func TestEmptyTexts(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	empty, digest := aws.String(""), aws.String(digestOf(manifestOf(1)))
	for _, operation := range []string{"DescribeImages", "BatchGetImage", "BatchDeleteImage", "StartImageScan", "DescribeImageScanFindings", "PutImage"} {
		for parameter, id := range map[string]*textID{"imageTag": {digest, empty}, "imageDigest": {empty, nil}} {
			in := &textInput{RepositoryName: aws.String("group/one"), ImageManifest: aws.String(manifestOf(2)),
				ImageID: id, ImageIDs: []*textID{id}, ImageTag: id.ImageTag, ImageDigest: id.ImageDigest}
			awstest.WantError(t, operation, awstest.ErrorOf(raw(client, operation, in)), "InvalidParameterException",
				"Invalid parameter at '"+parameter+"' failed to satisfy constraint: 'Member must have length greater than or equal to 1'")
		}
	}
}
