package api

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

const base2 = "/v1/ecr/" + account2 + "/repositories"

// occupy sends n requests to the path, which wait in AWS until release is
// called. It returns when all of them have arrived there.
func (w *world) occupy(path string, n int) (release func()) {
	w.t.Helper()
	proceed := make(chan struct{})
	var arrived, answered sync.WaitGroup
	arrived.Add(n)
	remove := w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Times: n, When: func(localaws.Call) bool {
		arrived.Done()
		<-proceed
		return true
	}})
	for range n {
		answered.Go(func() { w.run(exchange{method: "GET", path: path, status: 200, want: `[]`}) })
	}
	arrived.Wait()
	remove()
	return func() {
		close(proceed)
		answered.Wait()
	}
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.MaxInFlight, c.MaxInFlightPerAccount = 3, 2 })
	w.run( // makes the sessions, so that no later request waits for STS
		exchange{method: "GET", path: base, status: 200, want: `[]`},
		exchange{method: "GET", path: base2, status: 200, want: `[]`},
	)
	again := http.Header{"Retry-After": {"1"}}
	release := w.occupy(base, 2)
	w.run(
		exchange{name: "a third about the account", method: "GET", path: base + "/g", status: 503, wants: again,
			want: problemOf("too-many-requests", "Too many requests about this account are being answered. Try again.")},
		exchange{name: "a change of it", method: "DELETE", path: base + "/g/a", status: 503, want: "-"},
		exchange{name: "about another", method: "GET", path: base2, status: 200, want: `[]`},
	)
	release2 := w.occupy(base2, 1)
	w.run(
		exchange{name: "a fourth in all", method: "GET", path: base2, status: 503, wants: again,
			want: problemOf("too-many-requests", "Too many requests are being answered. Try again.")},
		exchange{name: "without a token", method: "GET", path: base, header: map[string]string{"X-Auth-Token": ""}, status: 403, want: "-"},
	)
	for _, path := range []string{"/v1/ecr/ping", "/v1/ecr/ready", "/metrics"} {
		if status, _, body := w.do(exchange{method: "GET", path: path}); status != 200 {
			t.Errorf("%s while there is no room: %d %s", path, status, body)
		}
	}
	w.run(exchange{name: "an unknown path", method: "GET", path: "/v1/ecr/none", status: 404, want: "-"})
	release()
	release2()
	for range 5 { // each request makes room when it ends
		w.run(
			exchange{method: "GET", path: base, status: 200, want: `[]`},
			exchange{name: "a bad request", method: "POST", path: base + "/g", body: `{`, status: 400, want: "-"},
			exchange{method: "GET", path: base2, status: 200, want: `[]`},
		)
	}
}

// A change whose caller has hung up counts until it ends.
func TestChangesWithoutCallersAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.MaxInFlight = 1 })
	w.hangUp(t, exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "a"}`}, 2*time.Second)
	w.run(exchange{name: "while it goes on", method: "GET", path: base, status: 503, want: "-"})
	waitFor(t, "room", func() bool {
		status, _, _ := w.do(exchange{method: "GET", path: base})
		return status == 200
	})
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: shown("g/a")})
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stall   string
		request exchange
		want    string
	}{
		"read": {"ecr:DescribeRepositories", exchange{method: "GET", path: base},
			problemOf("timeout", "AWS did not answer in time.")},
		"STS": {"sts:AssumeRole", exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "b"}`},
			problemOf("timeout", "AWS did not answer in time. Nothing was changed.")},
		"before the change": {"ecr:ListTagsForResource", exchange{method: "DELETE", path: base + "/g/a"},
			problemOf("timeout", "AWS did not answer in time. Nothing was changed.")},
		"create": {"ecr:CreateRepository", exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "b"}`},
			failedChange("timeout", "AWS did not answer in time.", nil, []string{"Repository"})},
		"delete": {"ecr:DeleteRepository", exchange{method: "DELETE", path: base + "/g/a"},
			failedChange("timeout", "AWS did not answer in time.", []string{"User builder"}, []string{"Repository"})},
		"update": {"ecr:PutImageTagMutability", exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE"}`},
			failedChange("timeout", "AWS did not answer in time.", []string{"ScanOnPush"}, []string{"ImageTagMutability"})},
		"scan": {"ecr:StartImageScan", exchange{method: "POST", path: scanPath},
			failedChange("timeout", "AWS did not answer in time.", nil, []string{"Scan"})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 2 * time.Second })
			w.addFullRepository(account, "g/a", org)
			w.aws.Inject(localaws.Fault{Operation: test.stall, Delay: time.Hour})
			test.request.status, test.request.want = 504, test.want
			w.run(test.request)
		})
	}
}

// An attempt that stalls leaves time for another one.
func TestStalledAttemptIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 9 * time.Second })
	w.addFullRepository(account, "g/a", org)
	for _, operation := range changing() {
		w.aws.Inject(localaws.Fault{Operation: operation, Times: 1, Delay: time.Hour})
	}
	w.run(
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "b"}`, status: 200, want: shown("g/b")},
		exchange{method: "PUT", path: base + "/g/a", body: `{"ScanOnPush": true}`, status: 200, want: shown("g/a", `"false"`, `"true"`)},
		exchange{method: "POST", path: scanPath, status: 202, want: "-"},
		exchange{method: "DELETE", path: base + "/g/b", status: 200, want: shown("g/b")},
	)
}

func TestReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noToken := map[string]string{"X-Auth-Token": ""}
	status, header, body := w.do(exchange{method: "GET", path: "/v1/ecr/ready", header: noToken})
	if status != 200 || body != "ready" || header.Get("Connection") == "close" {
		t.Errorf("ready: %d %q %v", status, body, header)
	}
	w.service.Stop(time.Now().Add(time.Minute))
	w.run(
		exchange{name: "stopping", method: "GET", path: "/v1/ecr/ready", header: noToken, status: 503,
			want:  problemOf("stopping", "This copy of the service is stopping. Ask another."),
			wants: http.Header{"Retry-After": {"1"}}},
		exchange{name: "a request is answered all the same", method: "GET", path: base, status: 200, want: `[]`},
	)
	if len(w.called()) != 2 {
		t.Errorf("AWS was called: %v", w.called())
	}
}

// A request whose body never arrives ends at its deadline.
func TestLateBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 3 * time.Second })
	body, write := io.Pipe()
	defer write.Close()
	go io.WriteString(write, `{"RepositoryName": `)
	r, err := http.NewRequest("POST", w.url+base+"/g", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", token())
	r.Header.Set("X-Request-Id", "test")
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(parse(t, problemOf("bad-request", "The body did not come in time.")), parse(t, string(said))); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if calls := w.called(); calls != nil {
		t.Errorf("AWS was called: %v", calls)
	}
	w.run(exchange{name: "the next", method: "GET", path: base, status: 200, want: `[]`})
}

// A request that arrives while the service is stopping is answered before the
// service ends.
func TestDeadlineWhileStopping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "*", Delay: time.Hour})
	w.service.Stop(time.Now().Add(2 * time.Second))
	w.run(exchange{method: "GET", path: base, status: 504, want: problemOf("timeout", "AWS did not answer in time.")})
}
