package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// withListMemory is newWorld with so much memory for lists. When the test ends,
// all of it must be free.
func withListMemory(t *testing.T, bytes int64, change ...func(*common.Config, *[]route)) *world {
	t.Helper()
	w := newWorld(t, change...)
	memory, err := newMemory(bytes)
	if err != nil {
		t.Fatal(err)
	}
	w.service.lists.memory = memory
	t.Cleanup(func() {
		waitFor(t, "all memory to be free", func() bool {
			memory.mu.Lock()
			defer memory.mu.Unlock()
			return memory.all.TryAcquire(bytes) && len(memory.accounts) == 0 && len(w.service.lists.waiting) == 0
		})
	})
	return w
}

// lend takes memory from the lists of the account until release is called.
func (w *world) lend(t *testing.T, account string, bytes int64) (release func()) {
	t.Helper()
	s := w.service.lists.memory.try(account, bytes)
	if s == nil {
		t.Fatal("there is not so much memory")
	}
	return func() { s.giveBack(bytes) }
}

// waitForUsers waits until one list waits for memory, for n requests.
func (w *world) waitForUsers(t *testing.T, n int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d requests to wait", n), func() bool {
		w.service.lists.mu.Lock()
		defer w.service.lists.mu.Unlock()
		for _, r := range w.service.lists.waiting {
			return r.users == n+1
		}
		return n == 0
	})
}

// shareLists sends equal requests at the same time, which share one answer.
func (w *world) shareLists(t *testing.T, e exchange, n int) {
	t.Helper()
	release := w.lend(t, account2, w.service.lists.memory.size)
	var answered sync.WaitGroup
	for i := range n {
		answered.Go(func() { w.run(e) })
		w.waitForUsers(t, i+1)
	}
	release()
	answered.Wait()
}

func listBy(id string) exchange {
	return exchange{method: "GET", path: base, header: map[string]string{"X-Request-Id": id}, status: 200, want: `["g/a"]`}
}

func TestListsThatWaitShareOneAnswer(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	change, portal := twoKeys(t)
	w := withListMemory(t, all, change)
	w.addRepository(account, "g/a", org)
	release := w.lend(t, account2, all)
	var answered sync.WaitGroup
	for i, id := range []string{"first", "second", "third"} {
		answered.Go(func() { w.run(listBy(id)) })
		w.waitForUsers(t, i+1)
	}
	answered.Go(func() {
		w.run(exchange{name: "another list", method: "GET", path: base + "/g", status: 200, want: `["g/a"]`})
	})
	byPortal := listBy("portal")
	byPortal.header["X-Auth-Token"] = portal
	answered.Go(func() { w.run(byPortal) })
	waitFor(t, "the other lists", func() bool {
		w.service.lists.mu.Lock()
		defer w.service.lists.mu.Unlock()
		return len(w.service.lists.waiting) == 3
	})
	if calls := w.called(); calls != nil {
		t.Errorf("AWS was called before there was memory: %v", calls)
	}
	release()
	answered.Wait()
	if diff := cmp.Diff([]string{
		"ecr:DescribeRepositories", "ecr:DescribeRepositories", "ecr:DescribeRepositories", "sts:AssumeRole", "sts:AssumeRole",
	}, slices.Sorted(slices.Values(w.called()))); diff != "" {
		t.Errorf("AWS calls (-want +got):\n%s", diff)
	}
	lines := map[string]map[string]any{}
	for _, line := range w.logged(t) {
		lines[line["requestId"].(string)] = line
	}
	first := lines["first"]
	for _, id := range []string{"second", "third"} {
		if line := lines[id]; line["sharedWith"] != "first" || !cmp.Equal(line["awsCalls"], first["awsCalls"]) || line["awsTime"] == nil {
			t.Errorf("the line of the %s request is %v,\nthat of the first %v", id, line, first)
		}
	}
	for id, line := range lines {
		if wait, ok := line["memoryWait"].(float64); !ok || wait <= 0 {
			t.Errorf("the wait of the %s request is not in the log: %v", id, line)
		}
	}
	w.waitForWaits(t, 3) // of lists
	for _, id := range []string{"first", "test", "portal"} {
		if shared := lines[id]["sharedWith"]; shared != nil {
			t.Errorf("the %s request shared the answer of %v", id, shared)
		}
	}
}

