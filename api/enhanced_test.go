package api

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
)

// enhance gives the registry of the world enhanced scanning.
func (w *world) enhance() {
	w.t.Helper()
	if err := w.aws.SetScanning(account, region, "ENHANCED"); err != nil {
		w.t.Fatal(err)
	}
}

// newEnhancedWorld is newImageWorld in a registry with enhanced scanning.
func newEnhancedWorld(t *testing.T, scan *localaws.Scan, change ...func(*localaws.Image)) *world {
	t.Helper()
	if scan != nil {
		scan.Enhanced = true
	}
	w := newImageWorld(t, scan, change...)
	w.enhance()
	return w
}

// openssl is a finding as Inspector tells it.
var openssl = localaws.Finding{
	Name: "CVE-2026-1", Severity: "HIGH", Description: "It overflows.", URI: "https://nvd.example/1", Score: 7.5,
	Packages: []localaws.Package{
		{Name: "openssl", Version: "1.1.1", Release: "1", Epoch: 2, FixedInVersion: "2:1.1.1-2"},
		{Name: "libssl", Version: "1.1.1", Release: "1", Epoch: 2, FixedInVersion: "2:1.1.1-2"},
		{Name: "go-openssl", Version: "0.9"},
	},
}

const opensslShown = `{"Name": "CVE-2026-1", "Severity": "HIGH", "Uri": "https://nvd.example/1", "Description": "It overflows.", "Attributes": [],
	"PackageName": "openssl, libssl, go-openssl", "PackageVersion": "2:1.1.1-1, 0.9", "FixedInVersion": "2:1.1.1-2", "Score": 7.5}`

