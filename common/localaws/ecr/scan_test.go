//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestScans(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	id := &ecr.ImageIdentifier{ImageTag: aws.String("v1")}
	findings := func() (*ecr.DescribeImageScanFindingsOutput, error) {
		return client.DescribeImageScanFindings(&ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String("group/one"), ImageId: id})
	}
	scan := func(id *ecr.ImageIdentifier) error {
		return awstest.ErrorOf(client.StartImageScan(&ecr.StartImageScanInput{RepositoryName: aws.String("group/one"), ImageId: id}))
	}
	awstest.WantError(t, "never scanned", awstest.ErrorOf(findings()), "ScanNotFoundException",
		"Image scan does not exist for the image with '{imageDigest:'null', imageTag:'v1'}' in the repository with name 'group/one' in the registry with id '012345678901'")
	awstest.WantError(t, "missing image", scan(&ecr.ImageIdentifier{ImageTag: aws.String("v9")}), "ImageNotFoundException", "v9")
	awstest.Must(t, scan(id))
	out, err := findings()
	awstest.Must(t, err)
	digest := aws.String(digestOf(manifestOf(1)))
	if diff := cmp.Diff(&ecr.DescribeImageScanFindingsOutput{
		ImageId: &ecr.ImageIdentifier{ImageDigest: digest, ImageTag: aws.String("v1")},
		ImageScanFindings: &ecr.ImageScanFindings{
			FindingSeverityCounts:        map[string]*int64{},
			Findings:                     []*ecr.ImageScanFinding{},
			ImageScanCompletedAt:         aws.Time(awstest.Noon),
			VulnerabilitySourceUpdatedAt: aws.Time(awstest.Noon),
		},
		ImageScanStatus: &ecr.ImageScanStatus{Status: aws.String("COMPLETE"), Description: aws.String("The scan was completed successfully.")},
		RegistryId:      aws.String(localaws.AdministratorAccount),
		RepositoryName:  aws.String("group/one"),
	}, out); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	b.Advance(24*time.Hour - time.Second)
	awstest.WantError(t, "second scan too soon", scan(id), "LimitExceededException", "quota")
	b.Advance(time.Second)
	awstest.Must(t, scan(id))

	index := `{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`
	awstest.Must(t, put(client, index, "index"))
	awstest.WantError(t, "index", scan(ofTag("index")), "UnsupportedImageTypeException",
		"An artifact with media type 'application/vnd.oci.image.index.v1+json' cannot be scanned. For more information, see the Amazon ECR documentation.")
	awstest.Must(t, put(client, referring(digestOf("x"), `,"config":{"mediaType":"application/signature"}`), "signature"))
	awstest.WantError(t, "signature", scan(ofTag("signature")), "UnsupportedImageTypeException", "An artifact with media type 'application/signature' cannot be scanned.")
	described, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one"),
		ImageIds: []*ecr.ImageIdentifier{{ImageTag: aws.String("index")}}})
	awstest.Must(t, err)
	if d := described.ImageDetails[0]; d.ImageSizeInBytes != nil || d.ImageScanStatus != nil || d.ArtifactMediaType != nil {
		t.Errorf("the index has %v", d)
	}
}

func TestScanOnPush(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	awstest.Must(t, awstest.ErrorOf(client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one"),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)}})))
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{
		Tags: []string{"v2"}, Scan: &localaws.Scan{CompletedAt: awstest.Noon, SourceUpdatedAt: awstest.Noon.Add(-time.Hour), Findings: []localaws.Finding{
			{Name: "CVE-1", Severity: "HIGH"}, {Name: "CVE-2", Severity: "HIGH"}, {Name: "CVE-3", Severity: "LOW"},
		}}}))
	for tag, want := range map[string]*ecr.ImageScanFindingsSummary{
		"v1": {FindingSeverityCounts: map[string]*int64{}, ImageScanCompletedAt: aws.Time(awstest.Noon), VulnerabilitySourceUpdatedAt: aws.Time(awstest.Noon)},
		"v2": {FindingSeverityCounts: map[string]*int64{"HIGH": aws.Int64(2), "LOW": aws.Int64(1)},
			ImageScanCompletedAt: aws.Time(awstest.Noon), VulnerabilitySourceUpdatedAt: aws.Time(awstest.Noon.Add(-time.Hour))},
	} {
		out, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one"),
			ImageIds: []*ecr.ImageIdentifier{{ImageTag: &tag}}})
		awstest.Must(t, err)
		if diff := cmp.Diff(want, out.ImageDetails[0].ImageScanFindingsSummary); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
	var names []string
	awstest.Must(t, client.DescribeImageScanFindingsPages(&ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String("group/one"),
		ImageId: &ecr.ImageIdentifier{ImageTag: aws.String("v2")}, MaxResults: aws.Int64(2)},
		func(page *ecr.DescribeImageScanFindingsOutput, _ bool) bool {
			for _, f := range page.ImageScanFindings.Findings {
				names = append(names, *f.Name)
			}
			return true
		}))
	if diff := cmp.Diff([]string{"CVE-1", "CVE-2", "CVE-3"}, names); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestScanLimit shows when an image cannot be scanned yet, or not at all.
func TestScanLimit(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	awstest.Must(t, awstest.ErrorOf(client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one"),
		ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)}})))
	awstest.Must(t, put(client, manifestOf(1), "pushed"))
	for tag, scan := range map[string]*localaws.Scan{
		"running":      {Status: "IN_PROGRESS"},
		"waiting":      {Status: "PENDING", CompletedAt: awstest.Noon.Add(-48 * time.Hour)},
		"failed":       {Status: "FAILED"},
		"failed today": {Status: "FAILED", CompletedAt: awstest.Noon},
		"by Inspector": {Enhanced: true, CompletedAt: awstest.Noon},
	} {
		tag = strings.ReplaceAll(tag, " ", "-")
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{tag}, Scan: scan}))
	}
	scan := func(tag string) error {
		return awstest.ErrorOf(client.StartImageScan(&ecr.StartImageScanInput{RepositoryName: aws.String("group/one"), ImageId: ofTag(tag)}))
	}
	const limit, text = "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
	for tag, code := range map[string]string{"pushed": limit, "running": limit, "waiting": limit, "failed": "", "failed-today": limit, "by-Inspector": ""} {
		want := text
		if code == "" {
			want = ""
		}
		awstest.WantError(t, tag, scan(tag), code, want)
	}
	b.Advance(24 * time.Hour)
	awstest.Must(t, scan("pushed"))
	awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, "ENHANCED"))
	awstest.WantError(t, "enhanced", scan("failed"), "ValidationException", "This feature is disabled")
	awstest.WantError(t, "enhanced, missing image", scan("none"), "ImageNotFoundException", "none")
}
