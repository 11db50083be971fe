package api

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	gocmp "github.com/google/go-cmp/cmp"
)

// cursorLike returns a cursor of that text.
func cursorLike(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// nextLink returns where the header Link leads, as a client reads it.
func (w *world) nextLink(from string, header http.Header) string {
	w.t.Helper()
	links := header.Values("Link")
	if len(links) == 0 {
		return ""
	}
	target, found := strings.CutSuffix(links[0], `>; rel="next"`)
	if len(links) > 1 || !found || target[0] != '<' {
		w.t.Fatalf("the header Link: %q", links)
	}
	current, err := url.Parse(w.url + from)
	if err != nil {
		w.t.Fatal(err)
	}
	next, err := current.Parse(target[1:])
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimPrefix(next.String(), w.url)
}

// walk follows the pages from a path, and returns the digests on each. between
// runs after each page that is not the last.
func (w *world) walk(path string, between func()) (pages [][]string) {
	w.t.Helper()
	for {
		status, header, body := w.do(exchange{method: "GET", path: path})
		var images []struct{ ImageDigest string }
		if err := json.Unmarshal([]byte(body), &images); err != nil || status != 200 {
			w.t.Fatalf("%s: status %d: %s", path, status, body)
		}
		page := []string{}
		for _, i := range images {
			page = append(page, i.ImageDigest)
		}
		pages = append(pages, page)
		path = w.nextLink(path, header)
		if path == "" {
			return pages
		}
		if len(pages) > 100 {
			w.t.Fatalf("there is no end of pages: %s", path)
		}
		if between != nil {
			between()
		}
	}
}

func digests(numbers ...int) []string {
	list := []string{}
	for _, n := range numbers {
		list = append(list, numbered(n))
	}
	return list
}

func TestPagesOfImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.Accounts = map[string]string{"main": account} }, withoutTimes(t, 6, 7))
	w.addRepository(account, "g/a", org)
	const path = "/v1/ecr/main/repositories/g/a/images"
	w.addNumbered(1, awsClock.Add(2*time.Millisecond), "v1")
	for _, n := range []int{4, 2, 3} { // at the same millisecond
		w.addNumbered(n, awsClock.Add(time.Millisecond), fmt.Sprintf("v%d", n))
	}
	w.addNumbered(5, awsClock)
	w.addNumbered(7, awsClock.Add(time.Hour)) // nobody knows when
	w.addNumbered(6, awsClock.Add(time.Hour))
	for query, want := range map[string][][]string{
		"?limit=1":                {digests(1), digests(2), digests(3), digests(4), digests(5), digests(6), digests(7)},
		"?limit=2":                {digests(1, 2), digests(3, 4), digests(5, 6), digests(7)},
		"?limit=6":                {digests(1, 2, 3, 4, 5, 6), digests(7)},
		"?limit=7":                {digests(1, 2, 3, 4, 5, 6, 7)},
		"?limit=8":                {digests(1, 2, 3, 4, 5, 6, 7)},
		"?limit=1000":             {digests(1, 2, 3, 4, 5, 6, 7)},
		"?limit=2&tagged=true":    {digests(1, 2), digests(3, 4)},
		"?tag=v*&limit=3&tag=w":   {digests(1, 2, 3), digests(4)},
		"?limit=1&tagged=false":   {digests(5), digests(6), digests(7)},
		"?pushedAfter=1d&limit=4": {digests(1, 2, 3, 4), digests(5)},
		"?limit=1&tag=none":       {digests()},
	} {
		if diff := gocmp.Diff(want, w.walk(path+query, nil)); diff != "" {
			t.Errorf("%s: pages (-want +got):\n%s", query, diff)
		}
	}
}

// The link leads to the same path, with the caller's own parameters.
func TestLinkToTheNextPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.Accounts = map[string]string{"main": account} })
	w.addRepository(account, "g/a", org)
	for n := range 4 {
		w.addNumbered(n+1, awsClock.Add(-time.Duration(n)*time.Hour), "v1", fmt.Sprintf("w%d", n))
	}
	first, second := cursorLike("1 2239112058000 "+numbered(1)), cursorLike("1 2239108458000 "+numbered(2))
	for path, want := range map[string]string{
		"main/repositories/g/a/images?limit=1":                               "main/repositories/g/a/images?limit=1&after=" + first,
		account + "/repositories/g/%61/images?limit=1":                       account + "/repositories/g/%61/images?limit=1&after=" + first,
		"main/repositories/g/a/images?tag=w*&&limit=1&tag=v%2A&tagged=true&": "main/repositories/g/a/images?tag=w*&limit=1&tag=v%2A&tagged=true&after=" + first,
		"main/repositories/g/a/images?aft%65r=" + first + "&limit=1":         "main/repositories/g/a/images?limit=1&after=" + second,
		"main/repositories/g/a/images?limit=4":                               "",
		"main/repositories/g/a/images":                                       "",
	} {
		link := ""
		if want != "" {
			link = "</v1/ecr/" + want + `>; rel="next"`
		}
		for _, method := range []string{"GET", "HEAD"} {
			w.run(exchange{method: method, path: "/v1/ecr/" + path, status: 200, want: "-", wants: http.Header{"Link": {link}}})
		}
	}
}

// A link cannot be ended by what is in a parameter.
func TestLinkEncodesAngles(t *testing.T) {
	t.Parallel()
	if got := nextQuery("name=<a>&after=x", "c"); got != "name=%3Ca%3E&after=c" {
		t.Error(got)
	}
}