func TestStatesOfAnEnhancedScan(t *testing.T) {
	t.Parallel()
	const scanOfThen = `"ImageScanCompletedAt": "2020-12-14T16:02:36Z", "VulnerabilitySourceUpdatedAt": "2020-12-14T16:02:36Z"`
	found := []localaws.Finding{openssl}
	const one = scanOfThen + `, "FindingSeverityCounts": {"HIGH": 1}, "Findings": [` + opensslShown + `]`
	archived := func(i *localaws.Image) { i.Status = "ARCHIVED" }
	for name, test := range map[string]struct {
		scan   *localaws.Scan
		change []func(*localaws.Image)
		want   string // members that differ from unscanned
	}{
		"not scanned": {nil, nil, `{}`},
		"queued":      {&localaws.Scan{Status: "PENDING"}, nil, `{"ImageScanStatus": {"Status": "PENDING", "Description": null}, "ScanType": "ENHANCED"}`},
		"queued again": {&localaws.Scan{Status: "PENDING", CompletedAt: completedThen, Findings: found}, nil,
			`{"ImageScanStatus": {"Status": "PENDING", "Description": null}, "ScanType": "ENHANCED", "FindingSeverityCounts": {"HIGH": 1}, ` + scanOfThen + `}`},
		"scanning": {&localaws.Scan{Status: "IN_PROGRESS"}, nil, `{"ImageScanStatus": {"Status": "IN_PROGRESS", "Description": null}, "ScanType": "ENHANCED"}`},
		"the first of many scans has not ended": {&localaws.Scan{}, nil,
			`{"ImageScanStatus": {"Status": "ACTIVE", "Description": "Continuous scan is selected for image."}, "ScanType": "ENHANCED"}`},
		"scanned again and again": {&localaws.Scan{CompletedAt: completedThen, Findings: found}, nil,
			`{"ImageScanStatus": {"Status": "ACTIVE", "Description": "Continuous scan is selected for image."}, "ScanType": "ENHANCED", "FindingsComplete": true, ` + one + `}`},
		"scanned on push": {&localaws.Scan{Status: "COMPLETE", CompletedAt: completedThen, Findings: found}, nil,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": "The scan was completed successfully."}, "ScanType": "ENHANCED", "FindingsComplete": true, ` + one + `}`},
		"clean": {&localaws.Scan{CompletedAt: completedThen}, nil,
			`{"ImageScanStatus": {"Status": "ACTIVE", "Description": "Continuous scan is selected for image."}, "ScanType": "ENHANCED", "FindingsComplete": true,
				"FindingSeverityCounts": {}, "Findings": [], ` + scanOfThen + `}`},
		"failed":      {&localaws.Scan{Status: "FAILED"}, nil, `{"ImageScanStatus": {"Status": "FAILED", "Description": null}, "ScanType": "ENHANCED"}`},
		"unsupported": {&localaws.Scan{Status: "UNSUPPORTED_IMAGE"}, nil, `{"ImageScanStatus": {"Status": "UNSUPPORTED_IMAGE", "Description": null}, "ScanType": "ENHANCED"}`},
		"too old": {&localaws.Scan{Status: "SCAN_ELIGIBILITY_EXPIRED", CompletedAt: completedThen, Findings: found}, nil,
			`{"ImageScanStatus": {"Status": "SCAN_ELIGIBILITY_EXPIRED", "Description": null}, "ScanType": "ENHANCED", ` + one + `}`},
		"too old, and nothing was found": {&localaws.Scan{Status: "SCAN_ELIGIBILITY_EXPIRED", CompletedAt: completedThen}, nil,
			`{"ImageScanStatus": {"Status": "SCAN_ELIGIBILITY_EXPIRED", "Description": null}, "ScanType": "ENHANCED", "FindingSeverityCounts": {}, ` + scanOfThen + `}`},
		"too old for a first scan": {&localaws.Scan{Status: "SCAN_ELIGIBILITY_EXPIRED"}, nil,
			`{"ImageScanStatus": {"Status": "SCAN_ELIGIBILITY_EXPIRED", "Description": null}, "ScanType": "ENHANCED"}`},
		"unavailable": {&localaws.Scan{Status: "FINDINGS_UNAVAILABLE"}, nil, `{"ImageScanStatus": {"Status": "FINDINGS_UNAVAILABLE", "Description": null}, "ScanType": "ENHANCED"}`},
		"archived": {&localaws.Scan{CompletedAt: completedThen}, []func(*localaws.Image){archived},
			`{"ImageScanStatus": {"Status": "IMAGE_ARCHIVED", "Description": null}, "ScanType": "ENHANCED", "ImageStatus": "ARCHIVED"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newEnhancedWorld(t, test.scan, test.change...)
			e := v1("")
			e.want = changed(t, unscanned, test.want)
			again := e
			again.name = "remembered"
			w.run(e, again)
		})
	}
}

// Every field of a finding has a source of its own, and most have a second one.
func TestFindingsOfAnEnhancedScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation != "DescribeImageScanFindings" {
			return body
		}
		return `{"imageId": {"imageDigest": "` + shownDigest + `"}, "imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"enhancedFindings": [
			{"severity": "UNTRIAGED", "title": "CVE-1 - zlib", "packageVulnerabilityDetails": {"referenceUrls": ["https://a", "https://b"],
				"vulnerablePackages": [{"name": "zlib", "version": "1", "fixedInVersion": "NotAvailable"}]}, "fixAvailable": "NO"},
			{"severity": "CRITICAL", "title": "t", "description": "d", "scoreDetails": {"cvss": {"score": 9.1}}, "fixAvailable": "YES",
				"packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2", "sourceUrl": "https://s", "referenceUrls": ["https://a"]}},
			{"severity": "CRITICAL", "score": 0, "scoreDetails": {"cvss": {"score": 9.1}}, "fixAvailable": "NO", "title": "CVE-3",
				"packageVulnerabilityDetails": {"vulnerablePackages": [{"name": "a", "version": "1"}, {"name": "b", "version": "1", "fixedInVersion": "2"}, {"name": "a", "version": "0"}, {}]}},
			{"severity": "HIGH", "title": "CVE-4", "fixAvailable": "PARTIAL"},
			{}
		]}}`
	}))
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: shownDigest, Size: 16093514, PushedAt: pushedThen, Scan: &localaws.Scan{Status: "IN_PROGRESS"}})
	all := []string{
		changed(t, plainFinding("CVE-2", "CRITICAL"), `{"Uri": "https://s", "Description": "d", "Score": 9.1}`),
		changed(t, plainFinding("CVE-3", "CRITICAL"), `{"PackageName": "a, b", "PackageVersion": "1, 0", "FixedInVersion": "2", "Score": 0}`),
		plainFinding("CVE-4", "HIGH"),
		changed(t, plainFinding("CVE-1 - zlib", "UNTRIAGED"), `{"Uri": "https://a", "PackageName": "zlib", "PackageVersion": "1"}`),
		plainFinding("", ""),
	}
	for query, shown := range map[string][]string{"": all, "fixable=true": all[:3], "severity=UNTRIAGED": all[3:4]} {
		e := v1(query)
		e.want = changed(t, unscanned, `{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "ENHANCED", "FindingSeverityCounts": {},
			"FindingsComplete": true, "Findings": [`+strings.Join(shown, ",")+`]}`)
		w.run(e)
	}
}

// The first read of findings learns that the registry has enhanced scanning.
// Then the service asks in the session that has the rights for Inspector at once.
func TestEnhancedScanningIsRemembered(t *testing.T) {
	t.Parallel()
	w := newEnhancedWorld(t, &localaws.Scan{CompletedAt: completedThen, Findings: []localaws.Finding{openssl}})
	read := func() (calls []string) {
		t.Helper()
		w.forget()
		w.run(exchange{method: "GET", path: base + "/g/a/images/v1", status: 200, want: "-"})
		calls = w.called()
		slices.Sort(calls)
		return calls
	}
	once := []string{"ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource"}
	denied := []string{"ecr:DescribeImageScanFindings", "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource"}
	want := func(when string, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, read()); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", when, diff)
		}
	}
	want("first", append(slices.Clone(denied), "sts:AssumeRole", "sts:AssumeRole"))
	want("remembered", once)
	w.wantSessions(t)

	registry := common.Registry{Partition: "aws", Region: region, Account: account}
	w.service.connector.enhanced.until.Add(registry, time.Now().Add(-time.Second))
	want("after an hour", denied)
	want("remembered again", once)

	if err := w.aws.SetScanning(account, region, "BASIC"); err != nil {
		t.Fatal(err)
	}
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Scan: &localaws.Scan{CompletedAt: completedThen}})
	want("basic again", once)
	if w.service.connector.enhanced.has(registry) {
		t.Error("a registry with basic scanning is remembered for enhanced scanning")
	}
	want("forgotten", once)
	w.enhance()
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Scan: &localaws.Scan{Enhanced: true, CompletedAt: completedThen}})
	want("enhanced again", denied)
	want("remembered once more", once)
}

// ECR knows of no scan of the image that has the tag, and then the tag moves to a
// scanned one. ECR does not tell that in the description of an image.
func TestTagThatMovesFromAnUnscannedImage(t *testing.T) {
	t.Parallel()
	w := newEnhancedWorld(t, nil)
	moved := make(chan struct{})
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeImages", Times: 1, When: func(localaws.Call) bool {
		<-moved
		return false
	}})
	var reads atomic.Int32
	w.after = func(c localaws.Call) {
		if c.Operation != "DescribeImageScanFindings" || reads.Add(1) != 2 { // the first one is denied
			return
		}
		defer close(moved)
		if err := w.aws.AddImage(account, region, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: otherDigest, Size: 16093514, PushedAt: pushedThen,
			Scan: &localaws.Scan{Enhanced: true, CompletedAt: completedThen, Findings: []localaws.Finding{openssl}}}); err != nil {
			t.Error(err)
		}
	}
	e := v1("")
	e.want = changed(t, unscanned, `{"ImageDigest": "`+otherDigest+`", "ScanType": "ENHANCED", "FindingsComplete": true,
		"ImageScanStatus": {"Status": "ACTIVE", "Description": "Continuous scan is selected for image."},
		"ImageScanCompletedAt": "2020-12-14T16:02:36Z", "VulnerabilitySourceUpdatedAt": "2020-12-14T16:02:36Z",
		"FindingSeverityCounts": {"HIGH": 1}, "Findings": [`+opensslShown+`]}`)
	w.run(e)
}

// The registry goes back to basic scanning. An answer that both types of scans
// have does not make it enhanced.
func TestBasicScansInARegistryThatWasEnhanced(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"IN_PROGRESS", "UNSUPPORTED_IMAGE", "FAILED"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			w := newEnhancedWorld(t, nil)
			w.run(v1Of(unscanned))
			if err := w.aws.SetScanning(account, region, "BASIC"); err != nil {
				t.Fatal(err)
			}
			w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: otherDigest, Size: 16093514, PushedAt: pushedThen, Scan: &localaws.Scan{Status: status}})
			shown := v1Of(changed(t, unscanned, `{"ImageDigest": "`+otherDigest+`", "ScanType": "BASIC", "ImageScanStatus": {"Status": "`+status+`", "Description": null}}`))
			w.run(shown)
			registry := common.Registry{Partition: "aws", Region: region, Account: account}
			if w.service.connector.enhanced.has(registry) {
				t.Error("the registry is remembered for enhanced scanning")
			}
			w.run(shown)
		})
	}
}

// ECR scans the images of an index, and not the index.
func TestIndexInARegistryWithEnhancedScanning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.enhance()
	w.addRepository(account, "g/a", org)
	w.addPart("g/a", 1)
	w.addImage(account, "g/a", localaws.Image{Digest: digestNo(2), Size: 2000, Scan: &localaws.Scan{Enhanced: true, CompletedAt: completedThen, Findings: []localaws.Finding{openssl}}})
	w.addIndex("g/a", "v1", platform(digestNo(1), `"architecture": "amd64", "os": "linux"`), platform(digestNo(2), `"architecture": "arm", "os": "linux", "variant": "v7"`))
	index := v1Of(changed(t, unscanned, `{
		"ArtifactMediaType": "none", "ImageManifestMediaType": "`+ociIndexType+`", "ImageSizeInBytes": 2000,
		"Platforms": [`+platformOf(1, `"linux"`, `"amd64"`, "null", "1000")+`, `+platformOf(2, `"linux"`, `"arm"`, `"v7"`, "2000")+`]
	}`))
	calls := []string{"ecr:BatchGetImage", "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:DescribeImages", "ecr:ListTagsForResource"}
	for _, further := range [][]string{{"ecr:DescribeImageScanFindings", "sts:AssumeRole", "sts:AssumeRole"}, nil} { // remembered the second time
		w.forget()
		w.run(index)
		index.want = changed(t, index.want, `{"LastRecordedPullTime": "2040-12-14T15:34:18Z"}`) // the read of the manifest was a pull
		got, want := w.called(), append(slices.Clone(calls), further...)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	}
	_, _, body := w.do(exchange{method: "GET", path: base + "/g/a/images/" + digestNo(2)})
	if diff := cmp.Diff([]string{openssl.Name}, names(t, body)); diff != "" {
		t.Errorf("findings of a part (-want +got):\n%s", diff)
	}
}

// v1Of is v1 with this answer.
func v1Of(want string) exchange {
	e := v1("")
	e.want = want
	return e
}

// wantSessions checks that only the read of findings had the rights for Inspector.
func (w *world) wantSessions(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.Service == "ecr" && strings.Contains(c.Policy, "inspector2:") != (c.Operation == "DescribeImageScanFindings") {
			t.Errorf("%s under the policy %s", c.Operation, c.Policy)
		}
	}
}

// Without the role's policy for Inspector, the answer says what to set up. The
// rest of the image can be shown.
func TestRoleThatMayNotAskInspector(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		permissions []string
		action      string
	}{
		"without the policy": {nil, "ListFindings"},
		"without one action": {[]string{strings.Replace(config.InspectorPolicy, `"inspector2:ListCoverage", `, "", 1)}, "ListCoverage"},
		"denied":             {[]string{config.InspectorPolicy, `{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "inspector2:ListFindings", "Resource": "*"}}`}, "ListFindings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roles := rolesOf(config.RolePolicy, account)
			roles[0].Permissions = append([]string{config.RolePolicy, config.CredentialsPolicy}, test.permissions...)
			w := newWorldWith(t, roles)
			w.addRepository(account, "g/a", org)
			w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: shownDigest, Size: 16093514, PushedAt: pushedThen,
				Scan: &localaws.Scan{Enhanced: true, CompletedAt: completedThen}})
			w.enhance()
			e := v1("")
			e.status, e.want = 403, problemByAWS("denied-by-aws", "AWS denied inspector2:"+test.action+" to the role of that account. The registry has enhanced scanning, and ECR asks Inspector with the rights of the role. "+
				"Give the role the permissions for that (config/aws/inspector-policy.json), and look for a policy that denies them. Or leave the findings out, with findings=false.", "AccessDeniedException")
			without := v1("findings=false")
			without.want = changed(t, unscanned, `{"ImageScanStatus": null}`)
			w.run(e, e, without)
			if n := count(w.called(), "ecr:ListTagsForResource"); n != 3 {
				t.Errorf("the tags were read %d times, want once for each request: %s", n, w.called())
			}
		})
	}
}

// A registry with enhanced scanning changes nothing in whose images are shown.
func TestEnhancedScanningOfOthers(t *testing.T) {
	t.Parallel()
	w := newEnhancedWorld(t, nil)
	w.addRepository(account, "g/untagged", "")
	w.addRepository(account, "g/others", otherOrg)
	for _, name := range []string{"g/untagged", "g/others"} {
		w.addImage(account, name, localaws.Image{Tags: []string{"v1"}, Scan: &localaws.Scan{Enhanced: true, CompletedAt: completedThen}})
		for _, image := range []string{"v1", "missing"} {
			for _, known := range []bool{false, true} {
				if known {
					w.run(exchange{name: "remember", method: "GET", path: base + "/g/a/images/v1", status: 200, want: "-"})
				}
				status, _, body := w.do(exchange{method: "GET", path: base + "/" + name + "/images/" + image})
				if said := parse(t, body).(map[string]any); status != 403 || said["code"] != "other-org" {
					t.Errorf("%s/images/%s, remembered: %v: status %d: %s", name, image, known, status, body)
				}
			}
		}
	}
	w.run(exchange{method: "GET", path: base + "/g/a/images/missing", status: 404, want: "-"}, exchange{method: "GET", path: base + "/g/missing/images/v1", status: 404, want: "-"})
}

// Findings of an enhanced scan cannot be read without any action of the policy of
// that session.
func TestEveryActionOfTheSessionForInspectorIsNeeded(t *testing.T) {
	t.Parallel()
	for i, s := range inspectorPolicy(exampleScope).Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, action := range s.Action {
			t.Run(action, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, changeFurther(withInspector, func(s iam.Scope) iam.Policy { return without(inspectorPolicy(s), i, action) }))
				w.addRepository(account, "g/a", org)
				w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Scan: &localaws.Scan{Enhanced: true, CompletedAt: completedThen}})
				w.enhance()
				status, _, body := w.do(v1(""))
				if want := "AWS denied " + action + " to the role"; status != 403 || !strings.Contains(body, want) {
					t.Errorf("status %d, want %q: %s", status, want, body)
				}
			})
		}
	}
}

// A fault of the session for Inspector is told.
func TestFaultsOfTheSessionForInspector(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"sts:AssumeRole", "ecr:DescribeImageScanFindings"} {
		for code, want := range map[string]string{"ThrottlingException": "throttled", "ServerException": "internal"} {
			t.Run(operation+" "+code, func(t *testing.T) {
				t.Parallel()
				w := newEnhancedWorld(t, &localaws.Scan{CompletedAt: completedThen})
				w.run(exchange{name: "the first session", method: "GET", path: base + "/g/a/images/v1?findings=false", status: 200, want: "-"})
				asked := 0
				w.aws.Inject(localaws.Fault{Operation: operation, Code: code, When: func(localaws.Call) bool {
					asked++
					return operation == "sts:AssumeRole" || asked > 1
				}})
				status, _, body := w.do(v1(""))
				if said := parse(t, body).(map[string]any); status != statusByCode[want] || said["code"] != want {
					t.Errorf("status %d, want the code %s: %s", status, want, body)
				}
			})
		}
	}
}

// All pages are read in the session for Inspector.
func TestFindingsOfAnEnhancedScanOverAllPages(t *testing.T) {
	t.Parallel()
	var found []localaws.Finding
	var want []string
	for i := range 1500 {
		found = append(found, localaws.Finding{Name: fmt.Sprintf("CVE-%04d", i), Severity: "LOW", Score: float64(i%50+1) / 10})
		want = append(want, fmt.Sprintf("%02d CVE-%04d", 50-i%50, i)) // in the order of this text
	}
	slices.Sort(want)
	for i := range want {
		want[i] = want[i][3:]
	}
	w := newEnhancedWorld(t, &localaws.Scan{CompletedAt: completedThen, Findings: found})
	status, _, body := w.do(v1(""))
	if diff := cmp.Diff(want, names(t, body)); status != 200 || diff != "" {
		t.Errorf("status %d, findings (-want +got):\n%s", status, diff)
	}
	if n := count(w.called(), "ecr:DescribeImageScanFindings"); n != 3 {
		t.Errorf("%d reads of findings, want one that is denied and two pages: %s", n, w.called())
	}
}
