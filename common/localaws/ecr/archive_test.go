//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// move moves the image v1 of group/one to a storage class.
func move(client *ecr.ECR, class string) (string, error) {
	return updateStorageClass(client, &storageClassInput{RepositoryName: aws.String("group/one"), ImageID: ofTag("v1"), TargetStorageClass: &class})
}

// list makes a call of ListImages with a filter of which the SDK knows a part.
func list(c *ecr.ECR, in *listInput) (*listOutput, error) {
	out := &listOutput{}
	return out, c.NewRequest(&request.Operation{Name: "ListImages", HTTPMethod: "POST", HTTPPath: "/"}, in, out).Send()
}

func TestArchive(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	scanned(t, b, &localaws.Scan{CompletedAt: awstest.Noon.Add(-47 * time.Hour)})
	const image = `"registryId":"012345678901","repositoryName":"group/one",`
	digest := `"imageDigest":"` + digestOf(manifestOf(1)) + `"`
	described := func(name, scan, rest string) {
		t.Helper()
		wantRaw(t, name, client, "DescribeImages", idsIn(ofTag("v1")), `{"imageDetails":[{`+image+digest+
			`,"imageTags":["v1"],"imageSizeInBytes":2,"imagePushedAt":1772193600.25,`+scan+
			`"imageManifestMediaType":"`+dockerManifest+`","artifactMediaType":"`+dockerConfig+`",`+rest+`}]}`)
	}
	answered := func(name, class, status string) {
		t.Helper()
		got, err := move(client, class)
		if want := `{` + image + `"imageId":{` + digest + `,"imageTag":"v1"},"imageStatus":"` + status + `"}`; err != nil || got != want {
			t.Errorf("%s: %v\n%s, want\n%s", name, err, got, want)
		}
	}
	const complete = `"imageScanStatus":{"status":"COMPLETE","description":"The scan was completed successfully."},` +
		`"imageScanFindingsSummary":{"imageScanCompletedAt":1772197200.25,"vulnerabilitySourceUpdatedAt":1772197200.25,"findingSeverityCounts":{}},`
	described("before", complete, `"imageStatus":"ACTIVE"`)
	answered("archive", "ARCHIVE", "ARCHIVED")
	described("in the archive", `"imageScanStatus":{"status":"IMAGE_ARCHIVED"},`, `"imageStatus":"ARCHIVED","lastArchivedAt":1772366400.25`)
	wantRaw(t, "findings in the archive", client, "DescribeImageScanFindings", findingsOf("v1"),
		`{`+image+`"imageId":{`+digest+`,"imageTag":"v1"},"imageScanStatus":{"status":"IMAGE_ARCHIVED"}}`)
	_, err := move(client, "ARCHIVE")
	awstest.WantError(t, "archive again", err, "ImageStorageClassUpdateNotSupportedException", "is ARCHIVED and cannot be moved to the storage class ARCHIVE")
	_, err = client.StartImageScan(&ecr.StartImageScanInput{RepositoryName: aws.String("group/one"), ImageId: ofTag("v1")})
	awstest.WantError(t, "scan in the archive", err, "ImageArchivedException", "is archived and cannot be scanned")
	wantRaw(t, "pull from the archive", client, "BatchGetImage", idsIn(ofTag("v1")),
		`{"images":[],"failures":[{"imageId":{"imageTag":"v1"},"failureCode":"ImageInaccessible","failureReason":"Requested image is archived"}]}`)

	b.Advance(time.Hour)
	answered("restore", "STANDARD", "ACTIVATING")
	described("restored: what was found before is gone", "", `"imageStatus":"ACTIVE","lastArchivedAt":1772366400.25,"lastActivatedAt":1772370000.25`)
	_, err = move(client, "STANDARD")
	awstest.WantError(t, "restore again", err, "ImageStorageClassUpdateNotSupportedException", "is ACTIVE")
	_, err = move(client, "x")
	awstest.WantError(t, "unknown class", err, "InvalidParameterException", "'targetStorageClass'")
	_, err = updateStorageClass(client, &storageClassInput{RepositoryName: aws.String("group/one"), ImageID: ofTag("v9"), TargetStorageClass: aws.String("ARCHIVE")})
	awstest.WantError(t, "missing image", err, "ImageNotFoundException", "v9")

	answered("archive once more", "ARCHIVE", "ARCHIVED")
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	described("pushed again", "", `"imageStatus":"ACTIVE","lastArchivedAt":1772370000.25,"lastActivatedAt":1772370000.25`)
	awstest.WantError(t, "pushed twice", put(client, manifestOf(1), "v1"), "ImageAlreadyExistsException", "")
	answered("archive for the last time", "ARCHIVE", "ARCHIVED")
	deleted, err := client.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{ofTag("v1")}})
	awstest.Must(t, err)
	if len(deleted.ImageIds) != 1 || len(deleted.Failures) > 0 {
		t.Errorf("deleted from the archive: %v", deleted)
	}
}

