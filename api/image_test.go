package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

var _ = describe("ShowImage", rowTest{
	given: func(w *world, account, repository, _ string) {
		w.addImage(account, repository, localaws.Image{Tags: []string{"latest"}})
	},
	calls: []string{"ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource"},
	variants: []exchange{
		{name: "an image", method: "GET", path: base + "/g/images/images/latest", status: 200},
		{name: "missing", method: "GET", path: base + "/g/plain/images/latest", status: 404},
		{name: "an index", method: "GET", path: base + "/g/platforms/images/multi", status: 200},
		{name: "without findings", method: "GET", path: base + "/g/images/images/latest?findings=false", status: 200},
	},
	may: []right{
		{do: []string{"ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers},
		{do: []string{"ecr:BatchGetImage"}, where: []string{inGroup}, whose: []string{ours}},
	},
	never:     []right{denyOtherOrgs, {do: []string{"ecr:BatchGetImage"}, whose: []string{noOrg, others}}},
	notCalled: map[string]string{"ecr:BatchGetImage": "tells the platforms of an index"},
	redundant: []string{"statement 2 without StringEquals aws:ResourceTag/spinup:org"},
	further: map[string]rowTest{"with Inspector": {
		may: []right{
			{do: []string{"ecr:DescribeImageScanFindings"}, where: []string{theRepository, inGroup}, whose: notOthers},
			{do: []string{"inspector2:ListCoverage", "inspector2:ListFindings"}},
		},
		never: []right{denyOtherOrgs},
		notCalled: map[string]string{
			"ecr:DescribeImageScanFindings": "called where the registry has enhanced scanning",
			"inspector2:ListCoverage":       "called by ECR for the session",
			"inspector2:ListFindings":       "called by ECR for the session",
		},
	}},
})

const (
	shownDigest = "sha256:ac81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2"
	otherDigest = "sha256:bc81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2"
)

var (
	pushedThen    = time.Date(2020, 12, 14, 15, 56, 11, 0, time.UTC)
	completedThen = time.Date(2020, 12, 14, 16, 2, 36, 0, time.UTC)
)

// unscanned is the answer about the image v1 of g/a that was never scanned.
const unscanned = `{
	"ArtifactMediaType": "application/vnd.docker.container.image.v1+json",
	"ImageDigest": "` + shownDigest + `",
	"ImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
	"ImagePushedAt": "2020-12-14T15:56:11Z",
	"ImageScanFindingsSummary": null,
	"ImageScanStatus": {"Status": null, "Description": "ECR knows of no scan of this image."},
	"ImageSizeInBytes": 16093514,
	"ImageTags": ["v1"],
	"RegistryId": "012345678901",
	"RepositoryName": "g/a",
	"ImageStatus": "ACTIVE",
	"LastRecordedPullTime": null,
	"SubjectManifestDigest": null,
	"Platforms": null,
	"ScanType": null,
	"FindingSeverityCounts": null,
	"ImageScanCompletedAt": null,
	"VulnerabilitySourceUpdatedAt": null,
	"FindingsComplete": false,
	"Findings": null
}`

// changed returns a JSON object with other values for some of its members.
func changed(t testing.TB, object, members string) string {
	t.Helper()
	all := parse(t, object).(map[string]any)
	for key, value := range parse(t, members).(map[string]any) {
		if _, known := all[key]; !known {
			t.Errorf("there is no member %s", key)
		}
		all[key] = value
	}
	return jsonOf(all)
}

// newImageWorld returns a world with the image v1 in g/a, and this scan of it.
func newImageWorld(t *testing.T, scan *localaws.Scan, change ...func(*localaws.Image)) *world {
	t.Helper()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	image := localaws.Image{Tags: []string{"v1"}, Digest: shownDigest, Size: 16093514, PushedAt: pushedThen, Scan: scan}
	for _, f := range change {
		f(&image)
	}
	w.addImage(account, "g/a", image)
	return w
}

// v1 is a request for the image v1 of g/a, with this query.
func v1(query string) exchange {
	return exchange{name: query, method: "GET", path: withQuery(base+"/g/a/images/v1", query), status: 200}
}

// names returns the names of the findings in an answer.
func names(t testing.TB, answer string) []string {
	t.Helper()
	var image struct{ Findings []struct{ Name string } }
	if err := json.Unmarshal([]byte(answer), &image); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	list := []string{}
	for _, f := range image.Findings {
		list = append(list, f.Name)
	}
	return list
}

// basicFindings are of each severity. They are not in order.
var basicFindings = []localaws.Finding{
	{Name: "CVE-2", Severity: "MEDIUM"},
	{Name: "CVE-1", Severity: "MEDIUM", Attributes: []localaws.Attribute{{Key: "package_name", Value: "zlib"}}},
	{Name: "CVE-1", Severity: "MEDIUM", Attributes: []localaws.Attribute{{Key: "package_name", Value: "bash"}}},
	{Name: "CVE-0", Severity: "UNDEFINED"},
	{Name: "CVE-3", Severity: "MEDIUM", Attributes: []localaws.Attribute{{Key: "CVSS2_SCORE", Value: "9.9"}, {Key: "CVSS3_SCORE", Value: "0.0"}}},
	{Name: "CVE-4", Severity: "CRITICAL", Description: "It overflows.", URI: "https://cve.example/4", Attributes: []localaws.Attribute{
		{Key: "package_version", Value: "1.1.1-1"}, {Key: "package_name", Value: "openssl"}, {Key: "fixed_in_versions", Value: "1.1.1-2"},
		{Key: "CVSS2_SCORE", Value: "5.0"}, {Key: "CVSS3_SCORE", Value: "9.8"}, {Key: "CVSS2_VECTOR", Value: ""},
	}},
	{Name: "CVE-5", Severity: "INFORMATIONAL"},
	{Name: "CVE-6", Severity: "A_NEW_ONE"},
	{Name: "CVE-7", Severity: "LOW", Attributes: []localaws.Attribute{{Key: "CVSS4_SCORE", Value: "none"}, {Key: "CVSS3_SCORE", Value: "3"}}},
	{Name: "CVE-8", Severity: "HIGH"},
}

const basicCounts = `{"A_NEW_ONE": 1, "CRITICAL": 1, "HIGH": 1, "INFORMATIONAL": 1, "LOW": 1, "MEDIUM": 4, "UNDEFINED": 1}`

// plainFinding returns a finding of which nothing but name and severity is known.
func plainFinding(name, severity string) string {
	return `{"Name": "` + name + `", "Severity": "` + severity + `", "Uri": "", "Description": "", "Attributes": [],
		"PackageName": null, "PackageVersion": null, "FixedInVersion": null, "Score": null}`
}

func TestFindingsOfABasicScan(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, &localaws.Scan{CompletedAt: completedThen, SourceUpdatedAt: pushedThen, Findings: basicFindings})
	medium := func(pkg string) string {
		return changed(t, plainFinding("CVE-1", "MEDIUM"), `{"PackageName": "`+pkg+`", "Attributes": [{"Key": "package_name", "Value": "`+pkg+`"}]}`)
	}
	all := []string{
		`{"Name": "CVE-4", "Severity": "CRITICAL", "Uri": "https://cve.example/4", "Description": "It overflows.", "Attributes": [
			{"Key": "package_version", "Value": "1.1.1-1"}, {"Key": "package_name", "Value": "openssl"}, {"Key": "fixed_in_versions", "Value": "1.1.1-2"},
			{"Key": "CVSS2_SCORE", "Value": "5.0"}, {"Key": "CVSS3_SCORE", "Value": "9.8"}, {"Key": "CVSS2_VECTOR", "Value": ""}
		], "PackageName": "openssl", "PackageVersion": "1.1.1-1", "FixedInVersion": "1.1.1-2", "Score": 9.8}`,
		plainFinding("CVE-8", "HIGH"),
		changed(t, plainFinding("CVE-3", "MEDIUM"), `{"Score": 0, "Attributes": [{"Key": "CVSS2_SCORE", "Value": "9.9"}, {"Key": "CVSS3_SCORE", "Value": "0.0"}]}`),
		medium("bash"), medium("zlib"),
		plainFinding("CVE-2", "MEDIUM"),
		changed(t, plainFinding("CVE-7", "LOW"), `{"Score": 3, "Attributes": [{"Key": "CVSS4_SCORE", "Value": "none"}, {"Key": "CVSS3_SCORE", "Value": "3"}]}`),
		plainFinding("CVE-5", "INFORMATIONAL"),
		plainFinding("CVE-0", "UNDEFINED"),
		plainFinding("CVE-6", "A_NEW_ONE"),
	}
	want := changed(t, unscanned, `{
		"ImageScanFindingsSummary": {"FindingSeverityCounts": `+basicCounts+`,
			"ImageScanCompletedAt": "2020-12-14T16:02:36Z", "VulnerabilitySourceUpdatedAt": "2020-12-14T15:56:11Z"},
		"ImageScanStatus": {"Status": "COMPLETE", "Description": "The scan was completed successfully."},
		"ScanType": "BASIC", "FindingSeverityCounts": `+basicCounts+`,
		"ImageScanCompletedAt": "2020-12-14T16:02:36Z", "VulnerabilitySourceUpdatedAt": "2020-12-14T15:56:11Z",
		"FindingsComplete": true,
		"Findings": [`+strings.Join(all, ",")+`]
	}`)
	for query, shown := range map[string][]string{
		"":                                      all,
		"findings=true":                         all,
		"severity=HIGH":                         all[1:2],
		"severity=HIGH&severity=CRITICAL":       all[:2],
		"fixable=true":                          all[:1],
		"fixable=true&severity=HIGH":            {},
		"severity=UNTRIAGED":                    {},
		"severity=UNDEFINED&severity=UNDEFINED": all[8:9],
		"findings=true&severity=LOW":            all[6:7],
	} {
		e := v1(query)
		e.want = changed(t, want, `{"Findings": [`+strings.Join(shown, ",")+`]}`)
		w.run(e)
	}
	without := v1("findings=false")
	without.want = changed(t, want, `{"ScanType": null, "FindingsComplete": false, "Findings": null}`)
	w.forget()
	w.run(without)
	if calls := w.called(); slices.Contains(calls, "ecr:DescribeImageScanFindings") {
		t.Errorf("findings=false asks for findings: %s", calls)
	}
}

func TestQueryOfShowImage(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, nil)
	const both = `The query parameters "severity" and "fixable" select findings, but findings=false leaves them out.`
	const known = `The query parameter "severity" must be one of CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNDEFINED, UNTRIAGED.`
	for query, detail := range map[string]string{
		"severity=high":                known,
		"severity=":                    known,
		"severity=HIGH,LOW":            known,
		"severity=HIGH&severity=WORSE": known,
		"fixable=false":                `The query parameter "fixable" must be true.`,
		"fixable":                      `The query parameter "fixable" must be true.`,
		"fixable=true&fixable=true":    `The query parameter "fixable" is given twice.`,
		"findings=no":                  `The query parameter "findings" must be true or false.`,
		"findings=false&findings=true": `The query parameter "findings" is given twice.`,
		"findings=false&severity=LOW":  both,
		"fixable=true&findings=false":  both,
		"Severity=LOW":                 `"Severity" is not a query parameter of this request.`,
	} {
		e := v1(query)
		e.status, e.want = 400, problemOf("bad-request", detail)
		w.run(e)
	}
	if calls := w.called(); calls != nil {
		t.Errorf("AWS was called: %s", calls)
	}
}

