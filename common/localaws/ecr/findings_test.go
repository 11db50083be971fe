//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// findingsOf asks for the findings of an image in group/one.
func findingsOf(tag string) *ecr.DescribeImageScanFindingsInput {
	return &ecr.DescribeImageScanFindingsInput{RepositoryName: aws.String("group/one"), ImageId: ofTag(tag)}
}

// scanned adds group/one with an image that has the scan.
func scanned(t *testing.T, b *awstest.AWS, scan *localaws.Scan) {
	t.Helper()
	b.Add(t, "group/one")
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one",
		localaws.Image{Tags: []string{"v1"}, Manifest: manifestOf(1), Scan: scan, PushedAt: awstest.Noon.Add(-48 * time.Hour)}))
}

const (
	completed = `"imageScanCompletedAt":1772366400.25,"vulnerabilitySourceUpdatedAt":1772362800.25,"findingSeverityCounts":{"HIGH":1}`
	basicOne  = `"findings":[{"name":"CVE-1","severity":"HIGH"}]`
)

// enhancedOne is the one finding of TestScanStates, as Inspector tells it.
var enhancedOne = `"enhancedFindings":[{"awsAccountId":"012345678901","findingArn":"arn:aws:inspector2:us-east-1:012345678901:finding/` +
	digestOf("arn:aws:ecr:us-east-1:012345678901:repository/group/one" + digestOf(manifestOf(1)) + "CVE-1")[len("sha256:"):][:32] + `",` +
	`"firstObservedAt":1772193600.25,"lastObservedAt":1772366400.25,"updatedAt":1772366400.25,` +
	`"packageVulnerabilityDetails":{"vulnerabilityId":"CVE-1","cvss":[],"referenceUrls":[],"relatedVulnerabilities":[],"vulnerablePackages":[]},` +
	`"remediation":{"recommendation":{"text":"None Provided"}},"resources":[` + resourceOne + `],` +
	`"severity":"HIGH","status":"ACTIVE","title":"CVE-1","type":"PACKAGE_VULNERABILITY","fixAvailable":"NO","exploitAvailable":"NO"}]`

var resourceOne = `{"id":"arn:aws:ecr:us-east-1:012345678901:repository/group/one/` + digestOf(manifestOf(1)) + `","type":"AWS_ECR_CONTAINER_IMAGE","tags":{},` +
	`"details":{"awsEcrContainerImage":{"architecture":"amd64","imageHash":"` + digestOf(manifestOf(1)) + `","imageTags":["v1"],"platform":"DEBIAN_12",` +
	`"pushedAt":1772193600.25,"registry":"012345678901","repositoryName":"group/one","inUseCount":0}}}`