// The images on and after a page may be gone when the next page is read.
func TestPageAfterImagesThatAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	for n := 1; n <= 6; n++ {
		w.addNumbered(n, awsClock.Add(-time.Duration(n)*time.Second))
	}
	client := ecr.New(w.direct().session)
	remove := [][]int{{1, 2}, {3, 5}, {6}} // after each page
	added := 10
	pages := w.walk(base+"/g/a/images?limit=2", func() {
		deleteNumbered(t, client, remove[0]...)
		remove = remove[1:]
		w.addNumbered(added, awsClock.Add(time.Duration(added)*time.Hour)) // newer than all pages
		added++
	})
	if diff := gocmp.Diff([][]string{digests(1, 2), digests(3, 4), digests(6)}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	w.run(exchange{name: "after the last image", method: "GET", path: base + "/g/a/images?limit=1&after=" + cursorLike("1 0 "+numbered(9)),
		status: 200, want: "[]", wants: http.Header{"Link": {""}}})
}

// deleteNumbered deletes images of g/a, by a client of ECR.
func deleteNumbered(t *testing.T, client *ecr.ECR, numbers ...int) {
	t.Helper()
	in := &ecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a")}
	for _, n := range numbers {
		in.ImageIds = append(in.ImageIds, &ecr.ImageIdentifier{ImageDigest: aws.String(numbered(n))})
	}
	if out, err := client.BatchDeleteImage(in); err != nil || len(out.Failures) > 0 {
		t.Error(err, out)
	}
}

// A pushed is an image that a test has pushed.
type pushed struct {
	number int
	at     time.Time
}

// newestFirst is the order of lists.
func newestFirst(a, b pushed) int { return cmp.Or(b.at.Compare(a.at), a.number-b.number) }

// While others push and delete images, each image that stays is on one page, in
// order.
func TestPagesWhileImagesArePushedAndDeleted(t *testing.T) {
	t.Parallel()
	const stay, doomed = 2300, 200
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	add := func(n int) pushed { // three at the same time, and digests in another order than times
		p := pushed{n * 7919 % 100_003, awsClock.Add(-time.Duration(n/3) * time.Second)}
		w.addNumbered(p.number, p.at)
		return p
	}
	var stays, goes []pushed
	for n := range stay + doomed {
		if p := add(n); n%25 < 23 {
			stays = append(stays, p)
		} else {
			goes = append(goes, p)
		}
	}
	slices.SortFunc(stays, newestFirst)
	want := []string{}
	for _, p := range stays {
		want = append(want, numbered(p.number))
	}

	client := ecr.New(w.direct().session)
	var changes atomic.Int64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := stay + doomed; ; n++ {
			select {
			case <-end:
				return
			default:
			}
			again := pushed{n * 7919 % 100_003, awsClock.Add(-time.Duration(n*37%(stay+doomed)/3) * time.Second)}
			w.addNumbered(again.number, again.at)
			goes = append(goes, again)
			deleteNumbered(t, client, goes[0].number)
			goes = goes[1:]
			changes.Add(1)
		}
	}()
	pages := w.walk(base+"/g/a/images?limit=100", func() {
		before := changes.Load()
		waitFor(t, "images to be pushed and deleted", func() bool { return changes.Load() > before })
	})
	close(end)
	<-ended

	got := slices.DeleteFunc(slices.Concat(pages...), func(digest string) bool { return !slices.Contains(want, digest) })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("images that were there all the time (-want +got):\n%s", diff)
	}
	for i, page := range pages[:len(pages)-1] {
		if len(page) != 100 {
			t.Errorf("page %d has %d images", i, len(page))
		}
	}
}

// Requests for the same page that wait for memory share one answer, and all of
// them get its link.
func TestSharedPages(t *testing.T) {
	t.Parallel()
	w := withListMemory(t, 4<<20)
	w.addRepository(account, "g/a", org)
	w.addNumbered(1, awsClock, "v1")
	w.addNumbered(2, awsClock, "v2")
	e := exchange{
		method: "GET", path: base + "/g/a/images?limit=1&tag=v*", status: 200,
		want:  "[" + listed(1, `"2040-12-14T15:34:18Z"`, `["v1"]`) + "]",
		wants: http.Header{"Link": {"<" + base + "/g/a/images?limit=1&tag=v*&after=" + cursorLike("1 2239112058000 "+numbered(1)) + `>; rel="next"`}},
	}
	w.shareLists(t, e, 3)
	if diff := gocmp.Diff([]string{"ecr:DescribeImages", "ecr:ListTagsForResource", "sts:AssumeRole"}, slices.Sorted(slices.Values(w.called()))); diff != "" {
		t.Errorf("AWS calls (-want +got):\n%s", diff)
	}
}

// What a list takes is remembered once for all its pages.
func TestPagesAreOneListToTheMemory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImages(account, "g/a", 20)
	const path = base + "/g/a/images"
	for range 2 {
		w.walk(path+"?limit=1&tag=v1*", nil)
		w.walk(path+"?tag=v1*&limit=1", nil)
	}
	if n := w.service.lists.memory.sizes.Len(); n != 1 {
		t.Errorf("%d lists are remembered", n)
	}
	w.walk(path, nil)
	w.walk(path+"?tagged=true", nil)
	if n := w.service.lists.memory.sizes.Len(); n != 3 {
		t.Errorf("%d lists are remembered", n)
	}
}