// TestRestoredIsScanned shows that an image is scanned again that comes back, and
// that an immutable tag does not stop a push.
func TestRestoredIsScanned(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	awstest.Must(t, awstest.ErrorOf(client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one"),
		ImageTagMutability: aws.String("IMMUTABLE"), ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(true)}})))
	awstest.Must(t, put(client, manifestOf(1), "v1"))
	for name, restore := range map[string]func() error{
		"restored": func() error { return awstest.ErrorOf(move(client, "STANDARD")) },
		"pushed":   func() error { return put(client, manifestOf(1), "v1") },
	} {
		awstest.Must(t, awstest.ErrorOf(move(client, "ARCHIVE")))
		b.Advance(time.Hour)
		awstest.Must(t, restore())
		out, err := client.DescribeImageScanFindings(findingsOf("v1"))
		awstest.Must(t, err)
		if at := *out.ImageScanFindings.ImageScanCompletedAt; awstest.Noon.Equal(at) || *out.ImageScanStatus.Status != "COMPLETE" {
			t.Errorf("%s: the scan is %v", name, out)
		}
	}
}

// TestImageStatusFilter shows which images the lists have.
func TestImageStatusFilter(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	for i, img := range []localaws.Image{
		{Tags: []string{"active"}}, {Tags: []string{"archived"}, Status: "ARCHIVED"}, {Tags: []string{"activating"}, Status: "ACTIVATING"},
		{Status: "ARCHIVED"}, {Status: "ACTIVE"},
	} {
		img.Manifest = manifestOf(i)
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img))
	}
	untagged := func(i int) string { return digestOf(manifestOf(i)) }
	for _, test := range []struct {
		tags, status string
		want         []string // tags, and digests of untagged images
	}{
		{"", "", []string{"active", untagged(4)}},
		{"", "ACTIVE", []string{"active", untagged(4)}},
		{"TAGGED", "", []string{"active"}},
		{"", "ARCHIVED", []string{"archived", untagged(3)}},
		{"UNTAGGED", "ARCHIVED", []string{untagged(3)}},
		{"ANY", "ACTIVATING", []string{"activating"}},
		{"", "ANY", []string{"active", "archived", "activating", untagged(3), untagged(4)}},
		{"TAGGED", "ANY", []string{"active", "archived", "activating"}},
	} {
		in := &listInput{RepositoryName: aws.String("group/one"), Filter: &listFilter{}}
		if test.tags != "" {
			in.Filter.TagStatus = &test.tags
		}
		if test.status != "" {
			in.Filter.ImageStatus = &test.status
		}
		listed, err := list(client, in)
		awstest.Must(t, err)
		var ids []string
		for _, id := range listed.ImageIDs {
			if id.ImageTag == nil {
				id.ImageTag = id.ImageDigest
			}
			ids = append(ids, *id.ImageTag)
		}
		out := &ecr.DescribeImagesOutput{}
		req, _ := client.DescribeImagesRequest(nil)
		req.Params, req.Data = in, out
		awstest.Must(t, req.Send())
		var details []string
		for _, d := range out.ImageDetails {
			details = append(details, append(aws.StringValueSlice(d.ImageTags), *d.ImageDigest)[0])
		}
		for _, got := range [][]string{ids, details} {
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("tags %q, status %q (-want +got):\n%s", test.tags, test.status, diff)
			}
		}
	}
	in := idsIn()
	in.Filter = &listFilter{ImageStatus: aws.String("x")}
	awstest.WantError(t, "unknown status", awstest.ErrorOf(list(client, in)), "InvalidParameterException", "[ACTIVE, ARCHIVED, ACTIVATING, ANY]")
}