// All findings are there, over all pages, and asked for by the digest after the
// first page.
func TestFindingsOverAllPages(t *testing.T) {
	t.Parallel()
	var found []localaws.Finding
	var want []string
	for i := range 2500 {
		score := float64(i*7%100) / 10
		found = append(found, localaws.Finding{
			Name: fmt.Sprintf("CVE-%04d", i), Severity: []string{"LOW", "CRITICAL", "MEDIUM"}[i%3],
			Attributes: []localaws.Attribute{{Key: "CVSS3_SCORE", Value: fmt.Sprint(score)}},
		})
		want = append(want, fmt.Sprintf("%d %04.1f CVE-%04d", []int{2, 0, 1}[i%3], 10-score, i)) // in the order of this text
	}
	slices.Sort(want)
	for i := range want {
		want[i] = want[i][7:]
	}
	w := newImageWorld(t, &localaws.Scan{CompletedAt: completedThen, Findings: found})
	status, _, body := w.do(v1(""))
	if diff := cmp.Diff(want, names(t, body)); status != 200 || diff != "" {
		t.Errorf("status %d, findings (-want +got):\n%s", status, diff)
	}
	if !strings.Contains(body, `"FindingsComplete":true`) {
		t.Error("the findings are not said to be complete")
	}
	if n := count(w.called(), "ecr:DescribeImageScanFindings"); n != 3 {
		t.Errorf("%d pages of findings, want 3: %s", n, w.called())
	}
}