// A caller must see what was changed before its request.
func TestListThatAsksAWSIsNotShared(t *testing.T) {
	t.Parallel()
	w := withListMemory(t, 8<<20)
	var asked atomic.Int64
	proceed := make(chan struct{})
	w.after = func(c localaws.Call) {
		if c.Operation == "DescribeRepositories" && asked.Add(1) == 1 {
			<-proceed // AWS has decided on its answer
		}
	}
	var answered sync.WaitGroup
	answered.Go(func() { w.run(exchange{name: "before", method: "GET", path: base, status: 200, want: `[]`}) })
	waitFor(t, "AWS to be asked", func() bool { return asked.Load() == 1 })
	w.addRepository(account, "g/a", org)
	w.run(listBy("after"))
	close(proceed)
	answered.Wait()
}

// startThenCancel sends a request, which hangUp cancels. Its answer must not
// come before that.
func (w *world) startThenCancel(t *testing.T, e exchange) (hangUp func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, e.method, w.url+e.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token())
	r.Header.Set("X-Request-Id", e.header["X-Request-Id"])
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
			response.Body.Close()
			t.Error("it answered before the caller hung up")
		}
	}()
	return func() {
		cancel()
		<-ended
		waitFor(t, "the request to be logged", func() bool { return strings.Contains(w.log.String(), `"status":499`) })
	}
}

// A caller that hangs up does not take the list from others, neither while it
// waits nor while AWS is asked.
func TestHangingUpLeavesTheListToOthers(t *testing.T) {
	t.Parallel()
	for name, whileAsking := range map[string]bool{"while it waits": false, "while AWS is asked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const all = 1 << 20
			w := withListMemory(t, all)
			w.addRepository(account, "g/a", org)
			proceed, asked := make(chan struct{}), make(chan struct{})
			w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Times: 1, When: func(localaws.Call) bool {
				close(asked)
				<-proceed
				return true
			}})
			release := w.lend(t, account2, all)
			hangUp := w.startThenCancel(t, listBy("first"))
			w.waitForUsers(t, 1)
			var answered sync.WaitGroup
			answered.Go(func() { w.run(listBy("second")) })
			w.waitForUsers(t, 2)
			if !whileAsking {
				hangUp()
			}
			release()
			<-asked
			if whileAsking {
				hangUp()
			}
			close(proceed)
			answered.Wait()
			if diff := cmp.Diff([]string{"sts:AssumeRole", "ecr:DescribeRepositories"}, w.called()); diff != "" {
				t.Errorf("AWS calls (-want +got):\n%s", diff)
			}
		})
	}
}

// If all callers hang up while a list waits, AWS is not asked.
func TestNobodyWaitsForTheList(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all)
	w.addRepository(account, "g/a", org)
	release := w.lend(t, account2, all)
	hangUp := w.startThenCancel(t, listBy("first"))
	w.waitForUsers(t, 1)
	hangUp()
	w.waitForUsers(t, 0)
	release()
	if calls := w.called(); calls != nil {
		t.Errorf("AWS was called: %v", calls)
	}
	w.run(listBy("second"))
}

func TestListWaitsForMemoryInVain(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all, func(c *common.Config, _ *[]route) { c.RequestTimeout = time.Second })
	defer w.lend(t, account2, all)()
	w.run(
		exchange{method: "GET", path: base, status: 503, wants: http.Header{"Retry-After": {"1"}},
			want: problemOf("too-many-requests", "Too many long lists or bodies are being read. Try again.")},
	)
	w.waitForWaits(t, 1)
	if w.lastLine(t)["memoryWait"] == nil {
		t.Error("the wait is not in the log")
	}
}

// A list that gets memory too late is not AWS's fault, and AWS is not asked.
func TestMemoryComesTooLateToAskAWS(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all, func(c *common.Config, _ *[]route) { c.RequestTimeout = 2 * time.Second })
	release := w.lend(t, account2, all)
	var answered sync.WaitGroup
	answered.Go(func() {
		w.run(exchange{method: "GET", path: base, status: 503, want: problemOf("too-many-requests", "Too many long lists or bodies are being read. Try again.")})
	})
	w.waitForUsers(t, 1)
	end := w.endOfTheList()
	waitFor(t, "the last moment", func() bool { return time.Until(end) < leastTime })
	release()
	answered.Wait()
	if calls := w.called(); calls != nil {
		t.Errorf("AWS was called: %v", calls)
	}
	w.waitForWaits(t, 1)
}

