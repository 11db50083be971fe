package ecr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/private/protocol/json/jsonutil"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// outputs has the types into which the answers of an operation can be read. The
// SDK's types are there because later calls may use them.
var outputs = map[string][]any{
	"CreateRepository":                 {createRepositoryOutput{}, ecr.CreateRepositoryOutput{}},
	"DescribeRepositories":             {describeRepositoriesOutput{}, repositoryNames{}, ecr.DescribeRepositoriesOutput{}},
	"DescribeImages":                   {imagePage{}, detailedPage{}, ecr.DescribeImagesOutput{}},
	"BatchGetImage":                    {batchGetImageOutput{}, ecr.BatchGetImageOutput{}},
	"BatchDeleteImage":                 {batchDeleteImageOutput{}, ecr.BatchDeleteImageOutput{}},
	"StartImageScan":                   {ecr.StartImageScanOutput{}},
	"DescribeImageScanFindings":        {findingsPage{}, ecr.DescribeImageScanFindingsOutput{}},
	"ListTagsForResource":              {tagList{}, ecr.ListTagsForResourceOutput{}},
	"TagResource":                      {struct{}{}},
	"PutImageScanningConfiguration":    {ecr.PutImageScanningConfigurationOutput{}},
	"PutImageTagMutability":            {putImageTagMutabilityOutput{}, ecr.PutImageTagMutabilityOutput{}},
	"DeleteRepository":                 {ecr.DeleteRepositoryOutput{}},
	"GetRegistryScanningConfiguration": {ecr.GetRegistryScanningConfigurationOutput{}},
	"GetLifecyclePolicy":               {ecr.GetLifecyclePolicyOutput{}},
	"PutLifecyclePolicy":               {ecr.PutLifecyclePolicyOutput{}},
	"DeleteLifecyclePolicy":            {ecr.DeleteLifecyclePolicyOutput{}},
	"StartLifecyclePolicyPreview":      {ecr.StartLifecyclePolicyPreviewOutput{}},
	"GetLifecyclePolicyPreview":        {previewPage{}, ecr.GetLifecyclePolicyPreviewOutput{}},
	"GetRepositoryPolicy":              {ecr.GetRepositoryPolicyOutput{}},
	"SetRepositoryPolicy":              {ecr.SetRepositoryPolicyOutput{}},
	"DeleteRepositoryPolicy":           {ecr.DeleteRepositoryPolicyOutput{}},
	"GetAuthorizationToken":            {authorization{}, ecr.GetAuthorizationTokenOutput{}},
}

// An answer is an answer of AWS as it is on the wire.
type answer struct{ operation, body string }

