package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// numbered returns a digest of that number.
func numbered(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// addNumbered adds an image of 7 bytes to g/a.
func (w *world) addNumbered(n int, pushedAt time.Time, tags ...string) {
	w.t.Helper()
	w.addImage(account, "g/a", localaws.Image{Digest: numbered(n), Tags: tags, Size: 7, PushedAt: pushedAt})
}

// listed is an image of addNumbered as lists have it. The time is in JSON.
func listed(n int, pushedAt, tags string) string {
	return `{
		"ArtifactMediaType": "application/vnd.docker.container.image.v1+json",
		"ImageDigest": "` + numbered(n) + `",
		"ImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
		"ImagePushedAt": ` + pushedAt + `,
		"ImageScanFindingsSummary": null,
		"ImageScanStatus": null,
		"ImageSizeInBytes": 7,
		"ImageTags": ` + tags + `,
		"RegistryId": "012345678901",
		"RepositoryName": "g/a"
	}`
}

// sentBodies has the bodies of the requests for one operation of ECR.
type sentBodies struct {
	mu     sync.Mutex
	bodies []string
}

func (s *sentBodies) add(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, body)
}

// take returns the bodies since the last take.
func (s *sentBodies) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	bodies := s.bodies
	s.bodies = nil
	return bodies
}

// noteBodies returns an option for newWorld. It notes what the service sends to
// ECR for that operation.
func noteBodies(t *testing.T, operation string, sent *sentBodies) func(*common.Config, *[]route) {
	return func(c *common.Config, _ *[]route) {
		aws, err := url.Parse(c.Account.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(aws)
		between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+operation) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				sent.add(string(body))
				r.Body = io.NopCloser(bytes.NewReader(body))
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(between.Close)
		c.Account.Endpoint = between.URL
	}
}

