package api

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

var _ = describe("ShowLifecyclePreview", rowTest{
	given: func(w *world, account, repository, _ string) { w.addPreviewIn(account, repository, keepTen) },
	calls: []string{"ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource"},
	variants: []exchange{
		{name: "a preview", method: "GET", path: base + "/g/lifecycle/lifecycle/preview", status: 200},
		{name: "none", method: "GET", path: base + "/g/plain/lifecycle/preview", status: 404},
	},
	may:   []right{{do: []string{"ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers}},
	never: []right{denyOtherOrgs},
})

var _ = describe("PreviewLifecycle", rowTest{
	bodies: []string{keepTen, ""},
	calls:  []string{"ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource", "ecr:StartLifecyclePolicyPreview"},
	variants: []exchange{
		{name: "of the present policy", method: "POST", path: base + "/g/lifecycle/lifecycle/preview", status: 200},
		{name: "of another", method: "POST", path: base + "/g/plain/lifecycle/preview", body: expireOld, status: 200},
		{name: "without any", method: "POST", path: base + "/g/plain/lifecycle/preview", status: 404},
	},
	may: []right{
		{do: []string{"ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers},
		{do: []string{"ecr:StartLifecyclePolicyPreview"}, where: []string{inGroup}, whose: []string{ours}},
	},
	never:     []right{denyOtherOrgs, {do: []string{"ecr:StartLifecyclePolicyPreview"}, whose: []string{noOrg}}},
	redundant: onlyOurs,
})

const (
	inProgress  = `{"Status": "IN_PROGRESS", "Total": null, "Images": null}`
	nothingToDo = `{"Status": "COMPLETE", "Total": 0, "Images": []}`

	noPreview  = "Lifecycle policy preview does not exist for the repository with name 'g/a' in the registry with id '012345678901'"
	oneAtATime = "The previous lifecycle policy preview request for the repository with name 'g/a' in the registry with id '012345678901' has not completed. Wait and try again."

	keepOne   = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
	expireAll = `{"rules":[{"rulePriority":5,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`
)

// addPreviewIn starts a preview without the service.
func (w *world) addPreviewIn(account, repository, policy string) {
	w.t.Helper()
	if err := w.aws.AddPreview(account, region, repository, policy); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addPreview(repository, policy string) {
	w.t.Helper()
	w.addPreviewIn(account, repository, policy)
}

// setPreviews says how often a preview is in progress, and what it is then.
func (w *world) setPreviews(looks int, status string) {
	w.t.Helper()
	w.must(nil, w.aws.SetPreviews(localaws.Previews{Looks: looks, Status: status}))
}

// previewOfA returns a request for a preview in g/a.
func previewOfA(method, body string, status int, want string) exchange {
	return exchange{name: method + " preview " + body, method: method, path: base + "/g/a/lifecycle/preview", body: body, status: status, want: want}
}

func noPreviewThere() string {
	return problemByAWS("preview-not-found", noPreview, "LifecyclePolicyPreviewNotFoundException")
}

func underWayByAWS() string {
	return problemByAWS("preview-under-way", oneAtATime, "LifecyclePolicyPreviewInProgressException")
}

// seconds is an option for newWorld that sets the time of a request.
func seconds(n int) func(*common.Config, *[]route) {
	return func(c *common.Config, _ *[]route) { c.RequestTimeout = time.Duration(n) * time.Second }
}

// newPreviewWorld returns a world with the repository g/a, which has three images
// and a policy that keeps one. At the end of the test all memory must be free.
func newPreviewWorld(t *testing.T, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	w := withListMemory(t, 4<<20, change...)
	w.addRepository(account, "g/a", org)
	w.addLifecycle(account, "g/a", keepOne)
	for days, image := range []localaws.Image{
		{Digest: digestA, Tags: []string{"v2", "v10", "v1"}}, {Digest: digestB}, {Digest: digestC, Tags: []string{"latest"}},
	} {
		image.PushedAt = awsClock.AddDate(0, 0, days-3)
		w.addImage(account, "g/a", image)
	}
	return w
}

// oldestGo is what keepOne does to the images of newPreviewWorld.
const oldestGo = `{"Status": "COMPLETE", "Total": 2, "Images": [
	{"ImageDigest": "` + digestA + `", "ImageTags": ["v1", "v10", "v2"], "ImagePushedAt": "2040-12-11T15:34:18Z", "Action": "EXPIRE", "RulePriority": 1},
	{"ImageDigest": "` + digestB + `", "ImageTags": [], "ImagePushedAt": "2040-12-12T15:34:18Z", "Action": "EXPIRE", "RulePriority": 1}]}`

func TestPreview(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.run(
		previewOfA("GET", "", 404, noPreviewThere()),
		previewOfA("POST", "", 200, oldestGo),
		previewOfA("GET", "", 200, oldestGo),
		previewOfA("POST", keepTen, 200, nothingToDo),
		previewOfA("GET", "", 200, nothingToDo),
		previewOfA("POST", " \n", 200, oldestGo),
		lifecycleOf("DELETE", "", 200, neverEvaluated(keepOne)),
		previewOfA("POST", "", 404, noLifecycleThere()),
		previewOfA("POST", "{}", 400, problemOf("bad-request", "rules is needed.")),
		previewOfA("POST", "null", 400, problemOf("bad-request", "A JSON object is needed as the body.")),
		showOf("latest", 200), showOf(digestA, 200), // nothing is deleted
	)
}

// The images are in AWS's order, and their tags are sorted.
func TestOrderOfAPreview(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t, changeAnswers(t, func(operation, body string) string {
		return strings.Replace(body, `["v1","v10","v2"]`, `["v2","v1","v10"]`, 1)
	}))
	w.run(previewOfA("POST", "", 200, oldestGo))
}

// Of a preview that has failed or was too old there are no images.
func TestPreviewWithoutAResult(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"FAILED", "EXPIRED"} {
		w := newPreviewWorld(t)
		w.setPreviews(1, status)
		want := `{"Status": "` + status + `", "Total": null, "Images": null}`
		w.run(previewOfA("POST", keepOne, 200, want), previewOfA("GET", "", 200, want))
	}
}

// Archiving is shown like expiry.
func TestPreviewOfArchiving(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	const archive = `{"rules":[{"rulePriority":7,"selection":{"tagStatus":"tagged","tagPrefixList":["v"],"countType":"sinceImagePulled","countUnit":"days","countNumber":2},
		"action":{"type":"transition","targetStorageClass":"archive"}},
		{"rulePriority":8,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":1},"action":{"type":"expire"}}]}`
	w.run(previewOfA("POST", archive, 200, strings.Replace(strings.Replace(oldestGo, `"EXPIRE", "RulePriority": 1`, `"TRANSITION", "RulePriority": 7`, 1),
		`"RulePriority": 1`, `"RulePriority": 8`, 1)))
}

// The service waits until the preview is complete.
func TestPreviewIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.setPreviews(3, "")
	w.forget()
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
	if looks := count(w.called(), "ecr:GetLifecyclePolicyPreview"); looks != 5 { // the last one is for the page
		t.Errorf("%d looks", looks)
	}
}

// If the time of the request does not suffice, the answer is 202, and GET tells
// later.
func TestPreviewThatTakesLong(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t, seconds(2))
	w.setPreviews(1000, "")
	w.run(previewOfA("POST", keepOne, 202, inProgress), previewOfA("GET", "", 202, inProgress))
	w.setPreviews(0, "")
	w.run(previewOfA("GET", "", 200, oldestGo))
}

// The time ends among the pages of a complete preview.
func TestPreviewWithLatePages(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t, seconds(6))
	w.addOld(0, 150)
	pages := 0
	w.aws.Inject(localaws.Fault{Operation: "ecr:GetLifecyclePolicyPreview", Delay: time.Minute, When: func(localaws.Call) bool {
		pages++
		return pages > 2 // the first one is a look
	}})
	w.run(previewOfA("POST", keepOne, 504, problemOf("timeout",
		"The preview is complete, but its images could not be read in time. GET …/lifecycle/preview reads them.")))
}

// Half of the time is kept for the pages.
func TestPreviewKeepsTimeForItsPages(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t, seconds(10))
	w.setPreviews(1000, "")
	looks := 0
	w.after = func(c localaws.Call) {
		if c.Operation == "GetLifecyclePolicyPreview" {
			looks++
		}
	}
	w.run(previewOfA("POST", keepOne, 202, inProgress))
	if looks > 4 { // after 0.25, 0.75, 1.75 and 3.75 seconds, and not after 7.75
		t.Errorf("%d looks", looks)
	}
}

