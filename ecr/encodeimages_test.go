package ecr

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEncodeImage(t *testing.T) {
	t.Parallel()
	size, text := int64(16093514), "a"
	when := common.Timestamp{Time: time.Date(2020, 12, 14, 16, 34, 18, 999_000_000, time.FixedZone("", 3600))}
	for want, image := range map[string]Image{
		`{"ArtifactMediaType":null,"ImageDigest":"","ImageManifestMediaType":null,"ImagePushedAt":null,` +
			`"ImageScanFindingsSummary":null,"ImageScanStatus":null,"ImageSizeInBytes":null,"ImageTags":[],"RegistryId":"","RepositoryName":""}`: {ImageTags: []string{}},
		`{"ArtifactMediaType":"a","ImageDigest":"sha256:1","ImageManifestMediaType":"a","ImagePushedAt":"2020-12-14T15:34:18Z",` +
			`"ImageScanFindingsSummary":{"FindingSeverityCounts":{"HIGH":2,"LOW":1},"ImageScanCompletedAt":"2020-12-14T15:34:18Z","VulnerabilitySourceUpdatedAt":null},` +
			`"ImageScanStatus":{"Description":"a","Status":null},"ImageSizeInBytes":16093514,"ImageTags":["latest","v1"],"RegistryId":"012345678901","RepositoryName":"g/a"}`: {
			ArtifactMediaType: &text, ImageDigest: "sha256:1", ImageManifestMediaType: &text, ImagePushedAt: &when,
			ImageScanFindingsSummary: &ScanFindingsSummary{FindingSeverityCounts: map[string]int64{"LOW": 1, "HIGH": 2}, ImageScanCompletedAt: &when},
			ImageScanStatus:          &ScanStatus{Description: &text}, ImageSizeInBytes: &size,
			ImageTags: []string{"latest", "v1"}, RegistryID: "012345678901", RepositoryName: "g/a",
		},
	} {
		if diff := cmp.Diff(want, string(image.AppendJSON(nil))); diff != "" {
			t.Errorf("JSON (-want +got):\n%s", diff)
		}
	}
}

// An image writes itself as encoding/json would write it.
func TestEncodeAnyImage(t *testing.T) {
	t.Parallel()
	texts := rapid.OneOf(rapid.SampledFrom([]string{"plain", "<&>", "\u2028", "\xff", "\x00\x7f\t\"\\"}), rapid.String())
	times := rapid.Custom(func(t *rapid.T) common.Timestamp {
		return common.Timestamp{Time: time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "ms")).UTC()}
	})
	summaries := rapid.Custom(func(t *rapid.T) ScanFindingsSummary {
		return ScanFindingsSummary{
			FindingSeverityCounts:        rapid.MapOf(texts, rapid.Int64()).Draw(t, "counts"),
			ImageScanCompletedAt:         rapid.Ptr(times, true).Draw(t, "completed"),
			VulnerabilitySourceUpdatedAt: rapid.Ptr(times, true).Draw(t, "updated"),
		}
	})
	statuses := rapid.Custom(func(t *rapid.T) ScanStatus {
		return ScanStatus{Description: rapid.Ptr(texts, true).Draw(t, "description"), Status: rapid.Ptr(texts, true).Draw(t, "status")}
	})
	rapid.Check(t, func(t *rapid.T) {
		image := Image{
			ArtifactMediaType:        rapid.Ptr(texts, true).Draw(t, "artifact"),
			ImageDigest:              texts.Draw(t, "digest"),
			ImageManifestMediaType:   rapid.Ptr(texts, true).Draw(t, "manifest"),
			ImagePushedAt:            rapid.Ptr(times, true).Draw(t, "pushed"),
			ImageScanFindingsSummary: rapid.Ptr(summaries, true).Draw(t, "summary"),
			ImageScanStatus:          rapid.Ptr(statuses, true).Draw(t, "status"),
			ImageSizeInBytes:         rapid.Ptr(rapid.Int64(), true).Draw(t, "size"),
			ImageTags:                rapid.SliceOf(texts).Draw(t, "tags"),
			RegistryID:               texts.Draw(t, "registry"),
			RepositoryName:           texts.Draw(t, "repository"),
		}
		compareJSON(t, image, image.AppendJSON(nil))
		failure := ImageFailure{
			ImageID:       ImageIdentifier{rapid.Ptr(texts, true).Draw(t, "digest"), rapid.Ptr(texts, true).Draw(t, "tag")},
			FailureCode:   rapid.Ptr(texts, true).Draw(t, "code"),
			FailureReason: rapid.Ptr(texts, true).Draw(t, "reason"),
		}
		compareJSON(t, failure, failure.AppendJSON(nil))
	})
}

func compareJSON(t *rapid.T, value any, ours []byte) {
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(ours)+"\n"); diff != "" {
		t.Errorf("JSON (-library +ours):\n%s", diff)
	}
}