// Each filter, alone and with others: what ECR is asked for, and the answer.
func TestFiltersOfImages(t *testing.T) {
	t.Parallel()
	var sent sentBodies
	w := newWorld(t, noteBodies(t, "DescribeImages", &sent))
	w.addRepository(account, "g/a", org)
	now := time.Now().UTC().Truncate(time.Second)
	day := func(year, month, day int) time.Time {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	}
	hours := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
	text := func(t time.Time) string { return t.Format(`"2006-01-02T15:04:05Z"`) }

	w.addNumbered(1, day(2020, 1, 1), "v1.0", "latest")
	w.addNumbered(2, day(2020, 2, 1).Add(500*time.Millisecond), "v1.1")
	w.addNumbered(3, day(2020, 3, 1))
	w.addNumbered(4, day(2020, 4, 1), "dev-1")
	w.addNumbered(5, hours(10*24), "v2.0", "dev-2")
	w.addNumbered(6, hours(10))
	w.addImage(account, "g/a", localaws.Image{Digest: numbered(7), Tags: []string{"v3.0"}, Size: 7, PushedAt: day(2020, 5, 1), Status: "ARCHIVED"})
	w.addImage(account, "g/a", localaws.Image{Digest: numbered(8), Size: 7, PushedAt: day(2020, 6, 1), Status: "ACTIVATING"})
	images := []string{
		listed(1, `"2020-01-01T00:00:00Z"`, `["latest", "v1.0"]`),
		listed(2, `"2020-02-01T00:00:00Z"`, `["v1.1"]`),
		listed(3, `"2020-03-01T00:00:00Z"`, `[]`),
		listed(4, `"2020-04-01T00:00:00Z"`, `["dev-1"]`),
		listed(5, text(hours(10*24)), `["dev-2", "v2.0"]`),
		listed(6, text(hours(10)), `[]`),
		listed(7, `"2020-05-01T00:00:00Z"`, `["v3.0"]`),
		listed(8, `"2020-06-01T00:00:00Z"`, `[]`),
	}
	all := []int{6, 5, 4, 3, 2, 1}
	const none, tagged, untagged = "", `{"tagStatus":"TAGGED"}`, `{"tagStatus":"UNTAGGED"}`
	for _, test := range []struct {
		query, filter string // the filter of the request to ECR
		want          []int
	}{
		{"", none, all},
		{"?", none, all},
		{"?tagged=true", tagged, []int{5, 4, 2, 1}},
		{"?tagged=false", untagged, []int{6, 3}},
		{"?tag=latest", tagged, []int{1}},
		{"?tag=v1.*", tagged, []int{2, 1}},
		{"?tag=*1", tagged, []int{4, 2}},
		{"?tag=*", tagged, []int{5, 4, 2, 1}},
		{"?tag=v%2A0", tagged, []int{5, 1}},
		{"?tag=d*v**2", tagged, []int{5}},
		{"?tag=late", tagged, nil},
		{"?tag=V1.0", tagged, nil},
		{"?tag=v1.0&tag=v1.1", tagged, []int{2, 1}},
		{"?tag=none&tag=dev-*&tag=latest&tag=v2.0", tagged, []int{5, 4, 1}},
		{"?tag=v*&tagged=true", tagged, []int{5, 2, 1}},
		{"?tag=v*&tagged=false", untagged, nil},
		{"?status=ACTIVE", `{"imageStatus":"ACTIVE"}`, all},
		{"?status=ARCHIVED", `{"imageStatus":"ARCHIVED"}`, []int{7}},
		{"?status=ANY", `{"imageStatus":"ANY"}`, []int{6, 5, 8, 7, 4, 3, 2, 1}},
		{"?status=ANY&tagged=false", `{"imageStatus":"ANY","tagStatus":"UNTAGGED"}`, []int{6, 8, 3}},
		{"?status=ARCHIVED&tag=v1.*", `{"imageStatus":"ARCHIVED","tagStatus":"TAGGED"}`, nil},
		{"?pushedBefore=2020-02-01T00:00:00.5Z", none, []int{1}},
		{"?pushedBefore=2020-02-01T00:00:00.501Z", none, []int{2, 1}},
		{"?pushedBefore=2020-01-31T19:00:00.501-05:00", none, []int{2, 1}},
		{"?pushedBefore=1970-01-01T00:00:00Z", none, nil},
		{"?pushedBefore=9999-12-31T23:59:59Z", none, all},
		{"?pushedBefore=1d", none, []int{5, 4, 3, 2, 1}},
		{"?pushedBefore=30d", none, []int{4, 3, 2, 1}},
		{"?pushedBefore=99999d", none, nil},
		{"?pushedBefore=9h", none, all},
		{"?pushedAfter=2020-02-01T00:00:00.5Z", none, []int{6, 5, 4, 3}},
		{"?pushedAfter=2020-02-01T00:00:00.499Z", none, []int{6, 5, 4, 3, 2}},
		{"?pushedAfter=2020-02-01T01:00:00.499%2B01:00", none, []int{6, 5, 4, 3, 2}},
		{"?pushedAfter=11h", none, []int{6}},
		{"?pushedAfter=9h", none, nil},
		{"?pushedAfter=99999h", none, all},
		{"?pushedAfter=2020-01-15T00:00:00Z&pushedBefore=2020-03-15T00:00:00Z", none, []int{3, 2}},
		{"?pushedAfter=2020-03-15T00:00:00Z&pushedBefore=2020-01-15T00:00:00Z", none, nil},
		{"?tag=v*&tag=dev-*&tagged=true&status=ANY&pushedAfter=30d&pushedBefore=1d", `{"imageStatus":"ANY","tagStatus":"TAGGED"}`, []int{5}},
		{"?tag=dev-*&pushedBefore=30d&limit=1000", tagged, []int{4}},
	} {
		want := []string{}
		for _, n := range test.want {
			want = append(want, images[n-1])
		}
		path := base + "/g/a/images" + test.query
		w.run(
			exchange{method: "GET", path: path, status: 200, want: "[" + strings.Join(want, ",") + "]", wants: http.Header{"Link": {""}}},
			exchange{method: "HEAD", path: path, status: 200, want: "-", wants: http.Header{"Link": {""}}},
		)
		body := `{"maxResults":1000,"repositoryName":"g/a"}`
		if test.filter != "" {
			body = `{"filter":` + test.filter + `,"maxResults":1000,"repositoryName":"g/a"}`
		}
		if diff := cmp.Diff([]string{body, body}, sent.take()); diff != "" {
			t.Errorf("%s: requests to ECR (-want +got):\n%s", test.query, diff)
		}
	}
}

// ECR may not say when an image was pushed. Then it was pushed neither before
// nor after a time.
func TestFiltersOfAnImageWithoutATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutTimes(t, 1))
	w.addRepository(account, "g/a", org)
	w.addNumbered(1, awsClock, "latest")
	w.addNumbered(2, awsClock)
	first, second := listed(1, "null", `["latest"]`), listed(2, `"2040-12-14T15:34:18Z"`, `[]`)
	const path = base + "/g/a/images"
	w.run(
		exchange{method: "GET", path: path, status: 200, want: "[" + second + "," + first + "]"},
		exchange{method: "GET", path: path + "?tag=*", status: 200, want: "[" + first + "]"},
		exchange{method: "GET", path: path + "?pushedBefore=2041-01-01T00:00:00Z", status: 200, want: "[" + second + "]"},
		exchange{method: "GET", path: path + "?pushedAfter=1970-01-01T00:00:00Z", status: 200, want: "[" + second + "]"},
	)
}