// A caller that hangs up ends the wait.
func TestPreviewEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.setPreviews(1_000_000, "")
	waiting := make(chan struct{})
	gone := sync.OnceFunc(func() { close(waiting) })
	w.after = func(c localaws.Call) {
		if c.Operation == "GetLifecyclePolicyPreview" {
			gone()
		}
	}
	w.hangUpWhen(t, previewOfA("POST", keepOne, 0, ""), waiting)
	waitFor(t, "the request to be logged", func() bool { return strings.Contains(w.log.String(), `"status":499`) })
	calls := len(w.called())
	time.Sleep(600 * time.Millisecond) // in which another look would come
	if more := w.called()[calls:]; len(more) > 0 {
		t.Errorf("after the caller hung up: %v", more)
	}
}

// Two hundred and fifty images are on three pages. Their order is AWS's.
func TestPreviewOfManyImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	var images []string
	for n := range 250 {
		pushed := awsClock.Add(time.Duration(n-1000) * time.Hour)
		w.addImage(account, "g/a", localaws.Image{Digest: digestNo(n), PushedAt: pushed})
		images = append(images, fmt.Sprintf(`{"ImageDigest": %q, "ImageTags": [], "ImagePushedAt": %q, "Action": "EXPIRE", "RulePriority": 5}`,
			digestNo(n), pushed.Format(time.RFC3339)))
	}
	all := `{"Status": "COMPLETE", "Total": 250, "Images": [` + strings.Join(images, ",") + `]}`
	w.run(previewOfA("POST", expireAll, 200, all))
	w.forget()
	w.run(previewOfA("GET", "", 200, all))
	if pages := count(w.called(), "ecr:GetLifecyclePolicyPreview"); pages != 3 {
		t.Errorf("%d pages", pages)
	}
}

