package api

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam/roles"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsAreWellNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(exchange{method: "GET", path: base, status: 200, want: `[]`}) // so that all families are there
	problems, err := testutil.GatherAndLint(w.service.measures.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// metrics returns the values of our own series, without times, by name and
// labels.
func (w *world) metrics() map[string]string {
	w.t.Helper()
	_, _, body := w.do(exchange{method: "GET", path: "/metrics"})
	values := map[string]string{}
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if strings.HasPrefix(name, "ecr_api_") && !strings.Contains(name, "_seconds_") && !strings.Contains(name, "build_info") {
			values[name+"}"] = value
		}
	}
	return values
}

func TestMetricsCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.MaxInFlightPerAccount = 1 })
	w.addRepository(account, "g/a", org)
	before := w.metrics()
	w.run(
		exchange{method: "GET", path: base + "/g/a", status: 200, want: "-"},
		exchange{method: "GET", path: base + "/g/b", status: 404, want: "-"},
		exchange{method: "GET", path: "/v1/ecr/999999999999/repositories", status: 403, want: "-"},
		exchange{method: "GET", path: base, header: map[string]string{"X-Auth-Token": "no"}, status: 403, want: "-"},
	)
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ThrottlingException", Times: 4})
	w.run(exchange{method: "GET", path: base + "/g", status: 429, want: "-"})
	release := w.occupy(base+"/h", 1)
	w.run(exchange{method: "GET", path: base, status: 503, want: "-"})
	release()

	got := map[string]string{}
	for series, value := range w.metrics() {
		if value != before[series] && !strings.Contains(series, `route="/metrics"`) {
			got[series] = value
		}
	}
	const show, group, all = `route="` + repositoryPath + `"`, `route="` + groupPath + `"`, `route="` + accountPath + `"`
	want := map[string]string{
		`ecr_api_requests_total{code="200",method="get",` + show + `}`:  "1",
		`ecr_api_requests_total{code="404",method="get",` + show + `}`:  "1",
		`ecr_api_requests_total{code="429",method="get",` + group + `}`: "1",
		`ecr_api_requests_total{code="200",method="get",` + group + `}`: "1",
		`ecr_api_requests_total{code="403",method="get",` + all + `}`:   "2",
		`ecr_api_requests_total{code="503",method="get",` + all + `}`:   "1",

		`ecr_api_problems_total{code="repository-not-found"}`: "1",
		`ecr_api_problems_total{code="role-refused"}`:         "1",
		`ecr_api_problems_total{code="token-refused"}`:        "1",
		`ecr_api_problems_total{code="throttled"}`:            "1",
		`ecr_api_problems_total{code="too-many-requests"}`:    "1",

		`ecr_api_aws_calls_total{operation="AssumeRole",result="ok",service="sts"}`:                  "2",
		`ecr_api_aws_calls_total{operation="AssumeRole",result="denied",service="sts"}`:              "2", // with a source identity, and without
		`ecr_api_aws_calls_total{operation="ListTagsForResource",result="ok",service="ecr"}`:         "2",
		`ecr_api_aws_calls_total{operation="DescribeRepositories",result="ok",service="ecr"}`:        "3",
		`ecr_api_aws_calls_total{operation="DescribeRepositories",result="throttled",service="ecr"}`: "1",
		`ecr_api_aws_retries_total{operation="DescribeRepositories",service="ecr"}`:                  "3",
		`ecr_api_assume_role_total{result="miss"}`:                                                   "2",
		`ecr_api_assume_role_total{result="hit"}`:                                                    "2",
		`ecr_api_assume_role_total{result="refused"}`:                                                "1",
		`ecr_api_token_checks_total{result="verified"}`:                                              "1",
		`ecr_api_token_checks_total{result="remembered"}`:                                            "5",
		`ecr_api_token_checks_total{result="refused"}`:                                               "1",
		`ecr_api_limits_reached_total{limit="account_requests"}`:                                     "1",
	}
	// When one of the two calls of a show fails, the other may be cancelled,
	// before or after it is sent.
	for operation, fewer := range map[string]string{"ListTagsForResource": "1", "DescribeRepositories": "2"} {
		cancelled := `ecr_api_aws_calls_total{operation="` + operation + `",result="cancelled",service="ecr"}`
		ok := strings.Replace(cancelled, "cancelled", "ok", 1)
		if got[ok] == fewer {
			delete(got, cancelled)
			got[ok] = want[ok]
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("series that changed (-want +got):\n%s", diff)
	}
}

