package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

var _ = describe("ScanImage", rowTest{
	given: func(w *world, account, repository, _ string) {
		w.addImage(account, repository, localaws.Image{Tags: []string{"latest"}})
	},
	calls: []string{"ecr:DescribeImages", "ecr:ListTagsForResource", "ecr:StartImageScan"},
	variants: []exchange{
		{name: "lost answer", method: "POST", path: base + "/g/lost-scan/images/latest/scan", status: 202},
		{name: "an image", method: "POST", path: base + "/g/images/images/latest/scan", status: 202},
		{name: "an index", method: "POST", path: base + "/g/lost-scan/images/index/scan", status: 409},
		{name: "missing", method: "POST", path: base + "/g/plain/images/latest/scan", status: 404},
	},
	may: []right{
		{do: []string{"ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers},
		{do: []string{"ecr:BatchGetImage", "ecr:StartImageScan"}, where: []string{inGroup}, whose: []string{ours}},
	},
	never: []right{denyOtherOrgs, {do: []string{"ecr:BatchGetImage", "ecr:StartImageScan"}, whose: []string{noOrg}}},
	notCalled: map[string]string{
		"ecr:BatchGetImage":             "tells the parts of an index",
		"ecr:DescribeImageScanFindings": "finds the scan after a lost answer",
	},
	changes:   map[string]change{"ecr:StartImageScan": {part: "Scan"}},
	redundant: []string{"statement 2 without StringEquals aws:ResourceTag/spinup:org"},
})

// addScanVariants adds what the variants of ScanImage need.
func (w *world) addScanVariants() {
	w.t.Helper()
	w.addRepository(account, "g/lost-scan", org)
	w.addImage(account, "g/lost-scan", localaws.Image{Tags: []string{"latest"}})
	w.addImage(account, "g/lost-scan", scanIndex("index", part{digest: digestA}))
	w.scanLater()
	w.aws.Inject(localaws.Fault{Operation: "ecr:StartImageScan", Times: 1, AfterWork: true, Drop: true, When: func(c localaws.Call) bool {
		return c.Repository == "g/lost-scan"
	}})
}

// scanLater lets a minute pass before the next attempt of a scan. The clock of
// the tests' AWS stands still otherwise, and the scan would seem to be older than
// the request for it.
func (w *world) scanLater() {
	pass := sync.OnceFunc(func() { w.later.Add(60) })
	w.aws.Inject(localaws.Fault{Operation: "ecr:StartImageScan", Code: "unused", When: func(localaws.Call) bool {
		pass()
		return false
	}})
}

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	digestC = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

	scanPath = base + "/g/a/images/latest/scan"

	scanLimit = "ECR scans an image once in 24 hours, and the scan at its push counts too. In an account it makes 100,000 scans in 24 hours. " +
		"One of these limits is reached. The scan quota per image has been exceeded. Wait and try again."
	scanParts = "If the registry has basic scanning, scan its parts: "

	noLatest = "The image with imageId {imageDigest:'null', imageTag:'latest'} does not exist within the repository with name 'g/a' in the registry with id '012345678901'"
)

// A part is an image in an index of the tests.
type part struct{ digest, platform, annotations string }

// scanIndex returns an index of these parts, with the digest digestC.
func scanIndex(tag string, parts ...part) localaws.Image {
	var named []string
	for _, p := range parts {
		named = append(named, fmt.Sprintf(`{"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": %q, "platform": {%s}, "annotations": {%s}}`,
			p.digest, p.platform, p.annotations))
	}
	const mediaType = "application/vnd.oci.image.index.v1+json"
	return localaws.Image{Tags: []string{tag}, Digest: digestC, MediaType: mediaType,
		Manifest: `{"schemaVersion": 2, "mediaType": "` + mediaType + `", "manifests": [` + strings.Join(named, ", ") + `]}`}
}

// newScanWorld returns a world with the repository g/a and an image in it.
func newScanWorld(t *testing.T, image localaws.Image) *world {
	t.Helper()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", image)
	return w
}

// startedScanOf returns the answer to a scan.
func startedScanOf(digest, status, description string) string {
	return fmt.Sprintf(`{"ImageDigest": %q, "ImageScanStatus": {"Status": %q, "Description": %s}}`, digest, status, description)
}

// scanOf returns the request of a scan of an image in g/a.
func scanOf(image string, status int, want string) exchange {
	return exchange{name: "scan of " + image, method: "POST", path: base + "/g/a/images/" + image + "/scan", status: status, want: want}
}

func TestScanImage(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}, Digest: digestA})
	w.addImage(account, "g/a", localaws.Image{Digest: digestB})
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"scanned-at-push"}, Digest: digestC, Scan: &localaws.Scan{CompletedAt: awsClock}})
	tooEarly := problemByAWS("quota-reached", scanLimit, "LimitExceededException")
	started := func(digest string) string { return startedScanOf(digest, "IN_PROGRESS", "null") }
	w.run(
		scanOf("latest", 202, started(digestA)),
		scanOf("latest", 429, tooEarly),
		scanOf(digestA, 429, tooEarly),
		scanOf(digestB, 202, started(digestB)),
		scanOf("scanned-at-push", 429, tooEarly),
	)
	w.later.Add(24 * 60 * 60)
	w.run(scanOf("latest", 202, started(digestA)), scanOf("scanned-at-push", 202, started(digestC)))
}

