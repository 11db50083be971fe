//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"math"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// previewInput asks for a preview: the SDK wants other limits.
type previewInput struct {
	RepositoryName *string                `locationName:"repositoryName"`
	ImageIDs       []*ecr.ImageIdentifier `locationName:"imageIds"`
	Filter         *listFilter            `locationName:"filter"`
	NextToken      *string                `locationName:"nextToken"`
	MaxResults     *int64                 `locationName:"maxResults"`
}

// startPreview starts a preview of a policy, or of the one in force if the text
// is "". It returns the answer as it came.
func startPreview(c *ecr.ECR, repository, text string) (string, error) {
	in := &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: &repository}
	if text != "" {
		in.LifecyclePolicyText = &text
	}
	return raw(c, "StartLifecyclePolicyPreview", in)
}

func getPreview(c *ecr.ECR, in *previewInput) (string, error) {
	return raw(c, "GetLifecyclePolicyPreview", in)
}

// TestPreviewStates shows a preview that is in progress, and how it can end.
func TestPreviewStates(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	in := &previewInput{RepositoryName: aws.String("group/one")}
	const (
		start  = `{"registryId":"012345678901","repositoryName":"group/one","lifecyclePolicyText":"{\"rules\":[{\"rulePriority\":1,\"description\":\"keep one\",\"selection\":{\"tagStatus\":\"any\",\"countType\":\"imageCountMoreThan\",\"countNumber\":1},\"action\":{\"type\":\"expire\"}}]}",`
		no     = `"previewResults":[]}`
		nobody = "Lifecycle policy preview does not exist for the repository with name 'group/one' in the registry with id '012345678901'"
		busy   = "The previous lifecycle policy preview request for the repository with name 'group/one' in the registry with id '012345678901' has not completed. Wait and try again."
	)
	set := func(looks int, status string) {
		awstest.Must(t, b.SetPreviews(localaws.Previews{Looks: looks, Status: status}))
	}
	wantPreview := func(name, want string) {
		t.Helper()
		wantRaw(t, name, client, "GetLifecyclePolicyPreview", in, start+want)
	}
	awstest.WantError(t, "no preview", awstest.ErrorOf(getPreview(client, in)), "LifecyclePolicyPreviewNotFoundException", nobody)
	awstest.WantError(t, "no policy", awstest.ErrorOf(startPreview(client, "group/one", "")), "LifecyclePolicyNotFoundException",
		"Lifecycle policy does not exist for the repository with name 'group/one' in the registry with id '012345678901'")

	set(2, "")
	got, err := startPreview(client, "group/one", keepOne)
	if want := start + `"status":"IN_PROGRESS"}`; err != nil || got != want {
		t.Errorf("start: %v\n%s, want\n%s", err, got, want)
	}
	wantPreview("first look", `"status":"IN_PROGRESS",`+no)
	awstest.WantError(t, "start meanwhile", awstest.ErrorOf(startPreview(client, "group/one", keepOne)), "LifecyclePolicyPreviewInProgressException", busy)
	wantPreview("second look", `"status":"IN_PROGRESS",`+no)
	const complete = `"status":"COMPLETE","previewResults":[],"summary":{"expiringImageTotalCount":0}}`
	wantPreview("third look", complete)
	wantPreview("fourth look", complete)

	awstest.Must(t, putLifecycle(client, "group/one", keepOne))
	awstest.Must(t, awstest.ErrorOf(startPreview(client, "group/one", "")))
	wantPreview("another one", `"status":"IN_PROGRESS",`+no)
	set(0, "FAILED")
	wantPreview("failed", `"status":"FAILED",`+no)
	set(0, "EXPIRED")
	wantPreview("expired", `"status":"EXPIRED",`+no)
	set(math.MaxInt, "")
	awstest.WantError(t, "start while it is held", awstest.ErrorOf(startPreview(client, "group/one", "")), "LifecyclePolicyPreviewInProgressException", busy)
	set(0, "COMPLETE")
	awstest.Must(t, awstest.ErrorOf(startPreview(client, "group/one", "")))
	wantPreview("at once", complete)
	if err := b.SetPreviews(localaws.Previews{Status: "IN_PROGRESS"}); err == nil {
		t.Error("a preview can end with IN_PROGRESS")
	}
}
