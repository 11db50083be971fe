package check

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// exposed is what the running program exposes. It has the values of each label,
// by the name of the series and then by the name of the label.
type exposed map[string]map[string][]string

// Every query of the dashboard and of the alerts uses only metrics, labels and
// values that the program exposes.
func TestQueries(t *testing.T) {
	t.Parallel()
	series := seriesOf(scrape(t))
	for name, query := range queries(t) {
		for _, complaint := range series.complaints(query) {
			t.Errorf("%s: %s\n%s", name, complaint, query)
		}
	}
}

// docs/operating.md lists every metric of the program itself, with its type and
// labels. The dashboard shows every one.
func TestMetricsAreKnown(t *testing.T) {
	t.Parallel()
	families := scrape(t)
	shown := namesIn(t, dashboardQueries(t))
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "ecr_api_") {
			continue
		}
		rows = append(rows, row(name, families[name]))
		if !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile("(?m)^\\| `ecr_api_[^|]*\\|[^|]*\\|[^|]*\\|").FindAllString(string(page), -1)
	slices.Sort(listed)
	if diff := gocmp.Diff(rows, listed); diff != "" {
		t.Errorf("metrics (-program +docs/operating.md):\n%s", diff)
	}
}

// row returns the first three columns of a metric in the table of
// docs/operating.md.
func row(name string, family *dto.MetricFamily) string {
	var names []string
	for _, l := range family.Metric[0].Label {
		names = append(names, "`"+l.GetName()+"`")
	}
	return fmt.Sprintf("| `%s` | %s | %s |", name, strings.ToLower(family.GetType().String()), strings.Join(names, ", "))
}

// queries returns all expressions, by the name of the panel or alert.
func queries(t *testing.T) map[string]string {
	all := dashboardQueries(t)
	for _, a := range readAlerts(t) {
		all["alert "+a.Alert] = a.Expr
	}
	return all
}

func dashboardQueries(t *testing.T) map[string]string {
	all := map[string]string{}
	for _, p := range readDashboard(t).Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("panel %s, query %d", p.Title, i+1)] = strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
		}
	}
	return all
}

var promql = parser.NewParser(parser.Options{})

// namesIn returns the metrics in the queries, without the suffixes of
// histograms.
func namesIn(t *testing.T, queries map[string]string) map[string]bool {
	names := map[string]bool{}
	for where, query := range queries {
		expr, err := promql.ParseExpr(query)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				names[selector.Name] = true
				for _, suffix := range histogramSuffixes {
					names[strings.TrimSuffix(selector.Name, suffix)] = true
				}
			}
			return nil
		})
	}
	return names
}

// complaints returns what is wrong with a query.
func (e exposed) complaints(query string) (list []string) {
	expr, err := promql.ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			list = append(list, e.complaintsOfSelector(n)...)
		case *parser.AggregateExpr:
			list = append(list, e.complaintsOfGrouping(n)...)
		}
		return nil
	})
	return list
}

func (e exposed) complaintsOfSelector(selector *parser.VectorSelector) (list []string) {
	values, ok := e[selector.Name]
	if !ok {
		return []string{"there is no metric " + selector.Name}
	}
	for _, m := range selector.LabelMatchers {
		if m.Name == labels.MetricName {
			continue
		}
		seen, ok := values[m.Name]
		switch {
		case !ok:
			list = append(list, fmt.Sprintf("%s has no label %s", selector.Name, m.Name))
		case !selects(m, seen):
			list = append(list, fmt.Sprintf("%s of %s has no effect: the values are %q", m, selector.Name, seen))
		}
	}
	return list
}

// selects tells whether the matcher has an effect. A positive matcher must find
// at least one of the values. A negative one must exclude at least one. The
// test cannot see all status codes, so it adds one of each kind.
func selects(m *labels.Matcher, seen []string) bool {
	if slices.Contains(seen, "200") {
		seen = append([]string{"404", "500"}, seen...)
	}
	positive := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
	return slices.ContainsFunc(seen, func(value string) bool { return m.Matches(value) == positive })
}