// TestScanStates shows what both calls tell of a scan in each of its states.
func TestScanStates(t *testing.T) {
	t.Parallel()
	const done = "The scan was completed successfully."
	for _, test := range []struct {
		scan     localaws.Scan // the times and the finding are added to it if it is completed
		complete bool
		status   string // as JSON
		findings string // as JSON, without its braces; "-" if there is none
	}{
		{localaws.Scan{}, true, `{"status":"COMPLETE","description":"` + done + `"}`, completed + "," + basicOne},
		{localaws.Scan{Status: "IN_PROGRESS"}, false, `{"status":"IN_PROGRESS"}`, "-"},
		{localaws.Scan{Status: "IN_PROGRESS"}, true, `{"status":"IN_PROGRESS"}`, completed + "," + basicOne},
		{localaws.Scan{Status: "PENDING"}, false, `{"status":"PENDING"}`, "-"},
		{localaws.Scan{Status: "FAILED", Description: "UnsupportedImageError: x"}, false, `{"status":"FAILED","description":"UnsupportedImageError: x"}`, "-"},
		{localaws.Scan{Status: "UNSUPPORTED_IMAGE"}, false, `{"status":"UNSUPPORTED_IMAGE"}`, "-"},
		{localaws.Scan{Status: "LIMIT_EXCEEDED"}, false, `{"status":"LIMIT_EXCEEDED"}`, "-"},
		{localaws.Scan{Status: "IMAGE_ARCHIVED"}, false, `{"status":"IMAGE_ARCHIVED"}`, "-"},

		{localaws.Scan{Enhanced: true}, true, `{"status":"ACTIVE","description":"Continuous scan is selected for image."}`, completed + "," + enhancedOne},
		{localaws.Scan{Enhanced: true}, false, `{"status":"ACTIVE","description":"Continuous scan is selected for image."}`, `"findings":[]`},
		{localaws.Scan{Enhanced: true, Status: "COMPLETE"}, true, `{"status":"COMPLETE","description":"` + done + `"}`, completed + "," + enhancedOne},
		{localaws.Scan{Enhanced: true, Status: "COMPLETE"}, false, `{"status":"COMPLETE","description":"` + done + `"}`, `"findings":[]`},
		{localaws.Scan{Enhanced: true, Status: "PENDING"}, false, `{"status":"PENDING"}`, `"findings":[]`},
		{localaws.Scan{Enhanced: true, Status: "SCAN_ELIGIBILITY_EXPIRED"}, true, `{"status":"SCAN_ELIGIBILITY_EXPIRED"}`, completed + "," + enhancedOne},
		{localaws.Scan{Enhanced: true, Status: "FINDINGS_UNAVAILABLE"}, false, `{"status":"FINDINGS_UNAVAILABLE"}`, `"findings":[]`},
	} {
		b := awstest.New(t)
		client := b.ECR(awstest.Here)
		scan := test.scan
		scan.Findings = []localaws.Finding{{Name: "CVE-1", Severity: "HIGH"}}
		if test.complete {
			scan.CompletedAt, scan.SourceUpdatedAt = awstest.Noon, awstest.Noon.Add(-time.Hour)
		}
		scanned(t, b, &scan)
		details := `"imageScanStatus":` + test.status + `,`
		if test.complete {
			details += `"imageScanFindingsSummary":{` + completed + `},`
		}
		if scan.Enhanced {
			awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, "ENHANCED"))
			details = "" // ECR does not tell them
		}
		findings := `,"imageScanFindings":{` + test.findings + `}`
		if test.findings == "-" {
			findings = ""
		}
		name := fmt.Sprintf("%s, enhanced %t, complete %t", test.status, scan.Enhanced, test.complete)
		image := `"registryId":"012345678901","repositoryName":"group/one",`
		wantRaw(t, name, client, "DescribeImageScanFindings", findingsOf("v1"),
			`{`+image+`"imageId":{"imageDigest":"`+digestOf(manifestOf(1))+`","imageTag":"v1"},"imageScanStatus":`+test.status+findings+`}`)
		wantRaw(t, name, client, "DescribeImages", idsIn(ofTag("v1")), `{"imageDetails":[{`+image+`"imageDigest":"`+digestOf(manifestOf(1))+`",`+
			`"imageTags":["v1"],"imageSizeInBytes":2,"imagePushedAt":1772193600.25,`+details+
			`"imageManifestMediaType":"`+dockerManifest+`","artifactMediaType":"`+dockerConfig+`","imageStatus":"ACTIVE"}]}`)
	}
}

