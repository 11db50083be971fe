package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// A deletion that turns out to need more memory looks at the images again, before
// it deletes any. The next one knows how much it needs.
func TestCleanupThatNeedsMoreMemory(t *testing.T) {
	t.Parallel()
	const all = 4 << 20
	w := withListMemory(t, all)
	w.addRepository(account, "g/a", org)
	w.addMany(2500)
	release := w.lend(t, account, all/2-unknownList) // what is left to the account
	var answered sync.WaitGroup
	answered.Go(func() { w.run(cleanUp("tagged=false&dryRun=true", 200, "-")) })
	w.waitForWaits(t, 1)
	release()
	answered.Wait()
	pages := strings.Count(strings.Join(w.called(), " "), "DescribeImages")
	if pages <= 3 {
		t.Errorf("%d pages were read: it did not begin again", pages)
	}
	w.forget()
	w.run(cleanUp("tagged=false", 200, allOf(0, 2500)))
	if pages := strings.Count(strings.Join(w.called(), " "), "DescribeImages"); pages != 3+25 {
		t.Errorf("%d calls of DescribeImages: it did not know how much memory it needs", pages)
	}
}

func TestCleanupWaitsForMemoryInVain(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all, func(c *common.Config, _ *[]route) { c.RequestTimeout = time.Second })
	w.addRepository(account, "g/a", org)
	defer w.lend(t, account2, all)()
	w.run(exchange{method: "DELETE", path: base + "/g/a/images?tag=v1", status: 503, wants: http.Header{"Retry-After": {"1"}},
		want: problemOf("too-many-requests", "Too many long lists or bodies are being read. Try again.")})
	w.waitForWaits(t, 1)
	if called := w.called(); called != nil || w.lastLine(t)["memoryWait"] == nil {
		t.Errorf("AWS was called: %v, and the log line is %v", called, w.lastLine(t))
	}
}

// Indexes are read within the memory for lists. All of it is free afterwards.
func TestIndexesAreReadWithinTheMemory(t *testing.T) {
	t.Parallel()
	const all = 4 << 20
	w := withListMemory(t, all, func(c *common.Config, _ *[]route) { c.RequestTimeout = 2 * time.Second })
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: digestA})
	w.addIndexOf("g/a", indexDigest, []string{"multi"}, digestA)
	deletion := deleteOf(digestA, 409, inIndex(digestA, "the index "+indexDigest+" (multi)"))
	scan := exchange{method: "POST", path: base + "/g/a/images/multi/scan", status: 409, want: "-"}
	w.run(deletion, scan)

	release := w.lend(t, account2, all)
	w.forget()
	scan.status, scan.want = 503, problemOf("too-many-requests", "Too many long lists or bodies are being read. Try again.")
	w.run(scan)
	deletion.want = inIndex(digestA, "an index that is still there")
	w.run(deletion)
	if slices.Contains(w.called(), "ecr:BatchGetImage") || w.lastLine(t)["memoryWait"] == nil {
		t.Errorf("AWS was called: %v, and the log line is %v", w.called(), w.lastLine(t))
	}
	release()
}

// Nobody shares what a deletion has read, and it goes on without its caller.
func TestCleanupIsNobodyElses(t *testing.T) {
	t.Parallel()
	w := withListMemory(t, 4<<20)
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}})
	w.hangUp(t, exchange{method: "DELETE", path: base + "/g/a/images?tag=v1"}, time.Second)
	waitFor(t, "the deletion to be logged", func() bool { return strings.Contains(w.log.String(), `"action":"DeleteImages","awsCalls"`) })
	w.run(exchange{method: "GET", path: base + "/g/a/images", status: 200, want: `[]`})
}

// A handler that panics gives its memory back.
func TestPanicWithALoan(t *testing.T) {
	t.Parallel()
	w := withListMemory(t, 4<<20, changeRows(func(rt *route) {
		if rt.Name == "DeleteImages" {
			rt.Endpoint = handledBy(panicWithLoan)
		}
	}))
	w.unspecified = true
	w.run(exchange{method: "DELETE", path: base + "/g/a/images?tag=v1", status: 500, want: "-"})
}

func panicWithLoan(ctx context.Context, t target, _ deleteImagesInput) (*deletedImages, error) {
	return nil, t.loan.read(ctx, func(context.Context) error { panic("on purpose") })
}