func TestScanOfAnIndex(t *testing.T) {
	t.Parallel()
	const isIndex = digestC + " is an index, which ECR does not scan. "
	amd64 := part{digestA, `"os": "linux", "architecture": "amd64"`, ""}
	arm64 := part{digestB, `"os": "linux", "architecture": "arm64", "variant": "v8"`, ""}
	attestation := part{digestB, `"os": "unknown", "architecture": "unknown"`, `"vnd.docker.reference.type": "attestation-manifest"`}
	var long []part
	nine := isIndex + scanParts
	for n := range 9 {
		long = append(long, part{digestNo(n), `"os": "` + strings.Repeat("o", 100) + `"`, ""})
		if n < 7 {
			nine += digestNo(n) + " (oooooooooooooooooooooooooooooo…), "
		}
	}
	nine += "and others."
	for name, test := range map[string]struct {
		parts  []part
		detail string
	}{
		"two platforms":       {[]part{amd64, arm64}, isIndex + scanParts + digestA + " (linux/amd64), " + digestB + " (linux/arm64/v8)."},
		"with an attestation": {[]part{amd64, attestation}, isIndex + scanParts + digestA + " (linux/amd64)."},
		"no platform told":    {[]part{{digest: digestA}}, isIndex + scanParts + digestA + " (unknown platform)."},
		"attestations only":   {[]part{attestation}, isIndex + "It names no image that can be scanned."},
		"an unknown platform": {[]part{amd64, {digest: digestB, platform: `"os": "unknown", "architecture": "unknown"`}}, isIndex + scanParts + digestA + " (linux/amd64)."},
		"named twice":         {[]part{amd64, arm64, amd64, {digestA, `"os": "windows"`, ""}}, isIndex + scanParts + digestA + " (linux/amd64), " + digestB + " (linux/arm64/v8)."},
		"odd digests":         {[]part{{digest: ""}, {digest: "sha512:ab"}, amd64}, isIndex + scanParts + digestA + " (linux/amd64)."},
		"empty":               {nil, isIndex + "It names no image that can be scanned."},
		"more than there is room for, with long names": {long, nine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScanWorld(t, scanIndex("latest", test.parts...))
			w.run(scanOf("latest", 409, problemOf("image-is-index", test.detail)), scanOf(digestC, 409, problemOf("image-is-index", test.detail)))
			if slices.Contains(w.called(), "ecr:StartImageScan") {
				t.Error("ECR was asked to scan the index")
			}
		})
	}
}

// If ECR does not tell the media type of an index, its refusal does.
func TestScanOfAnIndexWithoutAMediaType(t *testing.T) {
	t.Parallel()
	w := newWorld(t, changeAnswers(t, func(operation, body string) string {
		if operation == "DescribeImages" {
			return strings.Replace(body, "imageManifestMediaType", "other", 1)
		}
		return body
	}))
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", scanIndex("latest", part{digestA, `"os": "linux", "architecture": "amd64"`, ""}))
	w.run(scanOf("latest", 409, problemOf("image-is-index", digestC+" is an index, which ECR does not scan. "+scanParts+digestA+" (linux/amd64).")))
}