// TestFindingsInFull shows a finding with all that each kind of scanning tells.
func TestFindingsInFull(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	finding := localaws.Finding{
		Name: "CVE-2026-1", Description: "What is wrong.", URI: "https://example.org/CVE-2026-1", Severity: "CRITICAL",
		Attributes: []localaws.Attribute{{Key: "package_version", Value: "1.0"}, {Key: "package_name", Value: "openssl"}, {Key: "CVSS2_SCORE", Value: ""}},

		VulnerabilityID: "CVE-2026-2", Title: "A title", Status: "SUPPRESSED", Score: 9.8, FixAvailable: "PARTIAL", ExploitAvailable: "YES",
		Packages: []localaws.Package{{Name: "openssl", Version: "1.0", Release: "2", Epoch: 3, Arch: "X86_64", PackageManager: "OS", FilePath: "/a",
			FixedInVersion: "1.1", SourceLayerHash: digestOf("layer")}, {Name: "libssl", Version: "1.0"}},
		CVSS:        []localaws.CVSS{{Score: 9.7, Vector: "CVSS:3.1/AV:N", Version: "3.1", Source: "NVD"}},
		Remediation: "Update it.", Source: "NVD", SourceURL: "https://example.org/source", ReferenceURLs: []string{"https://example.org/more"},
		Related: []string{"CVE-2026-3"}, VendorSeverity: "HIGH", VendorCreatedAt: day, VendorUpdatedAt: day.AddDate(0, 0, 1),
		FirstObservedAt: day.AddDate(0, 0, 2), LastObservedAt: day.AddDate(0, 0, 3),
	}
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	scanned(t, b, &localaws.Scan{CompletedAt: awstest.Noon, Findings: []localaws.Finding{finding}})
	head := `{"registryId":"012345678901","repositoryName":"group/one","imageId":{"imageDigest":"` + digestOf(manifestOf(1)) + `","imageTag":"v1"},"imageScanStatus":`
	summary := `"imageScanFindings":{"imageScanCompletedAt":1772366400.25,"vulnerabilitySourceUpdatedAt":1772366400.25,"findingSeverityCounts":{"CRITICAL":1},`
	wantRaw(t, "basic", client, "DescribeImageScanFindings", findingsOf("v1"),
		head+`{"status":"COMPLETE","description":"The scan was completed successfully."},`+summary+
			`"findings":[{"name":"CVE-2026-1","description":"What is wrong.","uri":"https://example.org/CVE-2026-1","severity":"CRITICAL",`+
			`"attributes":[{"key":"package_version","value":"1.0"},{"key":"package_name","value":"openssl"},{"key":"CVSS2_SCORE"}]}]}}`)

	b = awstest.New(t)
	client = b.ECR(awstest.Here)
	scanned(t, b, &localaws.Scan{Enhanced: true, CompletedAt: awstest.Noon, Findings: []localaws.Finding{finding}})
	awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, "ENHANCED"))
	arn := "arn:aws:inspector2:us-east-1:012345678901:finding/" +
		digestOf("arn:aws:ecr:us-east-1:012345678901:repository/group/one" + digestOf(manifestOf(1)) + "CVE-2026-2")[len("sha256:"):][:32]
	wantRaw(t, "enhanced", client, "DescribeImageScanFindings", findingsOf("v1"),
		head+`{"status":"ACTIVE","description":"Continuous scan is selected for image."},`+summary+
			`"enhancedFindings":[{"awsAccountId":"012345678901","description":"What is wrong.","findingArn":"`+arn+`",`+
			`"firstObservedAt":1767398400,"lastObservedAt":1767484800,"updatedAt":1767484800,"packageVulnerabilityDetails":{"vulnerabilityId":"CVE-2026-2",`+
			`"cvss":[{"baseScore":9.7,"scoringVector":"CVSS:3.1/AV:N","version":"3.1","source":"NVD"}],"referenceUrls":["https://example.org/more"],`+
			`"relatedVulnerabilities":["CVE-2026-3"],"source":"NVD","sourceUrl":"https://example.org/source","vendorCreatedAt":1767225600,"vendorUpdatedAt":1767312000,`+
			`"vendorSeverity":"HIGH","vulnerablePackages":[{"name":"openssl","version":"1.0","release":"2","epoch":3,"arch":"X86_64","packageManager":"OS",`+
			`"filePath":"/a","fixedInVersion":"1.1","sourceLayerHash":"`+digestOf("layer")+`"},{"name":"libssl","version":"1.0","epoch":0}]},`+
			`"remediation":{"recommendation":{"text":"Update it."}},"resources":[`+resourceOne+`],"score":9.8,`+
			`"scoreDetails":{"cvss":{"adjustments":[],"score":9.8,"scoreSource":"NVD","scoringVector":"CVSS:3.1/AV:N","version":"3.1"}},`+
			`"severity":"CRITICAL","status":"SUPPRESSED","title":"A title","type":"PACKAGE_VULNERABILITY","fixAvailable":"PARTIAL","exploitAvailable":"YES"}]}}`)
}

