package ecr

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever is on the pages of ECR, the pages of a list are the parts of the
// whole list.
func TestPagesOfAnyList(t *testing.T) {
	t.Parallel()
	times := rapid.Custom(func(t *rapid.T) *common.Timestamp { // few, so that many images have the same one
		return &common.Timestamp{Time: time.UnixMilli(rapid.Int64Range(-1, 4).Draw(t, "ms"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.SliceOfN(rapid.SliceOfN(rapid.OneOf(times, rapid.Just[*common.Timestamp](nil)), 0, 6), 0, 12).Draw(t, "pages")
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		patterns := rapid.SampledFrom([][]string{nil, {"0*"}, {"1*", "*2"}}).Draw(t, "patterns")
		whole := listOf(pages, Selection{Filter: Filter{Tags: patterns}})
		if whole.More {
			t.Error("there are more images than all")
		}
		if !slices.IsSortedFunc(whole.Images, newestFirst) {
			t.Error("it is not in order")
		}
		got, selection := []*Image{}, Selection{Filter: Filter{Tags: patterns}, Limit: limit}
		for more := true; more; {
			page := listOf(pages, selection)
			if more = page.More; more && len(page.Images) != limit || len(page.Images) > limit {
				t.Fatalf("a page has %d images", len(page.Images))
			}
			if got = append(got, page.Images...); len(got) > len(whole.Images) {
				t.Fatal("the pages have too many images")
			}
			if more {
				selection.After = new(page.Images[limit-1].Position())
			}
		}
		if diff := cmp.Diff(whole.Images, got); diff != "" {
			t.Errorf("images (-whole list +pages):\n%s", diff)
		}
	})
}

// listOf puts a list together as Images does. Each image has its number among
// all as its only tag.
func listOf(pages [][]*common.Timestamp, selection Selection) ImageList {
	l := &listing{Selection: selection, images: []*Image{}}
	n := 0
	for _, page := range pages {
		var kept []*Image
		for _, pushed := range page {
			i := &Image{ImageDigest: fmt.Sprintf("%02d", n*37%100), ImageTags: []string{fmt.Sprint(n)}, ImagePushedAt: pushed}
			if n++; l.wants(i) {
				kept = append(kept, i)
			}
		}
		l.add(kept)
	}
	images, more := l.end()
	return ImageList{Images: images, More: more}
}

// An image that is on two pages of ECR is in the list once, with its last push.
func TestImagesOnTwoPages(t *testing.T) {
	t.Parallel()
	image := func(digest string, at int64) *Image {
		return &Image{ImageDigest: digest, ImageTags: []string{}, ImagePushedAt: &common.Timestamp{Time: time.UnixMilli(1000 * at)}}
	}
	text := func(digest string, at int64) string {
		return fmt.Sprintf(`{"imageDigest": %q, "imagePushedAt": %d}`, digest, at)
	}
	pages := []string{
		text("a", 1) + "," + text("b", 5) + "," + text("c", 3),
		text("b", 5) + "," + text("a", 4),
		text("d", 2) + "," + text("b", 1),
	}
	all := []*Image{image("b", 5), image("a", 4), image("c", 3), image("d", 2)}
	for limit := range 6 {
		client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
			var asked struct {
				NextToken int `json:",string"`
			}
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				t.Error(err)
			}
			next := ""
			if asked.NextToken < len(pages)-1 {
				next = fmt.Sprintf(`, "nextToken": "%d"`, asked.NextToken+1)
			}
			fmt.Fprintf(w, `{"imageDetails": [%s]%s}`, pages[asked.NextToken], next)
		})
		got, err := client.Images(t.Context(), "g/a", Selection{Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		want := &ImageList{Pages: 3, Images: all}
		if limit > 0 && limit < len(all) {
			want = &ImageList{Pages: 3, Images: all[:limit], More: true}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d: images (-want +got):\n%s", limit, diff)
		}
	}
}

// Images that are not wanted leave nothing in those that are.
func TestImagesNextToOthers(t *testing.T) {
	t.Parallel()
	size := int64(5)
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"imageDetails": [
			{"imageDigest": "a", "imageTags": ["w2", "w1"], "imageSizeInBytes": 1, "imagePushedAt": 1, "artifactMediaType": "x", "imageScanStatus": {"status": "COMPLETE"}},
			{"imageDigest": "b", "imageTags": ["v2", "v1"], "imageSizeInBytes": 5},
			{"imageDigest": "c", "imageTags": ["w3"], "imageSizeInBytes": 1},
			{"imageDigest": "d"},
			{"imageDigest": "e", "imageTags": ["v3"]}
		]}`)
	})
	got, err := client.Images(t.Context(), "g/a", Selection{Filter: Filter{Tags: []string{"v*"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := &ImageList{Pages: 1, Images: []*Image{
		{ImageDigest: "b", ImageTags: []string{"v1", "v2"}, ImageSizeInBytes: &size},
		{ImageDigest: "e", ImageTags: []string{"v3"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// Of a page with a limit, no more images are kept than that and one more.
func TestImagesBeyondTheLimitAreDropped(t *testing.T) {
	t.Parallel()
	l := &listing{Selection: Selection{Limit: 2}}
	images := []*Image{}
	for n := range 10 {
		images = append(images, &Image{ImageDigest: fmt.Sprint(9 - n)})
	}
	l.add(images)
	if len(l.images) != 3 || slices.ContainsFunc(l.images[:cap(l.images)][3:], func(i *Image) bool { return i != nil }) {
		t.Errorf("it keeps %v", l.images[:cap(l.images)])
	}
	for digest, want := range map[string]bool{"0": true, "1": true, "15": true, "2": false, "3": false} {
		if got := l.wants(&Image{ImageDigest: digest}); got != want {
			t.Errorf("it wants %s: %t", digest, got)
		}
	}
}

// An image whose status ECR has told must have that of the filter.
func TestFilterByStatus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter, image string // an image without a status: ""
		want          bool
	}{
		{"", "", true}, {"", "ACTIVE", true}, {"", "ARCHIVED", false}, {"", "ACTIVATING", false},
		{"ACTIVE", "", true}, {"ACTIVE", "ACTIVE", true}, {"ACTIVE", "ARCHIVED", false},
		{"ARCHIVED", "", true}, {"ARCHIVED", "ACTIVE", false}, {"ARCHIVED", "ARCHIVED", true},
		{"ANY", "", true}, {"ANY", "ACTIVE", true}, {"ANY", "ARCHIVED", true}, {"ANY", "ACTIVATING", true},
	} {
		image := &Image{}
		if test.image != "" {
			image.Status = &test.image
		}
		if got := (&Filter{Status: test.filter}).keeps(image); got != test.want {
			t.Errorf("the filter %q keeps an image of status %q: %t", test.filter, test.image, got)
		}
	}
}