// A request may have too little time left while another one, which waits for the
// same list, has enough.
func TestMemoryComesTooLateForOneRequest(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all, func(c *common.Config, _ *[]route) { c.RequestTimeout = 3 * time.Second })
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Delay: time.Hour})
	release := w.lend(t, account2, all)
	var answered sync.WaitGroup
	answered.Go(func() {
		w.run(exchange{name: "first", method: "GET", path: base, status: 503, want: "-"})
	})
	w.waitForUsers(t, 1)
	end := w.endOfTheList()
	waitFor(t, "half of the time to pass", func() bool { return time.Until(end) < 3*leastTime })
	answered.Go(func() { w.do(exchange{method: "GET", path: base}) })
	w.waitForUsers(t, 2)
	waitFor(t, "the last moment", func() bool { return time.Until(end) < leastTime })
	release()
	answered.Wait()
}

// endOfTheList returns when the list that waits must be answered.
func (w *world) endOfTheList() time.Time {
	w.service.lists.mu.Lock()
	defer w.service.lists.mu.Unlock()
	for _, r := range w.service.lists.waiting {
		return r.end
	}
	return time.Time{}
}

func TestWhatIsNoListNeedsNoMemoryOfLists(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all)
	w.addRepository(account, "g/a", org)
	release := w.lend(t, account2, all)
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")})
	release()
	w.run(listBy("next"))
}

// The lists of an account in which AWS stalls leave memory for others.
func TestAccountGetsHalfOfTheMemory(t *testing.T) {
	t.Parallel()
	const all = 4 << 20
	w := withListMemory(t, all)
	w.addRepository(account, "g/a", org)
	release := w.lend(t, account, all/2)
	var answered sync.WaitGroup
	answered.Go(func() { w.run(listBy("test")) })
	w.waitForUsers(t, 1)
	w.run(exchange{name: "another account", method: "GET", path: base2, status: 200, want: `[]`})
	release()
	answered.Wait()
}

// A list that turns out to be too long for what it has lets go of that, and
// begins again when there is more.
func TestListGrows(t *testing.T) {
	t.Parallel()
	const all = 2 * unknownList
	w := withListMemory(t, all)
	want := []string{}
	for i := range 2500 {
		want = append(want, fmt.Sprintf("g/%05d%s", i, strings.Repeat("a", 240)))
		w.addRepository(account, want[i], org)
	}
	release := w.lend(t, account2, all/2)
	var answered sync.WaitGroup
	path := exchange{method: "GET", path: base + "/g", status: 200, want: encoded(t, want)}
	answered.Go(func() { w.run(path) })
	waitFor(t, "the first page to be too long", func() bool {
		_, _, metrics := w.do(exchange{method: "GET", path: "/metrics"})
		return strings.Contains(metrics, `ecr_api_aws_calls_total{operation="DescribeRepositories",result="cancelled",service="ecr"} 1`)
	})
	release()
	answered.Wait()
	pages := []string{"ecr:DescribeRepositories", "ecr:DescribeRepositories", "ecr:DescribeRepositories"}
	if diff := cmp.Diff(append([]string{"sts:AssumeRole", "ecr:DescribeRepositories"}, pages...), w.called()); diff != "" {
		t.Errorf("AWS calls (-want +got):\n%s", diff)
	}
	w.forget()
	w.run(path) // from now on its length is known
	if diff := cmp.Diff(pages, w.called()); diff != "" {
		t.Errorf("AWS calls of the second time (-want +got):\n%s", diff)
	}
}