// A tag moves after the first page of findings. The other pages are of the same
// image.
func TestTagThatMovesBetweenPages(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, &localaws.Scan{CompletedAt: completedThen, Findings: findingsOf("CVE-", 1500)})
	described := make(chan struct{})
	var once sync.Once
	w.after = func(c localaws.Call) {
		switch c.Operation {
		case "DescribeImages":
			close(described)
		case "DescribeImageScanFindings":
			once.Do(func() {
				<-described
				if err := w.aws.AddImage(account, region, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: otherDigest}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	status, _, body := w.do(v1(""))
	if found := names(t, body); status != 200 || len(found) != 1500 || !strings.Contains(body, `"ImageDigest":"`+shownDigest+`"`) {
		t.Errorf("status %d, %d findings: %.500s", status, len(found), body)
	}
	if n := count(w.called(), "ecr:DescribeImageScanFindings"); n != 2 {
		t.Errorf("%d pages of findings, want 2", n)
	}
}

// setScan makes an image with another scan of the one with the digest.
func (w *world) setScan(t *testing.T, digest string, scan *localaws.Scan) {
	t.Helper()
	direct := ecr.New(w.direct().session)
	_, err := direct.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a"), ImageIds: []*ecr.ImageIdentifier{{ImageDigest: &digest}}})
	if err != nil {
		t.Error(err)
	}
	if err := w.aws.AddImage(account, region, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: digest, Size: 16093514, PushedAt: pushedThen, Scan: scan}); err != nil {
		t.Error(err)
	}
}

// findingsOf returns a number of findings, with names of that prefix.
func findingsOf(prefix string, n int) (list []localaws.Finding) {
	for i := range n {
		list = append(list, localaws.Finding{Name: fmt.Sprintf("%s%04d", prefix, i), Severity: "LOW"})
	}
	return list
}

// Another scan ends between two pages. The service starts over, and gives up if
// that goes on.
func TestScanThatChangesBetweenPages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		changes  int
		complete bool
		pages    int
		one      string // of the names, if they are of one scan
	}{
		{"once", 1, true, 4, "scan1-"},
		{"twice", 2, true, 6, "scan2-"},
		{"each time", 10, false, 6, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			scan := func(n int) *localaws.Scan {
				return &localaws.Scan{CompletedAt: completedThen.Add(time.Duration(n) * time.Minute), Findings: findingsOf(fmt.Sprintf("scan%d-", n), 1500)}
			}
			w := newImageWorld(t, scan(0))
			changes, pages := 0, 0
			described := make(chan struct{})
			w.after = func(c localaws.Call) {
				switch c.Operation {
				case "DescribeImages":
					close(described) // the image is gone for a moment when its scan changes
					return
				case "DescribeImageScanFindings":
					<-described
				default:
					return
				}
				if pages++; pages%2 == 1 && changes < test.changes {
					changes++
					w.setScan(t, shownDigest, scan(changes))
				}
			}
			status, _, body := w.do(exchange{method: "GET", path: base + "/g/a/images/" + shownDigest})
			w.after = nil
			var answer struct{ FindingsComplete bool }
			if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil || answer.FindingsComplete != test.complete || pages != test.pages {
				t.Errorf("status %d, %v, complete: %v, %d pages, want %v and %d", status, err, answer.FindingsComplete, pages, test.complete, test.pages)
			}
			prefixes := map[string]bool{}
			found := names(t, body)
			for _, name := range found {
				prefixes[name[:len("scan0-")]] = true
			}
			if test.one != "" && (!maps.Equal(prefixes, map[string]bool{test.one: true}) || len(found) != 1500) {
				t.Errorf("%d findings of the scans %v, want 1500 of %s", len(found), prefixes, test.one)
			}
		})
	}
}

