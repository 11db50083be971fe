package ecr

import (
	"slices"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
)

// AWS promises no order, but the same state must give the same answer.
func TestOrderOfImages(t *testing.T) {
	t.Parallel()
	noon := common.Timestamp{Time: time.Date(2020, 12, 14, 12, 0, 0, 0, time.UTC)}
	later := common.Timestamp{Time: noon.Add(time.Millisecond)}
	images := []*Image{
		{ImageDigest: "never"},
		{ImageDigest: "b", ImagePushedAt: &noon},
		{ImageDigest: "late", ImagePushedAt: &later},
		{ImageDigest: "a", ImagePushedAt: &noon},
	}
	slices.SortFunc(images, newestFirst)
	var got []string
	for _, i := range images {
		got = append(got, i.ImageDigest)
	}
	if diff := cmp.Diff([]string{"late", "a", "b", "never"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
