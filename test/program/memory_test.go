package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/google/go-cmp/cmp"
)

// The environment's limits take precedence, each on its own.
func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	_, url := newAWS(t, nil)
	for name, test := range map[string]struct {
		env         []string
		limit, gogc string
	}{
		"ours":       {nil, "1.34217728e+08", "400"},
		"GOMEMLIMIT": {[]string{"GOMEMLIMIT=64MiB"}, "6.7108864e+07", "400"},
		"no limit":   {[]string{"GOMEMLIMIT=off"}, "9.223372036854776e+18", "100"},
		"GOGC":       {[]string{"GOGC=50"}, "1.34217728e+08", "50"},
		"both":       {[]string{"GOMEMLIMIT=1GiB", "GOGC=200"}, "1.073741824e+09", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := slices.Concat(test.env, []string{"API_CONFIG=" + configuration(url, "127.0.0.1:0")})
			_, _, stderr := process(t, env)
			_, metrics := get(t, "http://"+stderr.waitFor(t, listening)+"/v1/ecr/metrics", "")
			got := map[string]string{}
			for _, line := range regexp.MustCompile(`(?m)^(go_gc_gomemlimit_bytes|go_gc_gogc_percent) (\S+)$`).FindAllStringSubmatch(metrics, -1) {
				got[line[1]] = line[2]
			}
			want := map[string]string{"go_gc_gomemlimit_bytes": test.limit, "go_gc_gogc_percent": test.gogc}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}

const (
	containerMiB = 256      // as in docker/kubernetes
	goMemLimit   = "192MiB" // the same
	many         = 10_000   // names in a list, and images
	callers      = 512      // maxInFlight
	perAccount   = 128      // maxInFlightPerAccount
)

// As many callers as the service admits ask for the longest lists at once. Each
// gets a right answer, and the service stays within the memory of its container.
func TestMemoryIsBounded(t *testing.T) {
	if buildFlags != nil {
		t.Skip("the race detector takes memory and time itself")
	}
	var accounts []string
	for i := range callers / perAccount {
		accounts = append(accounts, fmt.Sprintf("01234567890%d", i))
	}
	aws := httptest.NewServer(&repeating{aws: crowded(t, accounts)})
	t.Cleanup(aws.Close)
	command, _, stderr := process(t, []string{"GOMEMLIMIT=" + goMemLimit, "API_CONFIG=" + with(configuration(aws.URL, "127.0.0.1:0"), `"requestTimeout": "29s"`)})
	service := "http://" + stderr.waitFor(t, listening) + "/v1/ecr/"
	if !limitMemory(t, command, containerMiB<<20) {
		t.Log("the service is not killed beyond its memory: the test can make no cgroup here")
	}
	token := token(t)
	answers := make([]listAnswer, callers)
	var answered sync.WaitGroup
	for i := range callers {
		path := []string{"/repositories", "/repositories/g/images/images"}[i%2]
		answered.Go(func() { answers[i], _ = getList(t, service+accounts[i/perAccount]+path, token) })
	}
	answered.Wait()
	right := map[string]listAnswer{}
	for _, a := range answers {
		if _, ok := right[a.url]; !ok {
			right[a.url] = wantList(t, a.url, token)
		}
		refused := a.status == http.StatusServiceUnavailable && a.retryAfter == "1"
		if a != right[a.url] && !refused {
			t.Errorf("the answer was %+v, and later %+v", a, right[a.url])
		}
	}
	peak := peakMiB(t, command.Process.Pid)
	t.Logf("the service took %d MiB of memory", peak)
	if peak >= containerMiB {
		t.Errorf("the service took %d MiB of memory", peak)
	}
}

// peakMiB returns how much memory the process took at most.
func peakMiB(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip("this system does not tell how much memory a process took: ", err)
	}
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if match == nil {
		t.Fatal("the process has ended")
	}
	kib, err := strconv.Atoi(string(match[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// crowded returns an AWS with many long names and many images in each account.
func crowded(t *testing.T, accounts []string) *localaws.Server {
	t.Helper()
	var o localaws.Options
	for _, account := range accounts {
		o.Roles = append(o.Roles, localaws.Role{Account: account, Name: "ecr-api", Trust: config.TrustPolicy, Permissions: []string{config.RolePolicy, config.CredentialsPolicy, config.InspectorPolicy, config.UsersPolicy}})
	}
	aws, err := localaws.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var errs []error
	for _, account := range accounts {
		errs = append(errs, aws.AddRepository(account, "us-east-1", "g/images", map[string]string{"spinup:org": "spindev"}))
		for i := range many {
			long := fmt.Sprintf("%s%05d", strings.Repeat("a", 100), i)
			if i > 0 { // one is there already
				errs = append(errs, aws.AddRepository(account, "us-east-1", "g/"+long+strings.Repeat("b", 149), nil))
			}
			errs = append(errs, aws.AddImage(account, "us-east-1", "g/images", localaws.Image{Tags: []string{long}, Scan: &localaws.Scan{CompletedAt: time.Now()}}))
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return aws
}

// repeating is an AWS that works out its answer to a read only once, so that the
// test takes less time.
type repeating struct {
	aws     http.Handler
	answers sync.Map // of func() *httptest.ResponseRecorder, by call
}

func (r *repeating) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	body, err := io.ReadAll(call.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	call.Body = io.NopCloser(bytes.NewReader(body))
	operation := call.Header.Get("X-Amz-Target") // STS has none
	if operation == "" {
		r.aws.ServeHTTP(w, call)
		return
	}
	credential, _, _ := strings.Cut(call.Header.Get("Authorization"), ",")
	answer, _ := r.answers.LoadOrStore(credential+operation+string(body), sync.OnceValue(func() *httptest.ResponseRecorder {
		recorder := httptest.NewRecorder()
		r.aws.ServeHTTP(recorder, call)
		return recorder
	}))
	recorded := answer.(func() *httptest.ResponseRecorder)()
	w.Header().Set("Content-Length", strconv.Itoa(recorded.Body.Len()))
	w.WriteHeader(recorded.Code)
	w.Write(recorded.Body.Bytes())
}

// A listAnswer is what a test keeps of an answer.
type listAnswer struct {
	url, retryAfter string
	status          int
	sum             uint64 // of the body
}

var seed = maphash.MakeSeed()

func getList(t *testing.T, url, token string) (a listAnswer, body []byte) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Error(err)
		return listAnswer{}, nil
	}
	r.Header.Set("X-Auth-Token", token)
	answer, err := (&http.Client{Timeout: 3 * patience}).Do(r)
	if err != nil {
		t.Error(err)
		return listAnswer{}, nil
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return listAnswer{url, answer.Header.Get("Retry-After"), answer.StatusCode, maphash.Bytes(seed, body)}, body
}

// wantList is getList, and fails unless the answer is a list of the right
// length.
func wantList(t *testing.T, url, token string) listAnswer {
	t.Helper()
	a, body := getList(t, url, token)
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil || len(list) != many {
		t.Errorf("%s: status %d, %d elements: %v", url, a.status, len(list), err)
	}
	return a
}