// A tag moves while the image and its findings are read at the same time. The
// answer is about one image.
func TestTagThatMovesBetweenTheCalls(t *testing.T) {
	t.Parallel()
	scanWith := func(name string) *localaws.Scan {
		return &localaws.Scan{CompletedAt: completedThen, Findings: []localaws.Finding{{Name: name, Severity: "LOW"}}}
	}
	for _, first := range []string{"DescribeImages", "DescribeImageScanFindings"} {
		for name, scans := range map[string][2]*localaws.Scan{
			"from one scan to another": {scanWith("CVE-old"), scanWith("CVE-new")},
			"to an unscanned image":    {scanWith("CVE-old"), nil},
			"from an unscanned image":  {nil, scanWith("CVE-new")},
		} {
			t.Run(first+" first, "+name, func(t *testing.T) {
				t.Parallel()
				w := newImageWorld(t, scans[0])
				second := map[string]string{"DescribeImages": "DescribeImageScanFindings", "DescribeImageScanFindings": "DescribeImages"}[first]
				moved := make(chan struct{})
				w.aws.Inject(localaws.Fault{Operation: "ecr:" + second, Times: 1, When: func(localaws.Call) bool {
					<-moved
					return false
				}})
				var once sync.Once
				w.after = func(c localaws.Call) {
					if c.Operation == first {
						once.Do(func() {
							defer close(moved)
							if err := w.aws.AddImage(account, region, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: otherDigest, Scan: scans[1]}); err != nil {
								t.Error(err)
							}
						})
					}
				}
				status, _, body := w.do(v1(""))
				var got struct {
					ImageDigest string
					Findings    []struct{ Name string }
				}
				if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
					t.Fatalf("status %d, %v: %s", status, err, body)
				}
				described, scan := shownDigest, scans[0]
				if first != "DescribeImages" {
					described, scan = otherDigest, scans[1]
				}
				var want []string
				if scan != nil {
					want = []string{scan.Findings[0].Name}
				}
				if diff := cmp.Diff(want, namesOrNil(t, body)); got.ImageDigest != described || diff != "" {
					t.Errorf("the image %s, want %s; findings (-want +got):\n%s", got.ImageDigest, described, diff)
				}
			})
		}
	}
}