// An index that is deleted after the look names nothing.
func TestScanOfAnIndexThatIsDeleted(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, scanIndex("latest", part{digest: digestA}))
	w.aws.Inject(localaws.Fault{Operation: "ecr:BatchGetImage", Code: "unused", Times: 1, When: func(localaws.Call) bool {
		w.deleteImage(digestC)
		return false
	}})
	w.run(scanOf("latest", 404, problemOf("image-not-found", "The image "+digestC+" does not exist any more.")))
}

// deleteImage deletes an image of g/a by another way than the service.
func (w *world) deleteImage(digest string) {
	w.t.Helper()
	w.must(w.administrator().BatchDeleteImage(&awsecr.BatchDeleteImageInput{
		RepositoryName: aws.String("g/a"), ImageIds: []*awsecr.ImageIdentifier{{ImageDigest: &digest}},
	}))
}

// What AWS refuses to scan.
func TestRefusedScans(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		want  string
	}{
		"something else is not valid": {localaws.Fault{Code: "ValidationException", Message: "no"}, problemByAWS("bad-request", "no", "ValidationException")},
		"archived meanwhile":          {localaws.Fault{Code: "ImageArchivedException", Message: "It is archived"}, problemByAWS("bad-request", "It is archived", "ImageArchivedException")},
		"a chart of helm": {localaws.Fault{Code: "UnsupportedImageTypeException", Message: "An artifact with media type 'application/vnd.cncf.helm.config.v1+json' cannot be scanned."},
			problemByAWS("bad-request", "An artifact with media type 'application/vnd.cncf.helm.config.v1+json' cannot be scanned.", "UnsupportedImageTypeException")},
		"the account's limit": {localaws.Fault{Code: "LimitExceededException", Message: "All scans of the day are made."},
			problemByAWS("quota-reached", strings.Replace(scanLimit, "The scan quota per image has been exceeded. Wait and try again.", "All scans of the day are made.", 1), "LimitExceededException")},
		"a limit in words that name something of ours": {localaws.Fault{Code: "LimitExceededException", Message: "arn:aws:iam::012345678901:role/ecr-api"},
			problemByAWS("quota-reached", strings.Replace(scanLimit, "The scan quota per image has been exceeded. Wait and try again.",
				"AWS answered LimitExceededException. The log has its words: quote the requestId to whoever runs this service.", 1), "LimitExceededException")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}})
			test.fault.Operation = "ecr:StartImageScan"
			w.aws.Inject(test.fault)
			status := 400
			if strings.Contains(test.want, "quota-reached") {
				status = 429
			}
			w.run(scanOf("latest", status, test.want))
		})
	}
}

func TestScanOfWhatIsNoImage(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, localaws.Image{Tags: []string{"chart"}, MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.cncf.helm.config.v1+json"})
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"archived"}, Digest: digestA, Status: "ARCHIVED"})
	const archived = "The image with imageId {imageDigest:'" + digestA + "', imageTag:'null'} in the repository with name 'g/a' in the registry with id '012345678901' " +
		"is archived and cannot be scanned"
	w.run(
		scanOf("chart", 400, problemByAWS("bad-request", "An artifact with media type 'application/vnd.cncf.helm.config.v1+json' cannot be scanned. "+
			"For more information, see the Amazon ECR documentation.", "UnsupportedImageTypeException")),
		scanOf("archived", 400, problemByAWS("bad-request", archived, "ImageArchivedException")),
		scanOf("latest", 404, problemByAWS("image-not-found", noLatest, "ImageNotFoundException")),
		scanOf(":", 400, "-"),
	)
}

// The registry scans by itself, also if an answer gets lost.
func TestScanInARegistryWithEnhancedScanning(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}})
	w.addImage(account, "g/a", scanIndex("index", part{digest: digestA}))
	if err := w.aws.SetScanning(account, region, "ENHANCED"); err != nil {
		t.Fatal(err)
	}
	want := problemByAWS("scanned-by-registry", "The registry scans its images by itself (enhanced scanning), and not on demand. Show the image to see its findings.", "ValidationException")
	w.run(scanOf("latest", 409, want))
	w.loseAnswer("ecr:StartImageScan", localaws.Fault{Drop: true}, false)
	w.run(scanOf("latest", 409, want))
	w.run(scanOf("index", 409, problemOf("image-is-index", digestC+" is an index, which ECR does not scan. "+scanParts+digestA+" (unknown platform).")))
}