// TestSeededTimes shows the times of an image that is added with them.
func TestSeededTimes(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	at := func(hours int) time.Time { return awstest.Noon.Add(time.Duration(hours) * time.Hour) }
	for _, img := range []localaws.Image{
		{Tags: []string{"all"}, PulledAt: at(-1), ArchivedAt: at(-3), ActivatedAt: at(-2)},
		{Tags: []string{"archived"}, Status: "ARCHIVED", PushedAt: at(-4)},
	} {
		img.Manifest = manifestOf(len(img.Tags[0]))
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img))
	}
	media := `"imageManifestMediaType":"` + dockerManifest + `","artifactMediaType":"` + dockerConfig + `",`
	image := func(size int, tag string) string {
		return `{"registryId":"012345678901","repositoryName":"group/one","imageDigest":"` + digestOf(manifestOf(size)) + `","imageTags":["` + tag + `"],`
	}
	wantRaw(t, "times", b.ECR(awstest.Here), "DescribeImages", idsIn(ofTag("all"), ofTag("archived")), `{"imageDetails":[`+
		image(3, "all")+`"imageSizeInBytes":4,"imagePushedAt":1772366400.25,`+media+
		`"lastRecordedPullTime":1772362800.25,"imageStatus":"ACTIVE","lastArchivedAt":1772355600.25,"lastActivatedAt":1772359200.25},`+
		image(8, "archived")+`"imageSizeInBytes":9,"imagePushedAt":1772352000.25,`+media+`"imageStatus":"ARCHIVED","lastArchivedAt":1772352000.25}]}`)
}

// TestArchivedLayers shows that a layer is in the archive while only archived
// images name it.
func TestArchivedLayers(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	digest := upload(t, client, "group/one", "layer")
	awstest.Must(t, put(client, naming("layer"), "v1"))
	check := func(name, availability, code string) {
		t.Helper()
		out, err := client.BatchCheckLayerAvailability(&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: aws.String("group/one"), LayerDigests: []*string{&digest}})
		awstest.Must(t, err)
		if got := *out.Layers[0].LayerAvailability; got != availability {
			t.Errorf("%s: the layer is %s, want %s", name, got, availability)
		}
		_, err = downloadURL(client, "group/one", digest)
		awstest.WantError(t, name, err, code, "")
	}
	check("active", "AVAILABLE", "")
	awstest.Must(t, awstest.ErrorOf(move(client, "ARCHIVE")))
	check("archived", "ARCHIVED", "LayerInaccessibleException")
	awstest.Must(t, put(client, naming("layer", "x"), "v2"))
	check("another image is active", "AVAILABLE", "")
	awstest.Must(t, deleteImage(client, "v2"))
	check("the other image is gone", "ARCHIVED", "LayerInaccessibleException")
	awstest.Must(t, put(client, naming("layer", "x"), "v2"))
	awstest.Must(t, deleteImage(client, "v1"))
	check("the archived image is gone", "AVAILABLE", "")
}

// TestArchivedReferrers shows that the list of referrers tells and filters their
// status.
func TestArchivedReferrers(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	subject := digestOf("subject")
	signature := referring(subject, `,"artifactType":"application/signature"`)
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Manifest: signature, MediaType: ociManifest,
		ArtifactType: "application/signature", Status: "ARCHIVED"}))
	want := map[string]string{"": "", "ACTIVE": "", "ARCHIVED": "ARCHIVED", "ANY": "ARCHIVED"}
	for status, want := range want {
		in := &listReferrersInput{RepositoryName: aws.String("group/one"), SubjectID: &ecr.ImageIdentifier{ImageDigest: &subject}, Filter: &referrersFilter{}}
		if status != "" {
			in.Filter.ArtifactStatus = &status
		}
		out, err := listReferrers(client, in)
		awstest.Must(t, err)
		got := ""
		for _, r := range out.Referrers {
			got += *r.Status
		}
		if got != want {
			t.Errorf("%q: %q, want %q", status, got, want)
		}
	}
}