// namesOrNil is names, but nil if Findings are null.
func namesOrNil(t *testing.T, body string) []string {
	if strings.Contains(body, `"Findings":null`) {
		return nil
	}
	return names(t, body)
}

func TestImagesThatCannotBeShown(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, nil)
	w.addRepository(account, "g/untagged", "")
	w.addImage(account, "g/untagged", localaws.Image{Tags: []string{"v1"}, Digest: shownDigest})
	w.addRepository(account, "g/others", otherOrg)
	w.addImage(account, "g/others", localaws.Image{Tags: []string{"v1"}})
	missing := func(id string) string {
		return problemByAWS("image-not-found", "The image with imageId "+id+" does not exist within the repository with name 'g/a' in the registry with id '012345678901'", "ImageNotFoundException")
	}
	const othersRepository = "That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used."
	for path, want := range map[string]exchange{
		"/g/a/images/v2":                       {status: 404, want: missing("{imageDigest:'null', imageTag:'v2'}")},
		"/g/a/images/" + otherDigest:           {status: 404, want: missing("{imageDigest:'" + otherDigest + "', imageTag:'null'}")},
		"/g/a/images/v2?findings=false":        {status: 404, want: missing("{imageDigest:'null', imageTag:'v2'}")},
		"/g/a/images/sha256:ab":                {status: 400, want: "-"},
		"/g/a/images/.v1":                      {status: 400, want: "-"},
		"/g/untagged/images/v1":                {status: 403, want: problemOf("other-org", othersRepository)},
		"/g/untagged/images/missing":           {status: 403, want: problemOf("other-org", othersRepository)},
		"/g/untagged/images/v1?findings=false": {status: 403, want: problemOf("other-org", othersRepository)},
		"/g/others/images/v1":                  {status: 403, want: "-"},
		"/g/others/images/missing":             {status: 403, want: "-"},
		"/g/missing/images/v1":                 {status: 404, want: "-"},
	} {
		want.method, want.path = http.MethodGet, base+path
		w.run(want)
	}
}

