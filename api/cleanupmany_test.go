package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
	"golang.org/x/sync/errgroup"
)

// addMany adds n images without tags to g/a, the first of which is the oldest.
func (w *world) addMany(n int) {
	w.t.Helper()
	for i := range n {
		w.addImage(account, "g/a", localaws.Image{Digest: digestNo(i), PushedAt: awsClock.Add(time.Duration(i-n) * time.Second)})
	}
}

// allOf returns the answer to a deletion of these images.
func allOf(from, to int) string {
	digests := []string{}
	for i := from; i < to; i++ {
		digests = append(digests, digestNo(i))
	}
	return goneAll(digests)
}

// goneAll returns the answer to a deletion of the images with these digests,
// which are sorted and have no tags.
func goneAll(gone []string) string {
	ids := []string{}
	for _, digest := range gone {
		ids = append(ids, `{"ImageDigest": "`+digest+`", "ImageTag": null}`)
	}
	return `{"DryRun": false, "ImageIds": [` + strings.Join(ids, ",") + `], "Failures": [], "DeletedImages": ` + jsonOf(gone) + `}`
}

// failAt makes the nth deletion fail.
func (w *world) failAt(nth int64, fault localaws.Fault) (mend func()) {
	var calls atomic.Int64
	fault.Operation = "ecr:BatchDeleteImage"
	fault.When = func(localaws.Call) bool { return calls.Add(1) >= nth }
	return w.aws.Inject(fault)
}

// A deletion that fails says how many images are gone, and how many may be. The
// same request goes on.
func TestCleanupThatFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		images int
		query  string
		at     int64 // the first deletion that fails
		fault  localaws.Fault
		status int
		want   string
	}{
		"the first is refused": {2, "tagged=false", 1, localaws.Fault{Code: "InvalidParameterException", Message: "no"}, 400,
			problemByAWS("bad-request", "no", "InvalidParameterException")},
		"the second is refused": {2, "status=ACTIVE", 2, localaws.Fault{Code: "InvalidParameterException", Message: "no"}, 400,
			failedChangeByAWS("bad-request", "no", []string{"1 image"}, nil, "InvalidParameterException")},
		"the second is throttled": {2, "status=ACTIVE", 2, localaws.Fault{Code: "ThrottlingException"}, 429,
			failedChangeByAWS("throttled", throttledDetail, []string{"1 image"}, nil, "ThrottlingException")},
		"the first may have gone": {2, "tagged=false", 1, localaws.Fault{Code: "ServerException", Status: 500}, 500,
			failedChangeByAWS("internal", internalError, nil, []string{"2 images"}, "ServerException")},
		"the second may have gone": {2, "status=ACTIVE", 2, localaws.Fault{Code: "ServerException", Status: 500}, 500,
			failedChangeByAWS("internal", internalError, []string{"1 image"}, []string{"2 images"}, "ServerException")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addRepository(account, "g/a", org)
			w.addMany(test.images)
			if strings.HasPrefix(test.query, "status") {
				w.addIndexOf("g/a", digestOf("a"), nil, digestNo(0), digestNo(1))
			}
			mend := w.failAt(test.at, test.fault)
			w.run(cleanUp(test.query, test.status, test.want))
			mend()
			w.run(cleanUp("status=ACTIVE", 200, "-"), exchange{method: "GET", path: base + "/g/a/images", status: 200, want: `[]`})
		})
	}
}

func TestCleanupOfTagsThatFails(t *testing.T) {
	t.Parallel()
	w := newCleanupWorld(t)
	mend := w.failAt(1, localaws.Fault{Drop: true})
	w.run(cleanUp("tag=v1", 500, failedChange("internal", internalError, nil, []string{"1 tag"})))
	mend()
	w.failAt(2, localaws.Fault{Code: "InvalidParameterException", Message: "no"})
	w.run(cleanUp("tag=v*", 400, failedChangeByAWS("bad-request", "no", []string{"1 tag"}, nil, "InvalidParameterException")))
}

// If the service cannot find out what was deleted, it says so.
func TestCleanupThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addMany(3)
	w.before("BatchDeleteImage", 1, func() {
		w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeImages", Code: "InvalidParameterException"})
	})
	w.aws.Inject(localaws.Fault{Operation: "ecr:BatchDeleteImage", Drop: true, AfterWork: true})
	w.run(cleanUp("tagged=false", 500, failedChange("internal", internalError, nil, []string{"3 images"})))
}

// There is not enough time for all. The same request goes on with what is left,
// and keeps the same images. The batches end in any order.
func TestCleanupWithoutEnoughTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 8 * time.Second })
	w.addRepository(account, "g/a", org)
	w.addMany(2300)
	mend := w.aws.Inject(localaws.Fault{Operation: "ecr:BatchDeleteImage", Delay: 1400 * time.Millisecond})
	status, _, body := w.do(cleanUp("tagged=false&keep=5", 0, ""))
	mend()
	left := slices.Sorted(maps.Keys(w.stateOf(w.administrator(), "g/a")))
	gone := 2300 - len(left)
	checkOutcome(t, body, 2300, len(left))
	said := fmt.Sprintf("The time for this request was over before all was deleted (%d of 2295 images). Done all the same: %d images. The same request, sent again, goes on.", gone, gone)
	want := with(problemOf("timeout", said), fmt.Sprintf(`"applied": ["%d images"]`, gone))
	if busy := strings.Contains(body, "AWS did not answer in time"); status != 504 || gone == 0 || gone >= 2295 || !busy && jsonOf(parse(t, body)) != jsonOf(parse(t, want)) {
		t.Fatalf("%d images are gone, and the answer is %d %s", gone, status, body)
	}
	w.run(cleanUp("tagged=false&keep=5", 200, goneAll(left[:len(left)-5])), cleanUp("tagged=false&keep=5", 200, allOf(0, 0)))
}

// Two equal requests at the same time delete each image once.
func TestEqualCleanupsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addMany(1100)
	var both errgroup.Group
	answers := make([]deletionAnswer, 2)
	for i := range answers {
		both.Go(func() error {
			status, _, body := w.do(cleanUp("tagged=false", 0, ""))
			if status != 200 {
				t.Errorf("status %d: %s", status, body)
			}
			return json.Unmarshal([]byte(body), &answers[i])
		})
	}
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := len(answers[0].DeletedImages) + len(answers[1].DeletedImages); n != 1100 {
		t.Errorf("together they say that %d images are gone", n)
	}
	w.run(exchange{method: "GET", path: base + "/g/a/images", status: 200, want: `[]`})
}

// Somebody replaces the repository by nobody's during the look.
func TestCleanupOfARepositoryThatIsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addMany(1001)
	api := w.administrator()
	w.before("DescribeImages", 2, func() {
		w.must(api.DeleteRepository(&awsecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a"), Force: aws.Bool(true)}))
		w.addRepository(account, "g/a", "")
		w.addMany(1001)
	})
	w.run(cleanUp("tagged=false&dryRun=true", 403, problemOf("other-org",
		"That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used.")))
	if left := len(w.stateOf(api, "g/a")); left != 1001 {
		t.Errorf("%d images are left", left)
	}
}