// answers makes all calls that the service makes, and returns AWS's answers.
func answers(t testing.TB) (all []answer) {
	local := awstest.New(t)
	client := local.ECR(awstest.Here)
	client.Handlers.Unmarshal.PushFront(func(r *request.Request) {
		body, err := io.ReadAll(r.HTTPResponse.Body)
		awstest.Must(t, err)
		r.HTTPResponse.Body = io.NopCloser(bytes.NewReader(body))
		all = append(all, answer{r.Operation.Name, string(body)})
	})
	call := func(operation string, in any) {
		t.Helper()
		awstest.Must(t, client.NewRequest(&request.Operation{Name: operation, HTTPMethod: "POST", HTTPPath: "/"}, in, nil).Send())
	}
	name, arn := aws.String("g/a"), aws.String(awstest.RepositoryARN(localaws.AdministratorAccount, "g/a"))
	call("CreateRepository", createInput("g/plain", Settings{}, Encryption{}))
	create := createInput("g/a", Settings{ScanOnPush: aws.Bool(true), Tags: []common.Tag{{Key: "k", Value: "é +-=._:/@"}, {Key: "empty"}}}, Encryption{Type: "KMS"})
	create.ImageTagMutability = aws.String("IMMUTABLE_WITH_EXCLUSION")
	create.ImageTagMutabilityExclusionFilters = []exclusionFilter{{Filter: aws.String("dev-*"), FilterType: aws.String("WILDCARD")}}
	call("CreateRepository", create)
	addImages(t, local)
	call("DescribeRepositories", &ecr.DescribeRepositoriesInput{MaxResults: aws.Int64(1)})
	call("DescribeRepositories", &ecr.DescribeRepositoriesInput{RepositoryNames: []*string{name}})
	call("ListTagsForResource", &ecr.ListTagsForResourceInput{ResourceArn: arn})
	call("DescribeImages", &ecr.DescribeImagesInput{RepositoryName: name})
	call("DescribeImages", &ecr.DescribeImagesInput{RepositoryName: name, MaxResults: aws.Int64(2)})
	call("DescribeImages", &ecr.DescribeImagesInput{RepositoryName: aws.String("g/plain")})
	call("BatchGetImage", &ecr.BatchGetImageInput{RepositoryName: name, ImageIds: awsIDs([]ImageID{{Tag: "v2"}, {Tag: "missing"}})})
	call("DescribeImages", &ecr.DescribeImagesInput{RepositoryName: name, ImageIds: awsIDs([]ImageID{{Tag: "v2"}, {Tag: "signature"}})})
	call("BatchDeleteImage", &ecr.BatchDeleteImageInput{RepositoryName: name, ImageIds: awsIDs([]ImageID{{Tag: "v2"}, {Tag: "missing"}})})
	call("StartImageScan", &ecr.StartImageScanInput{RepositoryName: name, ImageId: ImageID{Tag: "fresh"}.aws()})
	call("DescribeImageScanFindings", &ecr.DescribeImageScanFindingsInput{RepositoryName: name, ImageId: ImageID{Tag: "scanned"}.aws(), MaxResults: aws.Int64(2)})
	call("DescribeImageScanFindings", &ecr.DescribeImageScanFindingsInput{RepositoryName: name, ImageId: ImageID{Tag: "clean"}.aws()})
	all = append(all, answer{"DescribeImageScanFindings", enhancedAnswer})
	call("TagResource", &ecr.TagResourceInput{ResourceArn: arn, Tags: awsTags([]common.Tag{{Key: "k", Value: "w"}})})
	call("PutImageScanningConfiguration", &ecr.PutImageScanningConfigurationInput{
		RepositoryName: name, ImageScanningConfiguration: &ecr.ImageScanningConfiguration{ScanOnPush: aws.Bool(false)},
	})
	call("PutImageTagMutability", &putImageTagMutabilityInput{
		RepositoryName: name, ImageTagMutability: aws.String("MUTABLE_WITH_EXCLUSION"), ImageTagMutabilityExclusionFilters: create.ImageTagMutabilityExclusionFilters,
	})
	awstest.Must(t, local.AddImage(localaws.AdministratorAccount, awstest.Here, "g/a", localaws.Image{Tags: []string{"old"}, PushedAt: awstest.Noon.AddDate(0, 0, -3)}))
	for _, policy := range []string{archiveUnpulled, expireAll} {
		call("PutLifecyclePolicy", &ecr.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: aws.String(policy)})
		call("StartLifecyclePolicyPreview", &ecr.StartLifecyclePolicyPreviewInput{RepositoryName: name})
		call("GetLifecyclePolicyPreview", &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: name, MaxResults: aws.Int64(2)})
	}
	call("GetLifecyclePolicy", &ecr.GetLifecyclePolicyInput{RepositoryName: name})
	local.EvaluateLifecycles()
	call("DeleteLifecyclePolicy", &ecr.DeleteLifecyclePolicyInput{RepositoryName: name})
	awstest.Must(t, local.SetPreviews(localaws.Previews{Looks: 1000}))
	call("GetLifecyclePolicyPreview", &ecr.GetLifecyclePolicyPreviewInput{RepositoryName: name})
	policy := documentOf(`{"Sid":"é \" <>","Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}`)
	call("SetRepositoryPolicy", &ecr.SetRepositoryPolicyInput{RepositoryName: name, PolicyText: &policy})
	call("GetRepositoryPolicy", &ecr.GetRepositoryPolicyInput{RepositoryName: name})
	call("DeleteRepositoryPolicy", &ecr.DeleteRepositoryPolicyInput{RepositoryName: name})
	call("DeleteRepository", &ecr.DeleteRepositoryInput{RepositoryName: name, Force: aws.Bool(true)})
	call("GetRegistryScanningConfiguration", &ecr.GetRegistryScanningConfigurationInput{})
	call("GetAuthorizationToken", &ecr.GetAuthorizationTokenInput{})
	return all
}

// Lifecycle policies: the first one archives an old image, and the second one
// deletes more images than are on a page.
const (
	archiveUnpulled = `{"rules": [{"rulePriority": 1, "description": "é", "selection": {"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 1},
		"action": {"type": "transition", "targetStorageClass": "archive"}}]}`
	expireAll = `{"rules": [{"rulePriority": 2, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}`
)