// The image is deleted when it was described, and its findings were not.
func TestImageThatIsDeletedBetweenTheCalls(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, &localaws.Scan{CompletedAt: completedThen, Findings: findingsOf("CVE-", 1500)})
	direct := ecr.New(w.direct().session)
	var once sync.Once
	described := make(chan struct{})
	w.after = func(c localaws.Call) {
		switch c.Operation {
		case "DescribeImages":
			close(described)
		case "DescribeImageScanFindings":
			once.Do(func() {
				<-described
				_, err := direct.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a"), ImageIds: []*ecr.ImageIdentifier{{ImageDigest: aws.String(shownDigest)}}})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	e := v1("")
	e.status, e.want = 404, "-"
	w.run(e)
}

// A fault of AWS while findings or manifests are read is told as such. It never
// becomes an image without findings.
func TestFaultsWhileAnImageIsShown(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"ecr:DescribeImageScanFindings", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:ListTagsForResource"} {
		for code, want := range map[string]string{
			"AccessDeniedException": "denied-by-aws", "ThrottlingException": "throttled", "LimitExceededException": "quota-reached",
			"ServerException": "internal", "InvalidParameterException": "bad-request", "UnableToGetUpstreamImageException": "internal",
		} {
			t.Run(operation+" "+code, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.addRepository(account, "g/a", org)
				w.addPlatforms("g/a", "v1")
				w.aws.Inject(localaws.Fault{Operation: operation, Code: code, Message: "AWS's own words"})
				status, _, body := w.do(v1(""))
				if said := parse(t, body).(map[string]any); status != statusByCode[want] || said["code"] != want {
					t.Errorf("status %d, want the code %s: %s", status, want, body)
				}
			})
		}
	}
}

// The role of an account that was set up before findings were read lacks the
// permission. Without findings the image can be shown.
func TestRoleThatMayNotReadFindings(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, nil)
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeImageScanFindings", Code: "AccessDeniedException",
		Message: "User: arn:aws:sts::012345678901:assumed-role/ecr-api/x is not authorized to perform: ecr:DescribeImageScanFindings on resource: x because no identity-based policy allows the ecr:DescribeImageScanFindings action"})
	e := v1("")
	e.status, e.want = 403, problemByAWS("denied-by-aws", "AWS denied ecr:DescribeImageScanFindings to the role of that account. Look at the permissions of the role, at the repository's own policy, "+
		"and at its tags: a second one whose key IAM may take for spinup:org, such as Spinup:Org, must be removed in AWS.", "AccessDeniedException")
	without := v1("findings=false")
	without.want = changed(t, unscanned, `{"ImageScanStatus": null}`)
	w.run(e, without)
}