// AWS makes a preview of another document.
func TestPreviewWhileAnotherIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.setPreviews(1_000_000, "")
	w.addPreview("g/a", expireAll)
	w.run(previewOfA("POST", keepOne, 409, underWayByAWS()))
	w.setPreviews(0, "")
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
}

// AWS makes a preview of the same document, in other words.
func TestPreviewOfTheSameDocumentIsJoined(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.setPreviews(3, "")
	w.addPreview("g/a", "  "+strings.Replace(keepOne, `"tagStatus":"any","countType":"imageCountMoreThan"`, `"countType": "imageCountMoreThan", "tagStatus": "\u0061ny"`, 1))
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
	if starts := count(w.called(), "ecr:StartLifecyclePolicyPreview"); starts != 1 {
		t.Errorf("AWS was asked %d times to start a preview", starts)
	}
}

// The preview that is under way ends between the refusal and the look.
func TestPreviewThatEndsBeforeTheLook(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.addPreview("g/a", expireAll)
	w.aws.Inject(localaws.Fault{Operation: "ecr:StartLifecyclePolicyPreview", Code: "LifecyclePolicyPreviewInProgressException", Message: oneAtATime, Times: 1})
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
}

// AWS refuses each start, because of a preview that is gone before the look, or
// that has ended by then.
func TestPreviewThatCannotBeStarted(t *testing.T) {
	t.Parallel()
	for preview, starts := range map[string]int{"": 1, expireAll: 4} {
		w := newPreviewWorld(t)
		if preview != "" {
			w.addPreview("g/a", preview)
		}
		w.aws.Inject(localaws.Fault{Operation: "ecr:StartLifecyclePolicyPreview", Code: "LifecyclePolicyPreviewInProgressException", Message: oneAtATime})
		w.run(previewOfA("POST", keepOne, 409, underWayByAWS()))
		if n := count(w.called(), "ecr:StartLifecyclePolicyPreview"); n != starts {
			t.Errorf("AWS was asked %d times to start a preview, want %d", n, starts)
		}
	}
}

// Between two pages a preview of the same document is started, and it is in
// progress at the second one.
func TestPreviewInProgressAtTheSecondPage(t *testing.T) {
	t.Parallel()
	var w *world
	w = newPreviewWorld(t, afterFirstPage(t, func() {
		w.setPreviews(1, "")
		w.addPreview("g/a", keepOne)
	}))
	w.addOld(0, 150)
	w.addPreview("g/a", keepOne)
	w.wantPreview(152, 4)
}