// That there is no such thing is an answer of AWS as good as any.
func TestCallsAboutWhatIsMissingAreNoErrors(t *testing.T) {
	t.Parallel()
	w := newUsersWorld(t)
	w.addUser(account, earlierUser("g/a", org, "u"))
	w.run(usersOf("GET", "u", "", 200, "-"), exchange{method: "GET", path: base + "/g/a/lifecycle", status: 404, want: "-"})
	metrics := w.metrics()
	for operation, service := range map[string]string{"GetUserPolicy": "iam", "GetLifecyclePolicy": "ecr"} {
		if got := metrics[`ecr_api_aws_calls_total{operation="`+operation+`",result="ok",service="`+service+`"}`]; got != "1" {
			t.Errorf("%s: %q calls were good, want 1", operation, got)
		}
	}
}

// What the answer to a request says counts, and not how its calls ended: AWS
// denies calls also for another org's repository, and for a name that is taken.
func TestProblemsAreCountedByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/ours", org)
	w.addRepository(account, "g/others", otherOrg)
	w.run(
		exchange{method: "GET", path: base + "/g/ours", status: 200, want: "-"},
		exchange{method: "GET", path: base + "/g/others", status: 403, want: "-"},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "ours"}`, status: 409, want: "-"},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "others"}`, status: 409, want: "-"},
	)
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeImages", Code: "AccessDeniedException"})
	w.run(exchange{method: "GET", path: base + "/g/ours/images", status: 403, want: "-"})
	metrics := w.metrics()
	for code := range statusByCode {
		want := map[string]string{"other-org": "1", "repository-exists": "2", "denied-by-aws": "1"}[code]
		if got := metrics[`ecr_api_problems_total{code="`+code+`"}`]; got != cmp.Or(want, "0") {
			t.Errorf("%s: %q, want %q", code, got, cmp.Or(want, "0"))
		}
	}
}

// A quota that is reached is not throttling: to wait does not help.
func TestQuotaIsNotThrottling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Inject(localaws.Fault{Operation: "ecr:CreateRepository", Code: "LimitExceededException"})
	before := w.metrics()
	w.run(exchange{method: "POST", path: base + "/g", body: createNew, status: 429, want: "-"})
	got := map[string]string{}
	for series, value := range w.metrics() {
		if value != before[series] && strings.Contains(series, `operation="CreateRepository"`) {
			got[series] = value
		}
	}
	want := map[string]string{`ecr_api_aws_calls_total{operation="CreateRepository",result="quota",service="ecr"}`: "1"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("series of the operation that changed (-want +got):\n%s", diff)
	}
	if before[`ecr_api_aws_calls_total{operation="CreateRepository",result="quota",service="ecr"}`] != "0" {
		t.Error("the series does not start at zero")
	}
}

// Callers cannot create series.
func TestHostileRequestsMakeNoSeries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.run(exchange{method: "GET", path: base + "/g/a", status: 200, want: "-"})
	attack := func(i int) {
		for _, e := range []exchange{
			{method: "GET", path: fmt.Sprintf("/v1/ecr/%d", i)},
			{method: fmt.Sprintf("METHOD%d", i), path: base},
			{method: "GET", path: fmt.Sprintf("/v1/ecr/%012d/repositories", i)},
			{method: "GET", path: fmt.Sprintf("%s/g%d/a", base, i)},
			{method: "GET", path: fmt.Sprintf("%s/g/a%d/images", base, i)},
			{method: "GET", path: fmt.Sprintf("%s/%%2e%d/%%00", base, i)},
			{method: "GET", path: fmt.Sprintf("/%d//..", i), header: map[string]string{"X-Auth-Token": fmt.Sprint(i)}},
			{method: "DELETE", path: fmt.Sprintf("%s/g/b%d", base, i)},
			{method: "POST", path: base + "/g", body: fmt.Sprintf(`{"RepositoryName": "A%d"}`, i)},
		} {
			w.do(e)
		}
	}
	for i := range 5 {
		attack(i)
	}
	w.metrics() // this request is counted too
	before := w.metrics()
	for i := range 100 {
		attack(100 + i)
	}
	for series := range w.metrics() {
		cancelled := strings.Contains(series, `result="cancelled"`) // of two reads, the one that ends later
		if _, ok := before[series]; !ok && !cancelled {
			t.Errorf("there is a new series: %s", series)
		}
	}
}

func TestTimeOf(t *testing.T) {
	t.Parallel()
	start := time.Now()
	call := func(from, to int) roles.Call {
		return roles.Call{Start: start.Add(time.Duration(from) * time.Second), End: start.Add(time.Duration(to) * time.Second)}
	}
	for name, test := range map[string]struct {
		calls []roles.Call
		want  time.Duration
	}{
		"none":               {nil, 0},
		"one":                {[]roles.Call{call(1, 3)}, 2 * time.Second},
		"one after another":  {[]roles.Call{call(4, 5), call(1, 3)}, 3 * time.Second},
		"at the same time":   {[]roles.Call{call(1, 3), call(2, 5)}, 4 * time.Second},
		"one inside another": {[]roles.Call{call(2, 3), call(1, 9), call(4, 10)}, 9 * time.Second},
	} {
		if got := timeOf(test.calls); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