// complaintsOfGrouping returns the labels of a grouping that no metric in its
// expression has.
func (e exposed) complaintsOfGrouping(aggregation *parser.AggregateExpr) (list []string) {
	known := map[string]bool{}
	parser.Inspect(aggregation.Expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			for label := range e[selector.Name] {
				known[label] = true
			}
		}
		return nil
	})
	for _, label := range aggregation.Grouping {
		if !known[label] {
			list = append(list, fmt.Sprintf("nothing in %s has the label %s", aggregation.Expr, label))
		}
	}
	return list
}

var histogramSuffixes = []string{"_bucket", "_sum", "_count"}

// seriesOf returns the series of the families as Prometheus stores them: with
// the target's labels, and with Prometheus's own series "up".
func seriesOf(families map[string]*dto.MetricFamily) exposed {
	series := exposed{"up": withTarget(nil)}
	for name, family := range families {
		if family.GetType() != dto.MetricType_HISTOGRAM {
			series[name] = withTarget(family.Metric)
			continue
		}
		for _, suffix := range histogramSuffixes {
			series[name+suffix] = withTarget(family.Metric)
		}
		series[name+"_bucket"]["le"] = []string{"+Inf"}
	}
	return series
}

func withTarget(metrics []*dto.Metric) map[string][]string {
	values := map[string][]string{"job": {"ecr-api"}, "instance": {"ecr-api:8080"}}
	for _, m := range metrics {
		for _, l := range m.Label {
			values[l.GetName()] = append(values[l.GetName()], l.GetValue())
		}
	}
	return values
}

// scrape returns what the program exposes after a few requests, one of them
// refused. The program runs once for all tests.
var scrape = func() func(t *testing.T) map[string]*dto.MetricFamily {
	type result struct {
		families map[string]*dto.MetricFamily
		err      error
	}
	once := sync.OnceValue(func() result {
		families, err := runAndScrape()
		return result{families, err}
	})
	return func(t *testing.T) map[string]*dto.MetricFamily {
		t.Helper()
		r := once()
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.families
	}
}()

func runAndScrape() (map[string]*dto.MetricFamily, error) {
	folder, err := os.MkdirTemp("", "ecr-api-check")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program := filepath.Join(folder, "ecr-api")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	var banner output
	command := exec.Command(program, "-local", "-listen", "127.0.0.1:0")
	command.Stdout = &banner
	if err := command.Start(); err != nil {
		return nil, err
	}
	defer command.Wait()
	defer command.Process.Kill()
	api, token, err := banner.exports()
	if err != nil {
		return nil, err
	}
	return askAndScrape(api, token)
}

func askAndScrape(api, token string) (map[string]*dto.MetricFamily, error) {
	root, _, _ := strings.Cut(api, "/v1/")
	for _, ask := range []struct {
		method, url, token, body string
		status                   int
	}{
		{"GET", api, token, "", 200},
		{"GET", api, "wrong", "", 403},
		{"POST", api + "/spindev-00001", token, `{"RepositoryName": "dasher"}`, 200},
		{"GET", api + "/spindev-00001/dasher", token, "", 200},
		{"DELETE", api + "/spindev-00001/dasher", token, "", 200},
		{"GET", root + "/v1/ecr/ready", "", "", 200},
	} {
		status, answer, err := do(ask.method, ask.url, ask.token, ask.body)
		if err != nil || status != ask.status {
			return nil, fmt.Errorf("%s %s: %d (%v), want %d: %s", ask.method, ask.url, status, err, ask.status, answer)
		}
	}
	_, metrics, err := do("GET", root+"/metrics", "", "")
	if err != nil {
		return nil, err
	}
	text := expfmt.NewTextParser(model.UTF8Validation)
	return text.TextToMetricFamilies(bytes.NewReader(metrics))
}

func do(method, url, token, body string) (status int, answer []byte, err error) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("X-Auth-Token", token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// output can be written and read concurrently.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// exports waits for the lines of the banner with the URL of the API and the
// token.
func (o *output) exports() (api, token string, err error) {
	exports := regexp.MustCompile(`export API=(\S+)\n\s*export TOKEN='(\S+)'`)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := exports.FindStringSubmatch(o.String()); found != nil {
			return found[1], found[2], nil
		}
	}
	return "", "", fmt.Errorf("the program printed no API and TOKEN: %s", cmp.Or(o.String(), "nothing"))
}