// enhancedAnswer has findings of an enhanced scan, as AWS documents them.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
const enhancedAnswer = `{
	"registryId": "012345678901", "repositoryName": "g/a", "imageId": {"imageDigest": "sha256:ab", "imageTag": "v1"},
	"imageScanStatus": {"status": "ACTIVE", "description": "Continuous scan is selected for image."},
	"imageScanFindings": {
		"imageScanCompletedAt": 1786000000.5, "vulnerabilitySourceUpdatedAt": 1786000001, "findingSeverityCounts": {"HIGH": 1, "UNTRIAGED": 1},
		"enhancedFindings": [{
			"awsAccountId": "012345678901", "description": "d", "findingArn": "arn", "firstObservedAt": 1786000000, "fixAvailable": "YES",
			"packageVulnerabilityDetails": {
				"cvss": [{"baseScore": 7.5, "scoringVector": "v", "source": "NVD", "version": "3.1"}],
				"referenceUrls": ["https://a", "https://b"], "relatedVulnerabilities": [], "source": "NVD", "sourceUrl": "https://nvd",
				"vendorCreatedAt": 1786000000, "vulnerabilityId": "CVE-2026-1",
				"vulnerablePackages": [
					{"arch": "X86_64", "epoch": 1, "filePath": "f", "name": "openssl", "packageManager": "OS", "release": "2", "version": "1.1", "fixedInVersion": "1:1.1-3"},
					{"name": "libssl"}
				]
			},
			"remediation": {"recommendation": {"text": "None Provided"}},
			"resources": [{"id": "i", "type": "AWS_ECR_CONTAINER_IMAGE", "details": {"awsEcrContainerImage": {"imageTags": ["v1"]}}}],
			"score": 7.5, "scoreDetails": {"cvss": {"score": 7.4, "scoreSource": "NVD", "adjustments": []}},
			"severity": "HIGH", "status": "ACTIVE", "title": "CVE-2026-1 - openssl", "type": "PACKAGE_VULNERABILITY"
		}, {"severity": "UNTRIAGED", "score": null}]
	},
	"nextToken": "t"
}`

// addImages adds an image of each kind to g/a.
func addImages(t testing.TB, b *awstest.AWS) {
	completed, updated := awstest.Noon.Add(-time.Hour), awstest.Noon.Add(-time.Minute)
	for _, image := range []localaws.Image{
		{},
		{Tags: []string{"v2", "latest", "v10"}, Size: 1 << 40, PushedAt: awstest.Noon.Add(7 * time.Millisecond)},
		{Tags: []string{"scanned"}, Scan: &localaws.Scan{
			CompletedAt: completed, SourceUpdatedAt: updated,
			Findings: []localaws.Finding{
				{Severity: "HIGH", Name: "CVE-1", Description: "d", URI: "u", Attributes: []localaws.Attribute{{Key: "package_name", Value: "p"}, {Key: "empty"}}},
				{Severity: "HIGH"}, {Severity: "LOW"},
			},
		}},
		{Tags: []string{"signature"}, MediaType: "application/vnd.oci.image.manifest.v1+json", Manifest: `{"schemaVersion": 2, "subject": {"digest": "sha256:ab"}}`},
		{Tags: []string{"fresh"}},
		{Tags: []string{"clean"}, Scan: &localaws.Scan{CompletedAt: completed, SourceUpdatedAt: updated}},
	} {
		awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "g/a", image))
	}
}

// Our decoder reads all answers as the SDK's does.
func TestDecode(t *testing.T) {
	t.Parallel()
	called := map[string]bool{}
	for _, a := range answers(t) {
		called[a.operation] = true
		if readable := compareDecoders(t, a); !readable {
			t.Errorf("%s: our decoder refuses %s", a.operation, a.body)
		}
	}
	for operation := range outputs {
		if !called[operation] {
			t.Errorf("there is no answer of %s", operation)
		}
	}
}

var sent = regexp.MustCompile(`send(?:\[.*\]\(ctx, c|Into\(ctx), "(\w+)"`)

// A call that this package makes is in outputs, so that the tests above compare
// its answers.
func TestOutputsAreComplete(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range sent.FindAllStringSubmatch(string(source), -1) {
			found++
			if outputs[call[1]] == nil {
				t.Errorf("%s calls %s: add it to outputs and to answers in decode_test.go", file, call[1])
			}
		}
	}
	if found == 0 {
		t.Error("no call was found")
	}
}

