package ecr

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// AWS promises no order, but the same state must give the same answer.
func TestOrderOfImages(t *testing.T) {
	t.Parallel()
	noon := time.Date(2020, 12, 14, 12, 0, 0, 0, time.UTC)
	image := func(digest string, pushed *time.Time) *ecr.ImageDetail {
		return &ecr.ImageDetail{ImageDigest: aws.String(digest), ImagePushedAt: pushed}
	}
	details := []*ecr.ImageDetail{
		image("never", nil), image("b", aws.Time(noon)), image("late", aws.Time(noon.Add(time.Millisecond))), image("a", aws.Time(noon)),
	}
	slices.SortFunc(details, newestFirst)
	var got []string
	for _, d := range details {
		got = append(got, *d.ImageDigest)
	}
	if diff := cmp.Diff([]string{"late", "a", "b", "never"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestOrderOfTagsOfAnImage(t *testing.T) {
	t.Parallel()
	got := newImage(&ecr.ImageDetail{ImageTags: aws.StringSlice([]string{"v2", "latest", "v10"})})
	if diff := cmp.Diff([]string{"latest", "v10", "v2"}, got.ImageTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if none := newImage(&ecr.ImageDetail{}); none.ImageTags == nil {
		t.Error("the tags of an untagged image are null")
	}
}