// The answer to the start gets lost. The SDK starts once more, and finds its own
// preview under way.
func TestLostStartOfAPreview(t *testing.T) {
	t.Parallel()
	for name, fault := range lostAnswerFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPreviewWorld(t)
			w.setPreviews(3, "")
			w.loseAnswer("ecr:StartLifecyclePolicyPreview", fault, true)
			w.run(previewOfA("POST", keepOne, 200, oldestGo))
		})
	}
}

// Somebody else's preview takes the place of ours between two looks, and between
// two pages.
func TestPreviewThatIsReplaced(t *testing.T) {
	t.Parallel()
	for name, look := range map[string]int{"between two looks": 1, "before the pages": 2, "between two pages": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPreviewWorld(t)
			for n := range 150 {
				w.addImage(account, "g/a", localaws.Image{Digest: digestNo(n), PushedAt: awsClock.AddDate(0, 0, -2)})
			}
			w.setPreviews(1, "")
			looks := 0
			w.after = func(c localaws.Call) {
				if c.Operation != "GetLifecyclePolicyPreview" {
					return
				}
				if looks++; looks == look {
					w.addPreview("g/a", expireAll)
					w.setPreviews(0, "")
				}
			}
			status, _, body := w.do(previewOfA("POST", keepOne, 0, ""))
			answer := parse(t, body).(map[string]any)
			if status != 200 || answer["Total"] != 152.0 || slices.ContainsFunc(answer["Images"].([]any), func(i any) bool { return i.(map[string]any)["RulePriority"] != 1.0 }) {
				t.Errorf("status %d: %.300s", status, body)
			}
			if starts := count(w.called(), "ecr:StartLifecyclePolicyPreview"); starts != 2 {
				t.Errorf("AWS was asked %d times to start a preview", starts)
			}
		})
	}
}

// Somebody else's preview takes the place of ours, and is under way when the time
// to wait is over. The answer does not pass it off as ours.
func TestPreviewThatIsReplacedByOneUnderWay(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.setPreviews(math.MaxInt, "")
	replace := sync.OnceFunc(func() { w.addPreview("g/a", expireAll) })
	w.after = func(c localaws.Call) {
		if c.Operation == "GetLifecyclePolicyPreview" {
			replace()
		}
	}
	w.run(previewOfA("POST", keepOne, 409, underWayByAWS()))
}

// A preview that is read later is replaced between two pages. AWS may refuse the
// second one then.
func TestLastPreviewThatIsReplaced(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]localaws.Fault{
		"AWS answers":   {Operation: "none"},
		"AWS refuses":   {Operation: "ecr:GetLifecyclePolicyPreview", Code: "InvalidParameterException", Times: 1},
		"there is none": {Operation: "ecr:GetLifecyclePolicyPreview", Code: "LifecyclePolicyPreviewNotFoundException", Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPreviewWorld(t)
			for n := range 150 {
				w.addImage(account, "g/a", localaws.Image{Digest: digestNo(n), PushedAt: awsClock.AddDate(0, 0, -2)})
			}
			w.addPreview("g/a", keepOne)
			replace := sync.OnceFunc(func() {
				w.addPreview("g/a", expireAll)
				w.aws.Inject(fault)
			})
			w.after = func(c localaws.Call) {
				if c.Operation == "GetLifecyclePolicyPreview" {
					replace()
				}
			}
			status, _, body := w.do(previewOfA("GET", "", 0, ""))
			answer := parse(t, body).(map[string]any)
			if status != 200 || answer["Total"] != 152.0 || slices.ContainsFunc(answer["Images"].([]any), func(i any) bool { return i.(map[string]any)["RulePriority"] != 5.0 }) {
				t.Errorf("status %d: %.300s", status, body)
			}
		})
	}
}

// addOld adds images that keepOne expires, each older than the one before, and
// older than all that are there.
func (w *world) addOld(from, to int) {
	w.t.Helper()
	for n := from; n < to; n++ {
		w.addImage(account, "g/a", localaws.Image{Digest: digestNo(n), PushedAt: awsClock.AddDate(-1, 0, -n)})
	}
}

// afterFirstPage returns an option for newWorld. It does something between AWS's answer
// with the first page of a preview and the next call. AWS's answers do not say how
// many images there are.
func afterFirstPage(t *testing.T, do func()) func(*common.Config, *[]route) {
	do = sync.OnceFunc(do)
	return changeAnswers(t, func(operation, body string) string {
		if operation == "GetLifecyclePolicyPreview" && strings.Count(body, `"imageDigest"`) == 100 {
			do()
		}
		if start, _, ok := strings.Cut(body, `,"summary":`); ok {
			return start + "}"
		}
		return body
	})
}

