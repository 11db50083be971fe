package api

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// Each state of a scan has its own answer. No state but an ended scan is taken
// for one that has found nothing.
func TestStatesOfABasicScan(t *testing.T) {
	t.Parallel()
	stale := []localaws.Finding{{Name: "CVE-1", Severity: "HIGH"}}
	const (
		scanOfThen = `"ImageScanCompletedAt": "2020-12-14T16:02:36Z", "VulnerabilitySourceUpdatedAt": "2020-12-14T16:02:36Z"`
		summary    = `"ImageScanFindingsSummary": {` + scanOfThen + `, "FindingSeverityCounts": `
	)
	for name, test := range map[string]struct {
		scan *localaws.Scan
		want string // members that differ from unscanned
	}{
		"not scanned": {nil, `{}`},
		"scanning": {&localaws.Scan{Status: "IN_PROGRESS"},
			`{"ImageScanStatus": {"Status": "IN_PROGRESS", "Description": null}, "ScanType": "BASIC"}`},
		"scanning again": {&localaws.Scan{Status: "IN_PROGRESS", CompletedAt: completedThen, Findings: stale},
			`{"ImageScanStatus": {"Status": "IN_PROGRESS", "Description": null}, "ScanType": "BASIC", "FindingSeverityCounts": {"HIGH": 1},
				` + summary + `{"HIGH": 1}}, ` + scanOfThen + `}`},
		"failed": {&localaws.Scan{Status: "FAILED", Description: "ScanFailed: try again"},
			`{"ImageScanStatus": {"Status": "FAILED", "Description": "ScanFailed: try again"}, "ScanType": "BASIC"}`},
		"unsupported": {&localaws.Scan{Status: "UNSUPPORTED_IMAGE", Description: "UnsupportedImageError: The operating system 'None' is not supported."},
			`{"ImageScanStatus": {"Status": "UNSUPPORTED_IMAGE", "Description": "UnsupportedImageError: The operating system 'None' is not supported."}, "ScanType": "BASIC"}`},
		"scanned, clean": {&localaws.Scan{CompletedAt: completedThen},
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": "The scan was completed successfully."}, "ScanType": "BASIC", "FindingSeverityCounts": {},
				"FindingsComplete": true, "Findings": [], ` + summary + `{}}, ` + scanOfThen + `}`},
		"over the quota": {&localaws.Scan{Status: "LIMIT_EXCEEDED"},
			`{"ImageScanStatus": {"Status": "LIMIT_EXCEEDED", "Description": null}, "ScanType": "BASIC"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newImageWorld(t, test.scan)
			e := v1("")
			e.want = changed(t, unscanned, test.want)
			byDigest := e
			byDigest.path = base + "/g/a/images/" + shownDigest
			w.run(e, byDigest)
		})
	}
}

// A list that AWS leaves out is an empty one if AWS tells when the scan was
// completed, unless it has counted findings.
func TestAnswersOfAWSAboutFindings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		aws  string // members of AWS's answer
		want string
	}{
		"no findings at all": {`"imageScanStatus": {"status": "COMPLETE"}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "BASIC"}`},
		"completed, and no list": {`"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"imageScanCompletedAt": 1607961756}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "BASIC", "FindingSeverityCounts": {}, "ImageScanCompletedAt": "2020-12-14T16:02:36Z",
				"FindingsComplete": true, "Findings": []}`},
		"an empty list before the first scan has ended": {`"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findings": []}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "BASIC"}`},
		"an empty list of an enhanced scan": {`"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"enhancedFindings": []}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "ENHANCED"}`},
		"an empty list of a continuous scan": {`"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": {"enhancedFindings": []}`,
			`{"ImageScanStatus": {"Status": "ACTIVE", "Description": null}, "ScanType": "ENHANCED"}`},
		"counted, and completed": {`"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findingSeverityCounts": {"LOW": 2}, "imageScanCompletedAt": 1607961756}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "BASIC", "FindingSeverityCounts": {"LOW": 2}, "ImageScanCompletedAt": "2020-12-14T16:02:36Z"}`},
		"counted, but not told": {`"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findingSeverityCounts": {"LOW": 2}, "findings": []}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "BASIC", "FindingSeverityCounts": {"LOW": 2}}`},
		"a new state, clean": {`"imageScanStatus": {"status": "NEXT_YEAR"}, "imageScanFindings": {"findingSeverityCounts": {}, "findings": [], "imageScanCompletedAt": 1607961756}`,
			`{"ImageScanStatus": {"Status": "NEXT_YEAR", "Description": null}, "ScanType": "BASIC", "FindingSeverityCounts": {}, "ImageScanCompletedAt": "2020-12-14T16:02:36Z"}`},
		"a new state, with findings": {`"imageScanStatus": {"status": "NEXT_YEAR"}, "imageScanFindings": {"findings": [{"name": "CVE-1", "severity": "HIGH"}]}`,
			`{"ImageScanStatus": {"Status": "NEXT_YEAR", "Description": null}, "ScanType": "BASIC", "Findings": [` + plainFinding("CVE-1", "HIGH") + `]}`},
		"no status": {`"imageScanFindings": {"findings": []}`,
			`{"ImageScanStatus": {"Status": null, "Description": null}, "ScanType": "BASIC"}`},
		"null": {`"imageScanStatus": null, "imageScanFindings": null, "nextToken": null`,
			`{"ImageScanStatus": {"Status": null, "Description": null}, "ScanType": "BASIC"}`},
		"a list of the other type": {`"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": {"findings": []}`,
			`{"ImageScanStatus": {"Status": "ACTIVE", "Description": null}, "ScanType": "ENHANCED"}`},
		"nulls in lists": {`"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findings": [null, {"attributes": [null]}], "findingSeverityCounts": {"LOW": null}}`,
			`{"ImageScanStatus": {"Status": "COMPLETE", "Description": null}, "ScanType": "BASIC", "FindingSeverityCounts": {"LOW": 0}, "FindingsComplete": true,
				"Findings": [` + plainFinding("", "") + `, ` + plainFinding("", "") + `]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, changeAnswers(t, func(operation, body string) string {
				if operation == "DescribeImageScanFindings" {
					return `{"imageId": {"imageDigest": "` + shownDigest + `"}, ` + test.aws + `}`
				}
				return body
			}))
			w.addRepository(account, "g/a", org)
			w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: shownDigest, Size: 16093514, PushedAt: pushedThen,
				Scan: &localaws.Scan{Status: "IN_PROGRESS"}}) // otherwise AWS answers an error
			e := v1("")
			e.want = changed(t, unscanned, test.want)
			w.run(e)
		})
	}
}
