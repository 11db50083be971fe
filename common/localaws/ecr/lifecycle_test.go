//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// keepOne is a lifecycle policy that expires all images but the last one.
const keepOne = `{"rules":[{"rulePriority":1,"description":"keep one",` +
	`"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`

func putLifecycle(c *ecr.ECR, repository, text string) error {
	return awstest.ErrorOf(c.PutLifecyclePolicy(&ecr.PutLifecyclePolicyInput{RepositoryName: &repository, LifecyclePolicyText: &text}))
}

func getLifecycle(c *ecr.ECR, repository string) (*ecr.GetLifecyclePolicyOutput, error) {
	return c.GetLifecyclePolicy(&ecr.GetLifecyclePolicyInput{RepositoryName: &repository})
}

func deleteLifecycle(c *ecr.ECR, repository string) error {
	return awstest.ErrorOf(c.DeleteLifecyclePolicy(&ecr.DeleteLifecyclePolicyInput{RepositoryName: &repository}))
}

// TestLifecyclePolicy shows the answers about a policy from its beginning to its
// end.
func TestLifecyclePolicy(t *testing.T) {
	t.Parallel()
	const (
		none = "Lifecycle policy does not exist for the repository with name 'group/one' in the registry with id '012345678901'"
		sent = `{
  "rules" : [ {
    "rulePriority" : 10,
    "description" : "old \u003c images, \"all\" of them",
    "selection" : { "tagStatus" : "any", "countType" : "sinceImagePushed", "countUnit" : "days", "countNumber" : 14 },
    "action" : { "type" : "expire" }
  } ]
}`
		stored = `{"rules":[{"rulePriority":10,"description":"old \u003c images, \"all\" of them",` +
			`"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}`
	)
	b := awstest.New(t)
	b.Add(t, "group/one")
	client, name, account := b.ECR(awstest.Here), aws.String("group/one"), aws.String(localaws.AdministratorAccount)
	awstest.WantError(t, "get without a policy", awstest.ErrorOf(getLifecycle(client, *name)), "LifecyclePolicyNotFoundException", none)
	awstest.WantError(t, "delete without a policy", deleteLifecycle(client, *name), "LifecyclePolicyNotFoundException", none)

	awstest.Must(t, putLifecycle(client, *name, keepOne))
	put, err := client.PutLifecyclePolicy(&ecr.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: aws.String(sent)})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.PutLifecyclePolicyOutput{RegistryId: account, RepositoryName: name, LifecyclePolicyText: aws.String(stored)}, put); diff != "" {
		t.Errorf("put (-want +got):\n%s", diff)
	}
	wantGet := func(when string, evaluated time.Time) {
		t.Helper()
		got, err := getLifecycle(client, *name)
		awstest.Must(t, err)
		if diff := cmp.Diff(&ecr.GetLifecyclePolicyOutput{RegistryId: account, RepositoryName: name, LifecyclePolicyText: aws.String(stored),
			LastEvaluatedAt: &evaluated}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	wantGet("not evaluated", time.Unix(0, 0).UTC())
	awstest.WantError(t, "put a bad policy", putLifecycle(client, *name, keepOne+"}"), "InvalidParameterException", "Could not map")
	b.EvaluateLifecycles()
	b.Advance(time.Hour)
	wantGet("evaluated", awstest.Noon)
	removed, err := client.DeleteLifecyclePolicy(&ecr.DeleteLifecyclePolicyInput{RepositoryName: name})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.DeleteLifecyclePolicyOutput{RegistryId: account, RepositoryName: name, LifecyclePolicyText: aws.String(stored),
		LastEvaluatedAt: aws.Time(awstest.Noon)}, removed); diff != "" {
		t.Errorf("delete (-want +got):\n%s", diff)
	}
	awstest.WantError(t, "get a deleted policy", awstest.ErrorOf(getLifecycle(client, *name)), "LifecyclePolicyNotFoundException", none)

	awstest.Must(t, putLifecycle(client, *name, sent))
	wantGet("put again", time.Unix(0, 0).UTC())
}

// TestLifecycleGoesWithRepository shows that a new repository of the same name has
// no policy and no preview.
func TestLifecycleGoesWithRepository(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	client := b.ECR(awstest.Here)
	awstest.Must(t, putLifecycle(client, "group/one", keepOne))
	awstest.Must(t, awstest.ErrorOf(startPreview(client, "group/one", keepOne)))
	awstest.Must(t, remove("group/one")(client))
	for operation, err := range map[string]error{
		"get":     awstest.ErrorOf(getLifecycle(client, "group/one")),
		"delete":  deleteLifecycle(client, "group/one"),
		"put":     putLifecycle(client, "group/one", keepOne),
		"start":   awstest.ErrorOf(startPreview(client, "group/one", keepOne)),
		"preview": awstest.ErrorOf(getPreview(client, &previewInput{RepositoryName: aws.String("group/one")})),
	} {
		awstest.WantError(t, operation+" without a repository", err, "RepositoryNotFoundException",
			"The repository with name 'group/one' does not exist in the registry with id '012345678901'")
	}
	awstest.Must(t, create("group/one")(client))
	awstest.WantError(t, "get", awstest.ErrorOf(getLifecycle(client, "group/one")), "LifecyclePolicyNotFoundException", "")
	awstest.WantError(t, "preview", awstest.ErrorOf(getPreview(client, &previewInput{RepositoryName: aws.String("group/one")})),
		"LifecyclePolicyPreviewNotFoundException", "")
}