// Lists that begin again share one answer, too.
func TestListsThatBeginAgainShareOneAnswer(t *testing.T) {
	t.Parallel()
	const all = 4 * unknownList
	w := withListMemory(t, all)
	want := []string{}
	for i := range 2500 {
		want = append(want, fmt.Sprintf("g/%05d%s", i, strings.Repeat("a", 240)))
		w.addRepository(account, want[i], org)
	}
	var asked atomic.Int64
	both := make(chan struct{})
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Times: 2, When: func(localaws.Call) bool {
		if asked.Add(1) == 2 {
			close(both)
		}
		<-both // have begun
		return true
	}})
	release := w.lend(t, account2, all/2)
	var answered sync.WaitGroup
	for i := range int64(2) {
		answered.Go(func() { w.run(exchange{method: "GET", path: base, status: 200, want: encoded(t, want)}) })
		waitFor(t, "AWS to be asked", func() bool { return asked.Load() == i+1 })
	}
	w.waitForUsers(t, 2)
	release()
	answered.Wait()
	pages := slices.Repeat([]string{"ecr:DescribeRepositories"}, 2+3)
	if diff := cmp.Diff(append([]string{"sts:AssumeRole"}, pages...), w.called()); diff != "" {
		t.Errorf("AWS calls (-want +got):\n%s", diff)
	}
	shared := 0
	for _, line := range w.logged(t) {
		if calls := line["awsCalls"].([]any); len(calls) < 1+3 {
			t.Errorf("the line does not have all calls: %v", calls)
		}
		if line["sharedWith"] != nil {
			shared++
		}
	}
	if shared != 1 {
		t.Errorf("%d lines say that they share", shared)
	}
}

// All requests that share a list share its error, or the panic of its handler.
func TestErrorOfAListIsShared(t *testing.T) {
	t.Parallel()
	const all = 1 << 20
	w := withListMemory(t, all, changeRows(func(rt *route) {
		if rt.Name == "ListRepositories" {
			rt.Endpoint = handledBy(func(context.Context, target, nothing) ([]string, error) { panic("a marked panic") })
		}
	}))
	missing := problemByAWS("repository-not-found", "The repository with name 'g/none' does not exist in the registry with id '012345678901'", "RepositoryNotFoundException")
	for _, e := range []exchange{
		{method: "GET", path: base + "/g/none/images", status: 404, want: missing},
		{method: "GET", path: base, status: 500, want: problemOf("internal", internalError)},
	} {
		w.shareLists(t, e, 3)
	}
	if log := w.log.String(); strings.Count(log, "lists_test.go") != 1 {
		t.Errorf("the log does not have the stack of the panic once:\n%s", log)
	}
}

// A request counts until its answer is written. A list has then given back what
// it did not need.
func TestUnreadAnswersCount(t *testing.T) {
	t.Parallel()
	w := withListMemory(t, 2*unknownList, changeRows(func(rt *route) {
		if rt.Name == "ListRepositories" {
			rt.Endpoint = handledBy(func(context.Context, target, nothing) ([]string, error) { return longList, nil })
		}
	}), func(c *common.Config, _ *[]route) { c.MaxInFlight = 1 })
	w.unspecified = true
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET "+base+" HTTP/1.1\r\nHost: here\r\nX-Auth-Token: "+token()+"\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	rest, mine := int64(unknownList-smallestList), w.service.lists.memory.accounts[account]
	if !mine.TryAcquire(rest) {
		t.Error("the list has more memory than it needs")
	} else {
		mine.Release(rest)
	}
	next := exchange{name: "the next", method: "GET", path: base + "/g", status: 503, want: "-"}
	w.run(next)
	var list []string
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || !cmp.Equal(longList, list) {
		t.Errorf("%v, %d names", err, len(list))
	}
	io.Copy(io.Discard, answer.Body)
	next.status = 200
	w.run(next)
}

// A caller that has the whole answer can send its next request.
func TestAnsweredRequestDoesNotCount(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int{"short": 1, "longer than a buffer": 10_000, "in pieces": 100_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list := []string{strings.Repeat("a", length/2), strings.Repeat("b", length/2)}
			w := newWorld(t, changeRows(func(rt *route) {
				if rt.Name == "ListRepositories" {
					rt.Endpoint = handledBy(func(context.Context, target, nothing) ([]string, error) { return list, nil })
				}
			}), func(c *common.Config, _ *[]route) { c.MaxInFlight = 1 })
			w.unspecified = true
			for range 100 {
				w.run(exchange{method: "GET", path: base, status: 200, want: "-"})
			}
		})
	}
}