// Callers do not learn which images another org has.
func TestScanInOthersRepositories(t *testing.T) {
	t.Parallel()
	const notOurs = "That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used."
	w := newUnfencedWorld(t, changeRows(allowEverything))
	w.addRepository(account, "g/others", otherOrg)
	w.addRepository(account, "g/untagged", "")
	for _, name := range []string{"g/others", "g/untagged"} {
		w.addImage(account, name, localaws.Image{Tags: []string{"there"}})
		for _, image := range []string{"there", "missing"} {
			w.run(exchange{name: name + " " + image, method: "POST", path: base + "/" + name + "/images/" + image + "/scan", status: 403, want: problemOf("other-org", notOurs)})
		}
	}
	if slices.Contains(w.called(), "ecr:StartImageScan") {
		t.Error("ECR was asked to scan")
	}
}

// The tag moves to another image after the look. What was looked at is scanned,
// and nothing else.
func TestScanWhileTheTagMoves(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}, Digest: digestA})
	move := sync.OnceFunc(func() { w.addImage(account, "g/a", localaws.Image{Tags: []string{"latest"}, Digest: digestB}) })
	w.after = func(c localaws.Call) {
		if c.Operation == "DescribeImages" {
			move()
		}
	}
	w.run(
		scanOf("latest", 202, startedScanOf(digestA, "IN_PROGRESS", "null")),
		scanOf("latest", 202, startedScanOf(digestB, "IN_PROGRESS", "null")),
	)
}

const completed = `"The scan was completed successfully."`

// The answer to an attempt gets lost.
func TestLostScans(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}, Digest: digestA})
			w.addImage(account, "g/a", localaws.Image{Digest: digestB})
			w.scanLater()
			w.loseAnswer("ecr:StartImageScan", fault, true)
			w.run(scanOf("latest", 202, startedScanOf(digestA, "COMPLETE", completed)))
			w.loseAnswer("ecr:StartImageScan", fault, false)
			w.run(scanOf(digestB, 202, startedScanOf(digestB, "IN_PROGRESS", "null")))
			w.later.Add(2)
			w.loseAnswer("ecr:StartImageScan", fault, false)
			w.run(scanOf("latest", 429, problemByAWS("quota-reached", scanLimit, "LimitExceededException")))
		})
	}
}

// The answer to the first attempt gets lost, and AWS refuses the next one. What
// the image's last scan looks like says whether the first attempt has begun it.
func TestLostScanThatIsRefusedAfterwards(t *testing.T) {
	t.Parallel()
	const quota = "The scan quota per image has been exceeded. Wait and try again."
	limited := localaws.Fault{Code: "LimitExceededException", Message: quota}
	before := problemByAWS("quota-reached", scanLimit, "LimitExceededException")
	for name, test := range map[string]struct {
		scan   *localaws.Scan
		fault  localaws.Fault
		status int
		want   string
	}{
		"it runs":       {&localaws.Scan{Status: "IN_PROGRESS"}, limited, 202, startedScanOf(digestA, "IN_PROGRESS", "null")},
		"it waits":      {&localaws.Scan{Status: "PENDING"}, limited, 202, startedScanOf(digestA, "PENDING", "null")},
		"it has ended":  {&localaws.Scan{CompletedAt: awsClock.Add(time.Minute)}, limited, 202, startedScanOf(digestA, "COMPLETE", completed)},
		"it is older":   {&localaws.Scan{CompletedAt: awsClock.Add(-2 * time.Second)}, limited, 429, before},
		"there is none": {nil, limited, 429, before}, // the account's limit
		"it failed, and does not say when": {&localaws.Scan{Status: "FAILED"}, limited, 429,
			failedChangeByAWS("quota-reached", scanLimit, nil, []string{"Scan"}, "LimitExceededException")},
		"older, and AWS fails": {&localaws.Scan{CompletedAt: awsClock.Add(-2 * time.Second)}, localaws.Fault{Code: "ServerException", Status: 500}, 500,
			failedChangeByAWS("internal", internalError, nil, []string{"Scan"}, "ServerException")},
		"the image is gone": {nil, localaws.Fault{Code: "ImageNotFoundException", Message: "no image"}, 404, problemByAWS("image-not-found", "no image", "ImageNotFoundException")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}, Digest: digestA, Scan: test.scan})
			w.loseAnswer("ecr:StartImageScan", localaws.Fault{Drop: true}, false)
			test.fault.Operation = "ecr:StartImageScan"
			w.aws.Inject(test.fault)
			w.run(scanOf("latest", test.status, test.want))
		})
	}
}