// FuzzDecode changes the answers. What our decoder takes must mean the same to
// the SDK's. Ours may refuse more.
func FuzzDecode(f *testing.F) {
	names := map[string]string{} // of members, by their lower case
	for _, a := range answers(f) {
		f.Add(a.operation, a.body)
		for _, name := range namesIn(a.body) {
			names[strings.ToLower(name)] = name
		}
	}
	f.Fuzz(func(t *testing.T, operation, body string) {
		if _, known := outputs[operation]; known && isComparable(body, names) {
			compareDecoders(t, answer{operation, body})
		}
	})
}

// isComparable tells whether the two decoders must agree. They differ on names
// in another case, names with escapes, and a name that comes twice in an object.
// AWS sends none of these.
func isComparable(body string, names map[string]string) bool {
	if strings.Contains(body, `\u`) || !jsontext.Value(body).IsValid() { // such as a name that comes twice
		return false
	}
	for _, name := range namesIn(body) {
		if usual, ok := names[strings.ToLower(name)]; ok && usual != name {
			return false
		}
	}
	return true
}

// namesIn returns the names of all members.
func namesIn(body string) (names []string) {
	d := jsontext.NewDecoder(strings.NewReader(body), jsontext.AllowInvalidUTF8(true))
	for {
		token, err := d.ReadToken()
		if err != nil {
			return names
		}
		if kind, n := d.StackIndex(d.StackDepth()); kind == '{' && n%2 == 1 && token.Kind() == '"' {
			names = append(names, token.String())
		}
	}
}

// compareDecoders fails the test if our decoder reads another value than the
// SDK's, or reads what the SDK's refuses.
func compareDecoders(t *testing.T, a answer) (readable bool) {
	t.Helper()
	for _, output := range outputs[a.operation] {
		ours := reflect.New(reflect.TypeOf(output)).Interface()
		if unmarshal([]byte(a.body), ours) != nil {
			return false
		}
		sdks, err := decodeBySDK(output, a.body)
		if err != nil {
			t.Errorf("%s: the SDK refuses %s: %v", a.operation, a.body, err)
			continue
		}
		if diff := cmp.Diff(sdks, ours, cmp.AllowUnexported(imagePage{}, detailedPage{}), cmpopts.IgnoreFields(imagePage{}, "keep", "told", "memory", "spare", "times", "sizes", "common"), sameTime); diff != "" {
			t.Errorf("%T (-SDK +ours) of %s:\n%s", output, a.body, diff)
		}
	}
	return true
}

// sameTime leaves a millisecond of difference, because the SDK rounds some
// times down by one. It compares no times that overflow in the SDK.
var sameTime = cmp.Comparer(func(a, b time.Time) bool {
	overflows := func(t time.Time) bool { return t.Year() < 1700 || t.Year() > 2200 }
	return a.Sub(b).Abs() <= time.Millisecond || overflows(a) || overflows(b)
})

// clientOf returns a client of an AWS that gives these answers.
func clientOf(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	sdk := session.Must(session.NewSession(&aws.Config{
		Region: aws.String(awstest.Here), Endpoint: &server.URL, HTTPClient: &http.Client{}, MaxRetries: aws.Int(0),
	}))
	return New(sdk).Client(common.Registry{}, func(*request.Request) {})
}

// Answers that ECR never gives are errors, or are read as far as they go.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]common.Code{
		``: common.Internal, `x`: common.Internal, `{"tags": [`: common.Internal, `[]`: common.Internal, `{"tags": {}}`: common.Internal,
		`{}`: "", `{"tags": null}`: "", `{"tags": [null]}`: "", `null`: "",
	} {
		client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		if _, err := client.Tags(t.Context(), "g/a"); common.CodeOf(err) != want {
			t.Errorf("tags from %q: %v, want the code %q", body, err, want)
		}
	}
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{\"tags\": [{\"Key\": \"a\xff\"}]}") })
	if got, err := client.Tags(t.Context(), "g/a"); err != nil || len(got) != 1 || got[0].Key != "a\ufffd" {
		t.Errorf("a tag that is not UTF-8: %q, %v", got, err)
	}
	for body, want := range map[string]common.Code{``: "", `{}`: "", `x`: common.Internal} {
		client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
		if _, err := send[struct{}](t.Context(), client, "TagResource", &ecr.TagResourceInput{ResourceArn: new("a"), Tags: []*ecr.Tag{}}); common.CodeOf(err) != want {
			t.Errorf("setting tags, answered %q: %v, want the code %q", body, err, want)
		}
	}
	client = clientOf(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"repositories": [null]}`) })
	if got, err := client.Repositories(t.Context(), ""); err != nil || len(got) != 1 {
		t.Errorf("repositories: %q, %v", got, err)
	}
	if got, err := client.describe(t.Context(), "g/a"); err != nil || got == nil {
		t.Errorf("a repository: %v, %v", got, err)
	}
}

// The caller of a read can go while AWS's answer arrives. AWS has not failed
// then.
func TestCallerGoneWhileAnAnswerArrives(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"tags": [`)
		http.NewResponseController(w).Flush()
		time.AfterFunc(50*time.Millisecond, cancel) // the client is reading by then; if not, the test passes all the same
		<-r.Context().Done()
	})
	if _, err := client.Tags(ctx, "g/a"); common.CodeOf(err) != common.Canceled {
		t.Errorf("error %v, want the code %s", err, common.Canceled)
	}
}