// wantPreview fails the test unless GET answers the preview of so many different
// images, after so many pages.
func (w *world) wantPreview(total, pages int) {
	w.t.Helper()
	w.forget()
	status, _, body := w.do(previewOfA("GET", "", 0, ""))
	var answer struct {
		Total  int
		Images []struct{ ImageDigest string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		w.t.Error(err)
	}
	digests := map[string]bool{}
	for _, i := range answer.Images {
		digests[i.ImageDigest] = true
	}
	if status != 200 || answer.Total != total || len(answer.Images) != total || len(digests) != total {
		w.t.Errorf("status %d, and %d different images of %d: %.300s", status, len(digests), answer.Total, body)
	}
	if looks := count(w.called(), "ecr:GetLifecyclePolicyPreview"); looks != pages {
		w.t.Errorf("%d pages were read, want %d", looks, pages)
	}
}

// Somebody asks for a preview of the same document between two pages, and the
// repository has changed meanwhile.
func TestPreviewThatIsReplacedByOneOfTheSameDocument(t *testing.T) {
	t.Parallel()
	var w *world
	w = newPreviewWorld(t, afterFirstPage(t, func() {
		w.addOld(150, 151)
		w.addPreview("g/a", keepOne)
	}))
	w.addOld(0, 150)
	w.addPreview("g/a", keepOne)
	w.wantPreview(153, 4)
}

// The images of a preview must be as many as AWS says, and all different. If AWS
// does not say how many, they must be different.
func TestPagesOfAPreviewThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		old, new string
		from     int // the page, of the two that are read first
		untold   bool
	}{
		"more are counted":                 {`152}`, `153}`, 1, false},
		"more are counted in all":          {`152}`, `152,"transitioningImageTotalCounts":[{"imageTotalCount":1}]}`, 1, false},
		"more are counted the second time": {`152}`, `153}`, 2, false},
		"an image comes twice":             {digestNo(120), digestNo(20), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pages := 0
			w := newPreviewWorld(t, changeAnswers(t, func(operation, body string) string {
				if operation != "GetLifecyclePolicyPreview" {
					return body
				}
				if pages++; test.from <= pages && pages <= 2 {
					body = strings.Replace(body, test.old, test.new, 1)
				}
				if test.untold {
					body = strings.Replace(body, `,"summary":{"expiringImageTotalCount":152}`, "", 1)
				}
				return body
			}))
			w.addOld(0, 150)
			w.addPreview("g/a", keepOne)
			w.wantPreview(152, 4)
		})
	}
}

// The memory of a preview that was replaced is free while the next one is waited
// for.
func TestMemoryOfAPreviewThatIsReplaced(t *testing.T) {
	t.Parallel()
	var w *world
	w = newPreviewWorld(t, afterFirstPage(t, func() {
		w.setPreviews(2, "")
		w.addPreview("g/a", keepOne)
	}))
	w.addOld(0, 150)
	const all = 4 << 20 // as newPreviewWorld has it
	looks := 0
	w.after = func(c localaws.Call) {
		if c.Operation == "GetLifecyclePolicyPreview" {
			looks++
		}
		if looks == 4 { // one, two pages, and one of the next preview
			w.lend(t, account2, all)()
			looks++
		}
	}
	status, _, body := w.do(previewOfA("POST", keepOne, 0, ""))
	if answer := parse(t, body).(map[string]any); status != 200 || answer["Total"] != 152.0 || looks < 6 {
		t.Errorf("status %d, %d looks: %.300s", status, looks, body)
	}
}

// A preview that others replace each time is not read for ever.
func TestPreviewThatIsReplacedEachTime(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.after = func(c localaws.Call) {
		if c.Operation == "StartLifecyclePolicyPreview" {
			w.addPreview("g/a", expireAll)
		}
	}
	w.run(previewOfA("POST", keepOne, 409, problemOf("preview-under-way",
		"Others ask for previews of this repository at the same time, and AWS keeps only the last one. Try again later.")))
}