// withoutTimes returns an option for newWorld: ECR does not say when the images
// with these numbers were pushed.
func withoutTimes(t *testing.T, numbers ...int) func(*common.Config, *[]route) {
	return changeAnswers(t, func(operation, body string) string {
		if operation != "DescribeImages" {
			return body
		}
		var page struct {
			ImageDetails []map[string]any `json:"imageDetails"`
			NextToken    string           `json:"nextToken,omitempty"`
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Error(err)
		}
		for _, image := range page.ImageDetails {
			for _, n := range numbers {
				if image["imageDigest"] == numbered(n) {
					delete(image, "imagePushedAt")
				}
			}
		}
		return jsonOf(page)
	})
}

func TestBadQueriesOfImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	const (
		pattern = `must be a tag or a pattern: 1 to 128 letters, digits, ".", "_", "-" and "*", which stands for any characters`
		when    = "must be an RFC 3339 time such as 2020-12-14T15:34:18Z, or an age of 1 to 99999 days or hours such as 30d or 12h"
		space   = when + `, and has a space (write a "+" of the time as %2B)`
		limit   = "must be a number from 1 to 1000"
		cursor  = "must be a cursor from the header Link of the page before"
		twice   = "is given twice"
	)
	wrong := map[string]map[string][]string{ // what is wrong, by parameter
		"tagged": {"must be true or false": {"", "True", "1", "yes", "any"}},
		"tag": {pattern: {"", "a/b", "a%20b", "%5Ba%5D", "a%3F", "a%5C", "sha256:ab", "%C3%BC", "a%0A", "a%00", "v1,v2", "a+b",
			strings.Repeat("a", 129)}},
		"status": {"must be ACTIVE, ARCHIVED or ANY": {"", "active", "ACTIVATING", "ACTIVE,ARCHIVED"}},
		"limit":  {limit: {"", "0", "1001", "-1", "abc", "1.0", "1e2", "010", "%2B5", "99999999999999999999"}},
		"after": {cursor: {"", "1", "MQ", "!", cursorLike("1 1 a") + "=", cursorLike("2 1 a"), cursorLike("1 1"), cursorLike("1 x a"),
			cursorLike("1 1 a b"), cursorLike("1 01 a"), cursorLike("1  a"), cursorLike("1 99999999999999999999 a"), cursorLike("1 1 a") + "%0A"}},
	}
	for _, name := range []string{"pushedBefore", "pushedAfter"} {
		wrong[name] = map[string][]string{
			when: {"", "30", "d", "0d", "-1d", "%2B1d", "1.5d", "01d", "6m", "6mo", "1w", "1D", "1d12h", "100000d", "9999999999999999999999d",
				"2020-12-14", "2020-12-14T15:34:18", "2020-12-14t15:34:18z", "2020-02-30T00:00:00Z",
				"12020-12-14T15:34:18Z", "1607960058", "tomorrow"},
			space:                     {"2020-12-14T15:34:18+01:00", "2020-12-14%2015:34:18Z"},
			"must not be before 1970": {"0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00%2B00:01", "0000-01-01T00:00:00Z"},
		}
	}
	bad := func(query, detail string) {
		t.Helper()
		e := exchange{method: "GET", path: base + "/g/a/images?" + query, status: 400, want: problemOf("bad-request", detail)}
		w.run(e)
		e.method, e.want = "HEAD", "-"
		w.run(e)
	}
	for name, faults := range wrong {
		for fault, values := range faults {
			for _, value := range values {
				bad(name+"="+value, fmt.Sprintf("The query parameter %q %s.", name, fault))
			}
		}
	}
	good := map[string]string{"tagged": "true", "status": "ANY", "limit": "5", "after": cursorLike("1 1 a"), "pushedBefore": "1d", "pushedAfter": "1d"}
	for name, value := range good {
		bad("limit=5&"+name+"="+value+"&"+name+"="+value, fmt.Sprintf("The query parameter %q %s.", name, twice))
	}
	bad("after="+good["after"], `The query parameter "after" needs "limit".`)
	bad(strings.Repeat("tag=a&", 21), `The query parameter "tag" may be given 20 times at most.`)
	bad("tag=*a**b*c*", `The query parameter "tag" may have 4 "*" at most.`)
	bad("tags=v1", `"tags" is not a query parameter of this request.`)
	bad("Tagged=true", `"Tagged" is not a query parameter of this request.`)
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %v", called)
	}
	longest := strings.Repeat("tag=*a*"+strings.Repeat("a", 123)+"**&", 20)
	w.run(exchange{name: "20 patterns", method: "GET", path: base + "/g/a/images?" + longest, status: 200, want: "[]"})
}