// If nobody can find out whether the scan has begun, the answer says so.
func TestLostScanWhenReadingFailsToo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ start, read, code string }{
		"refused, and the read is throttled": {"LimitExceededException", "ThrottlingException", "ThrottlingException"},
		"denied, and the read is throttled":  {"AccessDeniedException", "ThrottlingException", "ThrottlingException"},
		"AWS fails in both":                  {"ServerException", "InternalFailure", "ServerException"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}})
			w.loseAnswer("ecr:StartImageScan", localaws.Fault{Drop: true}, true)
			w.aws.Inject(localaws.Fault{Operation: "ecr:StartImageScan", Code: test.start})
			w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeImageScanFindings", Code: test.read})
			status, want := 500, failedChangeByAWS("internal", internalError, nil, []string{"Scan"}, test.code)
			if test.code == "ThrottlingException" {
				status, want = 429, failedChangeByAWS("throttled", throttledDetail, nil, []string{"Scan"}, test.code)
			}
			w.run(scanOf("latest", status, want))
		})
	}
}

// An answer that is cut off does not say how the scan is.
func TestScanWithAnEmptyAnswer(t *testing.T) {
	t.Parallel()
	for _, empty := range []string{"", "{}"} {
		t.Run(empty, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, changeAnswers(t, func(operation, body string) string {
				if operation == "StartImageScan" {
					return empty
				}
				return body
			}))
			w.addRepository(account, "g/a", org)
			w.addImage(account, "g/a", localaws.Image{Tags: []string{"latest"}, Digest: digestA})
			w.scanLater()
			w.aws.Inject(localaws.Fault{Operation: "ecr:StartImageScan", Delay: 1}) // only a call with a fault tells the time anew
			w.run(scanOf("latest", 202, startedScanOf(digestA, "COMPLETE", completed)))
		})
	}
}

// The image is deleted before AWS denies its scan.
func TestDeniedScanOfAnImageThatIsDeleted(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}, Digest: digestA})
	w.aws.Inject(localaws.Fault{Operation: "ecr:StartImageScan", Code: "AccessDeniedException", Times: 1, When: func(localaws.Call) bool {
		w.deleteImage(digestA)
		return true
	}})
	w.run(scanOf("latest", 404, "-"))
}

// The service answers with the examples of the OpenAPI document.
func TestExamplesOfAScan(t *testing.T) {
	t.Parallel()
	responses := document().Paths.Value(imagePath + "/scan").Post.Responses
	of := func(status, contentType string) any {
		return responses.Value(status).Value.Content[contentType].Example
	}
	conflicts := responses.Value("409").Value.Content["application/problem+json"].Examples
	w := newScanWorld(t, localaws.Image{Tags: []string{"latest"}, Digest: shownDigest})
	w.addImage(account, "g/a", scanIndex("index", part{shownDigest, `"os": "linux", "architecture": "amd64"`, ""}, part{otherDigest, `"os": "linux", "architecture": "arm64", "variant": "v8"`, ""}))
	w.run(
		scanOf("latest", 202, jsonOf(of("202", "application/json"))),
		scanOf("latest", 429, exampleProblem(t, of("429", "application/problem+json"))),
		scanOf("index", 409, exampleProblem(t, conflicts["index"].Value.Value)),
	)
	w.enhance()
	w.run(scanOf("latest", 409, exampleProblem(t, conflicts["enhanced scanning"].Value.Value)))
	if len(conflicts) != 2 {
		t.Errorf("%d examples of conflicts, and 2 are tested", len(conflicts))
	}
}

// exampleProblem returns a problem document of an example with the ids that the
// tests' requests have.
func exampleProblem(t *testing.T, example any) string {
	t.Helper()
	problem := maps.Clone(example.(map[string]any))
	problem["requestId"] = "test"
	if _, told := problem["awsRequestId"]; told {
		problem["awsRequestId"] = "aws"
	}
	return jsonOf(problem)
}