// AWS throttles the looks. They come again anyway, so they take no retries from
// other calls.
func TestThrottledLooksAtAPreview(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "ecr:GetLifecyclePolicyPreview", Code: "ThrottlingException", Times: 3})
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
	if looks := count(w.called(), "ecr:GetLifecyclePolicyPreview"); looks != 5 {
		t.Errorf("%d looks, want three that are throttled, one, and the page", looks)
	}
	if calls := w.metrics()[`ecr_api_aws_calls_total{operation="GetLifecyclePolicyPreview",result="throttled",service="ecr"}`]; calls != "3" {
		t.Errorf("%q looks were throttled, so the SDK has repeated others", calls)
	}

	w = newPreviewWorld(t, seconds(2))
	w.aws.Inject(localaws.Fault{Operation: "ecr:GetLifecyclePolicyPreview", Code: "ThrottlingException"})
	w.run(previewOfA("POST", keepOne, 202, inProgress))
}

// The log line has AWS's id of each call of a preview, also of a look that AWS
// throttles.
func TestLogOfAPreview(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.setPreviews(1, "")
	w.aws.Inject(localaws.Fault{Operation: "ecr:GetLifecyclePolicyPreview", Code: "ThrottlingException", Times: 1})
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
	var operations []string
	for _, call := range w.lastLine(t)["awsCalls"].([]any) {
		operation, id, _ := strings.Cut(call.(string), " ")
		if operations = append(operations, operation); operation != "AssumeRole" && len(id) < 36 {
			t.Errorf("a call without its id: %s", call)
		}
	}
	if looks := count(operations, "GetLifecyclePolicyPreview"); looks != 4 {
		t.Errorf("%d looks are logged, want one that is throttled, one while it is in progress, one, and the page: %v", looks, operations)
	}
}

// A look that fails otherwise is told. A repository that goes meanwhile is too.
func TestFailedLooksAtAPreview(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault localaws.Fault
		want  string
	}{
		{localaws.Fault{Code: "ServerException", Status: 500}, problemByAWS("internal", internalError, "ServerException")},
		{localaws.Fault{Code: "RepositoryNotFoundException", Message: noRepository}, problemByAWS("repository-not-found", noRepository, "RepositoryNotFoundException")},
	} {
		w := newPreviewWorld(t)
		test.fault.Operation = "ecr:GetLifecyclePolicyPreview"
		w.aws.Inject(test.fault)
		status := 500
		if test.fault.Status == 0 {
			status = 404
		}
		w.run(previewOfA("POST", keepOne, status, test.want))
	}
}

// AWS may find a preview only some time after its start. If it does not find it
// then, there is none.
func TestPreviewThatIsNotFound(t *testing.T) {
	t.Parallel()
	gone := localaws.Fault{Operation: "ecr:GetLifecyclePolicyPreview", Code: "LifecyclePolicyPreviewNotFoundException", Message: noPreview, Times: 2}
	w := newPreviewWorld(t)
	w.aws.Inject(gone)
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
	gone.Times = 3
	w.aws.Inject(gone)
	w.run(previewOfA("POST", keepOne, 404, noPreviewThere()))
}

// AWS denies the start once, because it does not know the tags yet.
func TestDeniedStartOfAPreview(t *testing.T) {
	t.Parallel()
	w := newPreviewWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "ecr:StartLifecyclePolicyPreview", Code: "AccessDeniedException", Message: "not yet", Times: 1})
	w.run(previewOfA("POST", keepOne, 200, oldestGo))
}

// The images are read within the memory for lists, which a preview needs at its
// end only.
func TestPreviewWaitsForMemory(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all, seconds(3))
	w.addRepository(account, "g/a", org)
	release := w.lend(t, account2, all)
	w.run(previewOfA("POST", keepOne, 503, problemOf("too-many-requests", "Too many long lists or bodies are being read. Try again.")))
	w.waitForWaits(t, 1)

	waiting := make(chan struct{})
	var hungUp sync.WaitGroup
	hungUp.Go(func() { w.hangUpWhen(t, previewOfA("POST", keepOne, 0, ""), waiting) })
	w.waitForWaits(t, 2)
	close(waiting)
	hungUp.Wait()
	waitFor(t, "the request to be logged", func() bool { return strings.Contains(w.log.String(), `"code":"canceled"`) })
	release()
	w.run(previewOfA("POST", keepOne, 200, nothingToDo), previewOfA("GET", "", 200, nothingToDo))
}