// TestWhatFollowsFromPackages shows the title and fixAvailable of a finding that
// has none.
func TestWhatFollowsFromPackages(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	fixed, open := localaws.Package{Name: "a", FixedInVersion: "2"}, localaws.Package{Name: "b"}
	scan := &localaws.Scan{Enhanced: true, CompletedAt: awstest.Noon}
	for _, packages := range [][]localaws.Package{nil, {fixed}, {open}, {fixed, open}, {fixed, fixed}} {
		scan.Findings = append(scan.Findings, localaws.Finding{Name: "CVE-1", Packages: packages})
	}
	scanned(t, b, scan)
	awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, "ENHANCED"))
	var out struct {
		ImageScanFindings *struct {
			EnhancedFindings []*struct {
				Title        *string `locationName:"title"`
				FixAvailable *string `locationName:"fixAvailable"`
			} `locationName:"enhancedFindings"`
		} `locationName:"imageScanFindings"`
	}
	client := b.ECR(awstest.Here)
	req, _ := client.DescribeImageScanFindingsRequest(findingsOf("v1"))
	req.Data = &out
	awstest.Must(t, req.Send())
	var got []string
	for _, f := range out.ImageScanFindings.EnhancedFindings {
		got = append(got, *f.Title+": "+*f.FixAvailable)
	}
	if diff := cmp.Diff([]string{"CVE-1: NO", "CVE-1 - a: YES", "CVE-1 - b: NO", "CVE-1 - a, b: PARTIAL", "CVE-1 - a, a: YES"}, got); diff != "" {
		t.Errorf("titles (-want +got):\n%s", diff)
	}
}

// TestFindingsOfInspectorNeedItsActions shows that the caller needs the rights of
// Inspector where it scans, in the session and in the role.
func TestFindingsOfInspectorNeedItsActions(t *testing.T) {
	t.Parallel()
	const own, findings, coverage = "ecr:DescribeImageScanFindings", "inspector2:ListFindings", "inspector2:ListCoverage"
	b := awstest.New(t, localaws.Role{Account: awstest.Other, Name: "reader", Trust: awstest.TrustLocal,
		Permissions: []string{document(allowing("*", "ecr:*", coverage))}})
	awstest.Must(t, b.AddRepository(awstest.Other, awstest.Here, "group/one", nil))
	awstest.Must(t, b.AddImage(awstest.Other, awstest.Here, "group/one", localaws.Image{Tags: []string{"v1"},
		Scan: &localaws.Scan{Enhanced: true, CompletedAt: awstest.Noon}}))
	try := func(in *ecr.DescribeImageScanFindingsInput, statements ...statement) error {
		client := ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, document(statements...), nil)))
		return awstest.ErrorOf(client.DescribeImageScanFindings(in))
	}
	awstest.WantError(t, "basic scanning", try(findingsOf("v1"), allowing("*", own)), "ScanNotFoundException", "")
	awstest.Must(t, b.SetScanning(awstest.Other, awstest.Here, "ENHANCED"))
	awstest.Must(t, try(findingsOf("v1"), allowing("*", own, findings, coverage)))
	awstest.WantError(t, "no findings", try(findingsOf("v1"), allowing("*", own, coverage)), "AccessDeniedException",
		"is not authorized to perform: inspector2:ListFindings on resource: arn:aws:inspector2:us-east-1:210987654321:/findings/list "+
			"because no session policy allows the inspector2:ListFindings action")
	awstest.WantError(t, "no coverage", try(findingsOf("v1"), allowing("*", own, findings)), "AccessDeniedException",
		"is not authorized to perform: inspector2:ListCoverage on resource: arn:aws:inspector2:us-east-1:210987654321:/coverage/list because")
	awstest.WantError(t, "on repositories only", try(findingsOf("v1"), allowing("*", own), allowing("arn:aws:ecr:*:*:repository/*", findings, coverage)),
		"AccessDeniedException", findings)
	awstest.WantError(t, "missing image", try(findingsOf("v2"), allowing("*", own)), "ImageNotFoundException", "v2")
	reader, err := b.STS().AssumeRole(&sts.AssumeRoleInput{
		RoleArn: awstest.RoleARN(awstest.Other, "reader"), RoleSessionName: aws.String("test"), ExternalId: aws.String("local")})
	awstest.Must(t, err)
	client := ecr.New(b.Session(awstest.Here, awstest.Issued(reader)))
	awstest.WantError(t, "a role without it", awstest.ErrorOf(client.DescribeImageScanFindings(findingsOf("v1"))), "AccessDeniedException",
		"because no identity-based policy allows the inspector2:ListFindings action")
}

