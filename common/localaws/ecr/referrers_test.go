//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func asError[E error](err error, target *E) bool { return errors.As(err, target) }

// The SDK does not have this operation.
type (
	listReferrersInput struct {
		RepositoryName *string              `locationName:"repositoryName"`
		SubjectID      *ecr.ImageIdentifier `locationName:"subjectId"`
		Filter         *referrersFilter     `locationName:"filter"`
		NextToken      *string              `locationName:"nextToken"`
		MaxResults     *int64               `locationName:"maxResults"`
	}
	referrersFilter struct {
		ArtifactTypes  []*string `locationName:"artifactTypes"`
		ArtifactStatus *string   `locationName:"artifactStatus"`
	}
	listReferrersOutput struct {
		Referrers []*referrer `locationName:"referrers"`
		NextToken *string     `locationName:"nextToken"`
	}
	referrer struct {
		Digest       *string            `locationName:"digest"`
		MediaType    *string            `locationName:"mediaType"`
		Size         *int64             `locationName:"size"`
		ArtifactType *string            `locationName:"artifactType"`
		Annotations  map[string]*string `locationName:"annotations"`
		Status       *string            `locationName:"artifactStatus"`
	}
)

func listReferrers(c *ecr.ECR, in *listReferrersInput) (*listReferrersOutput, error) {
	out := &listReferrersOutput{}
	return out, c.NewRequest(&request.Operation{Name: "ListImageReferrers", HTTPMethod: "POST", HTTPPath: "/"}, in, out).Send()
}

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
)

// referring returns the manifest of an image that refers to another one.
func referring(subject, rest string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"subject":{"mediaType":%q,"digest":%q,"size":1}%s}`, ociManifest, ociManifest, subject, rest)
}

func TestListImageReferrers(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	subject := digestOf("subject, which need not be there")
	const annotations = `,"annotations":{"org.example.key":"value"}`
	sbom := referring(subject, `,"artifactType":"application/sbom","config":{"mediaType":"application/vnd.oci.empty.v1+json"}`+annotations)
	signature := referring(subject, `,"config":{"mediaType":"application/signature"}`)
	for _, manifest := range []string{sbom, signature, referring(digestOf("another"), ""), manifestOf(1)} {
		awstest.Must(t, put(client, manifest, ""))
	}
	wantSBOM := &referrer{aws.String(digestOf(sbom)), aws.String(ociManifest), aws.Int64(int64(len(sbom))), aws.String("application/sbom"),
		aws.StringMap(map[string]string{"org.example.key": "value"}), aws.String("ACTIVE")}
	wantSignature := &referrer{aws.String(digestOf(signature)), aws.String(ociManifest), aws.Int64(int64(len(signature))), aws.String("application/signature"),
		nil, aws.String("ACTIVE")}
	both := []*referrer{wantSBOM, wantSignature}
	if *wantSBOM.Digest > *wantSignature.Digest {
		both = []*referrer{wantSignature, wantSBOM}
	}
	for name, test := range map[string]struct {
		digest string
		filter *referrersFilter
		want   []*referrer
	}{
		"all":              {subject, nil, both},
		"of nothing":       {digestOf("x"), nil, []*referrer{}},
		"by type":          {subject, &referrersFilter{ArtifactTypes: aws.StringSlice([]string{"x", "application/sbom"})}, []*referrer{wantSBOM}},
		"active":           {subject, &referrersFilter{ArtifactStatus: aws.String("ACTIVE")}, both},
		"archived: no one": {subject, &referrersFilter{ArtifactStatus: aws.String("ARCHIVED")}, []*referrer{}},
	} {
		out, err := listReferrers(client, &listReferrersInput{RepositoryName: aws.String("group/one"), SubjectID: &ecr.ImageIdentifier{ImageDigest: &test.digest}, Filter: test.filter})
		awstest.Must(t, err)
		if diff := cmp.Diff(&listReferrersOutput{Referrers: test.want}, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	in := &listReferrersInput{RepositoryName: aws.String("group/one"), SubjectID: &ecr.ImageIdentifier{ImageDigest: &subject}, MaxResults: aws.Int64(1)}
	for i, want := range both {
		out, err := listReferrers(client, in)
		awstest.Must(t, err)
		if diff := cmp.Diff([]*referrer{want}, out.Referrers); diff != "" || (out.NextToken == nil) != (i == 1) {
			t.Errorf("page %d, next %v (-want +got):\n%s", i, out.NextToken, diff)
		}
		in.NextToken = out.NextToken
	}
	described, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{{ImageDigest: wantSBOM.Digest}}})
	awstest.Must(t, err)
	if got := aws.StringValue(described.ImageDetails[0].ArtifactMediaType); got != "application/vnd.oci.empty.v1+json" {
		t.Errorf("the artifact media type is %s", got)
	}
}

func TestListImageReferrersErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	list := func(change func(*listReferrersInput)) error {
		in := &listReferrersInput{RepositoryName: aws.String("group/one"), SubjectID: &ecr.ImageIdentifier{ImageDigest: aws.String(digestOf("x"))}}
		change(in)
		return awstest.ErrorOf(listReferrers(client, in))
	}
	const invalid = "InvalidParameterException"
	for _, test := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"missing repository", list(func(in *listReferrersInput) { in.RepositoryName = aws.String("group/none") }), "RepositoryNotFoundException", "'group/none'"},
		{"no subject", list(func(in *listReferrersInput) { in.SubjectID = nil }), invalid, "'subjectId.imageDigest'"},
		{"malformed subject", list(func(in *listReferrersInput) { in.SubjectID.SetImageDigest("x") }), invalid, "'subjectId.imageDigest'"},
		{"six types", list(func(in *listReferrersInput) {
			in.Filter = &referrersFilter{ArtifactTypes: aws.StringSlice([]string{"a", "b", "c", "d", "e", "f"})}
		}), invalid, "'filter.artifactTypes'"},
		{"unknown status", list(func(in *listReferrersInput) { in.Filter = &referrersFilter{ArtifactStatus: aws.String("x")} }), invalid, "'filter.artifactStatus'"},
		{"51 on a page", list(func(in *listReferrersInput) { in.MaxResults = aws.Int64(51) }), invalid, "less than or equal to 50"},
		{"none on a page", list(func(in *listReferrersInput) { in.MaxResults = aws.Int64(0) }), invalid, "greater than or equal to 1"},
		{"malformed page token", list(func(in *listReferrersInput) { in.NextToken = aws.String("x") }), invalid, "'nextToken'"},
	} {
		awstest.WantError(t, test.name, test.err, test.code, test.text)
	}
}