// decodeBySDK reads the body as the SDK does, into a new value of the output's
// type.
func decodeBySDK(output any, body string) (any, error) {
	details := new(ecr.DescribeImagesOutput)
	switch output.(type) {
	case imagePage:
		err := jsonutil.UnmarshalJSON(details, strings.NewReader(body))
		return pageOf(details), err
	case detailedPage:
		more := new(moreDetails)
		err := errors.Join(
			jsonutil.UnmarshalJSON(details, strings.NewReader(body)),
			jsonutil.UnmarshalJSON(more, strings.NewReader(body)))
		return detailedPageOf(details, more), err
	}
	value := reflect.New(reflect.TypeOf(output)).Interface()
	return value, jsonutil.UnmarshalJSON(value, strings.NewReader(body))
}

// moreDetails has the fields of a detailedPage that the SDK's type lacks, or that
// callers do not see in a list.
type moreDetails struct {
	ImageDetails []*struct {
		ImageStatus           *string    `locationName:"imageStatus"`
		LastRecordedPullTime  *time.Time `locationName:"lastRecordedPullTime"`
		SubjectManifestDigest *string    `locationName:"subjectManifestDigest"`
	} `locationName:"imageDetails"`
}

func detailedPageOf(out *ecr.DescribeImagesOutput, more *moreDetails) *detailedPage {
	page := &detailedPage{*pageOf(out)}
	page.detailed = true
	for n, image := range page.images {
		if detail := more.ImageDetails[n]; detail != nil {
			image.Status, image.PulledAt, image.Subject = detail.ImageStatus, timestampOf(detail.LastRecordedPullTime), detail.SubjectManifestDigest
		}
	}
	return page
}

// pageOf makes of the SDK's output what callers get.
func pageOf(out *ecr.DescribeImagesOutput) *imagePage {
	page := &imagePage{nextToken: aws.StringValue(out.NextToken)}
	for _, d := range out.ImageDetails {
		if d == nil {
			d = new(ecr.ImageDetail)
		}
		image := &Image{
			ArtifactMediaType:      d.ArtifactMediaType,
			ImageDigest:            aws.StringValue(d.ImageDigest),
			ImageManifestMediaType: d.ImageManifestMediaType,
			ImagePushedAt:          timestampOf(d.ImagePushedAt),
			ImageSizeInBytes:       d.ImageSizeInBytes,
			ImageTags:              aws.StringValueSlice(d.ImageTags),
			RegistryID:             aws.StringValue(d.RegistryId),
			RepositoryName:         aws.StringValue(d.RepositoryName),
		}
		slices.Sort(image.ImageTags)
		if status := d.ImageScanStatus; status != nil {
			image.ImageScanStatus = &ScanStatus{Description: status.Description, Status: status.Status}
		}
		if summary := d.ImageScanFindingsSummary; summary != nil {
			image.ImageScanFindingsSummary = &ScanFindingsSummary{
				FindingSeverityCounts:        map[string]int64{},
				ImageScanCompletedAt:         timestampOf(summary.ImageScanCompletedAt),
				VulnerabilitySourceUpdatedAt: timestampOf(summary.VulnerabilitySourceUpdatedAt),
			}
			for severity, count := range summary.FindingSeverityCounts {
				image.ImageScanFindingsSummary.FindingSeverityCounts[severity] = aws.Int64Value(count)
			}
		}
		page.images = append(page.images, image)
	}
	return page
}