// TestFindingsOfInspectorElsewhere shows that Inspector does not tell the findings
// of another account.
func TestFindingsOfInspectorElsewhere(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	scanned(t, b, &localaws.Scan{Enhanced: true, CompletedAt: awstest.Noon})
	awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, "ENHANCED"))
	setPolicy(t, b.ECR(awstest.Here), "group/one", `{"Statement":{"Effect":"Allow","Principal":{"AWS":"210987654321"},"Action":"ecr:*"}}`)
	in := findingsOf("v1")
	in.SetRegistryId(localaws.AdministratorAccount)
	awstest.WantError(t, "another account", awstest.ErrorOf(ecr.New(b.Session(awstest.Here, b.Assume(t, awstest.Other, "", nil))).DescribeImageScanFindings(in)),
		"ScanNotFoundException", "")
}

// TestPagesOfNothing shows that there are no further pages of a scan that was
// never completed.
func TestPagesOfNothing(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	scanned(t, b, &localaws.Scan{Status: "IN_PROGRESS", Findings: []localaws.Finding{{Name: "CVE-1"}, {Name: "CVE-2"}}})
	in := findingsOf("v1")
	in.SetMaxResults(1)
	out, err := b.ECR(awstest.Here).DescribeImageScanFindings(in)
	awstest.Must(t, err)
	if out.NextToken != nil || out.ImageScanFindings != nil {
		t.Errorf("the answer is %v", out)
	}
}

// TestFindingPages shows that the pages of both kinds have all findings.
func TestFindingPages(t *testing.T) {
	t.Parallel()
	for _, scanType := range []string{"BASIC", "ENHANCED"} {
		b := awstest.New(t)
		scan := &localaws.Scan{Enhanced: scanType == "ENHANCED", CompletedAt: awstest.Noon}
		var want []string
		for i := range 250 {
			want = append(want, fmt.Sprintf("CVE-%d", i))
			scan.Findings = append(scan.Findings, localaws.Finding{Name: want[i], Severity: "LOW"})
		}
		scanned(t, b, scan)
		awstest.Must(t, b.SetScanning(localaws.AdministratorAccount, awstest.Here, scanType))
		var got, sizes []string
		awstest.Must(t, b.ECR(awstest.Here).DescribeImageScanFindingsPages(findingsOf("v1"), func(page *ecr.DescribeImageScanFindingsOutput, _ bool) bool {
			for _, f := range page.ImageScanFindings.Findings {
				got = append(got, *f.Name)
			}
			for _, f := range page.ImageScanFindings.EnhancedFindings {
				got = append(got, *f.PackageVulnerabilityDetails.VulnerabilityId)
			}
			sizes = append(sizes, fmt.Sprintf("%d of %d", len(page.ImageScanFindings.Findings)+len(page.ImageScanFindings.EnhancedFindings),
				*page.ImageScanFindings.FindingSeverityCounts["LOW"]))
			return true
		}))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", scanType, diff)
		}
		if got := strings.Join(sizes, ", "); got != "100 of 250, 100 of 250, 50 of 250" {
			t.Errorf("%s: pages of %s", scanType, got)
		}
	}
}