// The read ends when its caller hangs up.
func TestShowImageEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, nil)
	w.run(exchange{method: "GET", path: base + "/g/a/images/v1", status: 200, want: "-"})
	w.hangUp(t, exchange{method: "GET", path: base + "/g/a/images/v1"}, 8*time.Second)
	waitFor(t, "the request to be logged", func() bool { return strings.Contains(w.log.String(), `"status":499`) })
}

// The service answers with the examples of the OpenAPI document.
func TestExamplesOfAnImage(t *testing.T) {
	t.Parallel()
	const name = "spindev-00001/my-awesome-repository"
	examples := maps.Clone(document().Paths.Value(imagePath).Get.Responses.Value("200").Value.Content["application/json"].Examples)
	scan := localaws.Scan{CompletedAt: completedThen, SourceUpdatedAt: time.Date(2020, 11, 4, 1, 21, 9, 0, time.UTC)}
	basic, enhanced := scan, scan
	basic.Findings = []localaws.Finding{
		{Name: "CVE-2019-18276", Severity: "LOW", Description: "Privileges that are not dropped in bash.", URI: "https://security-tracker.debian.org/tracker/CVE-2019-18276"},
		{Name: "CVE-2020-1971", Severity: "HIGH", Description: "A NULL pointer dereference in OpenSSL.", URI: "https://security-tracker.debian.org/tracker/CVE-2020-1971", Attributes: []localaws.Attribute{
			{Key: "package_version", Value: "1.1.1d-0+deb10u3"}, {Key: "package_name", Value: "openssl"}, {Key: "CVSS3_SCORE", Value: "5.9"},
		}},
	}
	enhanced.Enhanced = true
	enhanced.Findings = []localaws.Finding{{
		Name: "CVE-2020-14343", Severity: "CRITICAL", Description: "PyYAML runs code of untrusted input.", URI: "https://nvd.nist.gov/vuln/detail/CVE-2020-14343", Score: 9.8,
		Packages: []localaws.Package{{Name: "PyYAML", Version: "5.3.1", FixedInVersion: "5.4"}},
	}}
	image := localaws.Image{Digest: shownDigest, Size: 16093514, PushedAt: pushedThen}
	for example, add := range map[string]func(w *world){
		"basic": func(w *world) {
			image := image
			image.Tags, image.Scan = []string{"latest"}, &basic
			w.addImage(account, name, image)
		},
		"notScanned": func(w *world) { image := image; image.Tags = []string{"new"}; w.addImage(account, name, image) },
		"enhanced": func(w *world) {
			image := image
			image.Tags, image.Scan = []string{"enhanced"}, &enhanced
			w.addImage(account, name, image)
			w.enhance()
		},
		"index": func(w *world) {
			for n, size := range []int64{16093514, 14310207} {
				w.addImage(account, name, localaws.Image{Digest: digestNo(n + 1), Size: size})
			}
			w.addImage(account, name, localaws.Image{Tags: []string{"multi"}, Digest: otherDigest, PushedAt: pushedThen, MediaType: ociIndexType,
				Manifest: indexOf(platform(digestNo(1), `"architecture": "amd64", "os": "linux"`), platform(digestNo(2), `"architecture": "arm", "os": "linux", "variant": "v7"`))})
		},
	} {
		w := newWorld(t, changeAnswers(t, func(_, body string) string {
			if example == "index" { // AWS tells no such type of an index
				return strings.ReplaceAll(body, `"artifactMediaType":"application/vnd.docker.container.image.v1+json",`, "")
			}
			return body
		}))
		w.addRepository(account, name, org)
		add(w)
		want := examples[example].Value.Value
		tag := want.(map[string]any)["ImageTags"].([]any)[0].(string)
		w.run(exchange{name: example, method: "GET", path: base + "/" + name + "/images/" + tag, status: 200, want: jsonOf(want)})
		delete(examples, example)
	}
	for example := range examples {
		t.Errorf("the example %s is not tested", example)
	}
}
