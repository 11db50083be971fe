package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

var _ = describe("ListImages", rowTest{
	given: func(w *world, account, repository, _ string) {
		w.addImage(account, repository, localaws.Image{Tags: []string{"latest"}})
	},
	calls: []string{"ecr:DescribeImages", "ecr:ListTagsForResource"},
	variants: []exchange{
		{name: "none", method: "GET", path: base + "/g/plain/images", status: 200},
		{name: "some", method: "GET", path: base + "/g/images/images", status: 200},
		{name: "a page", method: "GET", path: base + "/g/images/images?tagged=true&limit=1", status: 200},
		{name: "missing", method: "GET", path: base + "/g/missing/images", status: 404},
	},
	may:   []right{{do: []string{"ecr:DescribeImages", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers}},
	never: []right{denyOtherOrgs},
})

func jsonOf(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// addImages adds n images, each pushed a second after the one before.
func (w *world) addImages(account, name string, n int) {
	w.t.Helper()
	for i := range n {
		w.addImage(account, name, localaws.Image{
			Tags:     []string{fmt.Sprintf("v%d", i)},
			PushedAt: awsClock.Add(time.Duration(i) * time.Second),
		})
	}
}

func (w *world) addImage(account, name string, image localaws.Image) {
	w.t.Helper()
	if err := w.aws.AddImage(account, region, name, image); err != nil {
		w.t.Fatal(err)
	}
}

func TestListImages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "spindev-00001/a", org)
	const path = base + "/spindev-00001/a/images"
	w.run(exchange{name: "none", method: "GET", path: path, status: 200, want: `[]`})

	const digest = "sha256:ac81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2"
	w.addImage(account, "spindev-00001/a", localaws.Image{
		Tags: []string{"latest", "1.0"}, Digest: digest, Size: 16093514,
		PushedAt: time.Date(2020, 12, 14, 15, 56, 11, 999e6, time.UTC),
		Scan: &localaws.Scan{
			CompletedAt:     time.Date(2020, 12, 14, 16, 2, 36, 0, time.UTC),
			SourceUpdatedAt: time.Date(2020, 11, 4, 1, 21, 9, 0, time.UTC),
		},
	})
	const untagged = "sha256:bc81321d3627bcde149b383220b16dabc590f2d247f4c72c64cb14f58e7fb9c2"
	w.addImage(account, "spindev-00001/a", localaws.Image{
		Digest: untagged, Size: 1, PushedAt: time.Date(2020, 12, 15, 0, 0, 0, 0, time.UTC),
		MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.oci.image.config.v1+json",
	})
	w.run(exchange{method: "GET", path: path, status: 200, want: `[
		{
			"ArtifactMediaType": "application/vnd.oci.image.config.v1+json",
			"ImageDigest": "` + untagged + `",
			"ImageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
			"ImagePushedAt": "2020-12-15T00:00:00Z",
			"ImageScanFindingsSummary": null,
			"ImageScanStatus": null,
			"ImageSizeInBytes": 1,
			"ImageTags": [],
			"RegistryId": "012345678901",
			"RepositoryName": "spindev-00001/a"
		},
		{
			"ArtifactMediaType": "application/vnd.docker.container.image.v1+json",
			"ImageDigest": "` + digest + `",
			"ImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
			"ImagePushedAt": "2020-12-14T15:56:11Z",
			"ImageScanFindingsSummary": {
				"FindingSeverityCounts": {},
				"ImageScanCompletedAt": "2020-12-14T16:02:36Z",
				"VulnerabilitySourceUpdatedAt": "2020-11-04T01:21:09Z"
			},
			"ImageScanStatus": {"Description": "The scan was completed successfully.", "Status": "COMPLETE"},
			"ImageSizeInBytes": 16093514,
			"ImageTags": ["1.0", "latest"],
			"RegistryId": "012345678901",
			"RepositoryName": "spindev-00001/a"
		}
	]`})
}

func TestImagesAreCompleteOverAllPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImages(account, "g/a", 1500)
	_, _, body := w.do(exchange{method: "GET", path: base + "/g/a/images"})
	var images []struct{ ImageTags []string }
	if err := json.Unmarshal([]byte(body), &images); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, i := range images {
		got = append(got, i.ImageTags...)
	}
	for i := range 1500 {
		want = append(want, fmt.Sprintf("v%d", i))
	}
	slices.Reverse(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tags, newest push first (-want +got):\n%s", diff)
	}
	calls := w.called()
	slices.Sort(calls)
	if diff := cmp.Diff([]string{"ecr:DescribeImages", "ecr:DescribeImages", "ecr:ListTagsForResource", "ecr:ListTagsForResource", "sts:AssumeRole"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// Somebody deletes the repository and makes another one of the same name, while
// the service reads the pages. Session policies do not deny the second one,
// because it has no org.
func TestImagesOfARepositoryThatIsReplacedBetweenPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImages(account, "g/a", 1001)
	direct := ecr.New(w.direct().session)
	tagsRead := make(chan struct{}, 2)
	var replace sync.Once
	w.after = func(c localaws.Call) {
		switch c.Operation {
		case "ListTagsForResource":
			tagsRead <- struct{}{}
		case "DescribeImages":
			replace.Do(func() {
				<-tagsRead
				if _, err := direct.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("g/a"), Force: aws.Bool(true)}); err != nil {
					t.Error(err)
				}
				w.addRepository(account, "g/a", "")
				w.addImages(account, "g/a", 2000)
			})
		}
	}
	w.run(exchange{method: "GET", path: base + "/g/a/images", status: 403, want: problemOf("other-org",
		"That repository belongs to another org, or to none. Only repositories whose tag spinup:org is this service's org can be used.")})
	if diff := cmp.Diff([]string{"ecr:DescribeImages", "ecr:DescribeImages"}, slices.DeleteFunc(w.called(), func(c string) bool { return c != "ecr:DescribeImages" })); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}
