package api

import (
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// ECR does not tell what an archived index names. Nothing that may be part of it
// is taken for untagged litter, and what is named goes if ECR lets it.
func TestDeletionsBesideAnArchivedIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: digestOf("1"), PushedAt: daysAgo(9)})
	w.addImage(account, "g/a", localaws.Image{Digest: digestOf("2"), PushedAt: daysAgo(9)})
	w.addArchivedIndex(digestOf("a"), digestOf("1"), 8)
	w.addImage(account, "g/a", localaws.Image{Digest: digestOf("3"), PushedAt: daysAgo(7)})
	const path = base + "/g/a/images?"
	untold := `{"ImageId": {"ImageDigest": "` + digestOf("a") + `", "ImageTag": null}, "FailureCode": "ImageInaccessible",
		"FailureReason": "ECR does not tell which images this archived index names, so images that were pushed before it stay"}`
	part := `{"ImageId": {"ImageDigest": "` + digestOf("1") + `", "ImageTag": null}, "FailureCode": "ImageReferencedByManifestList",
		"FailureReason": "Requested image referenced by manifest list"}`
	deleted := func(digest, failure string) string {
		return `{"DryRun": false, "ImageIds": [{"ImageDigest": "` + digestOf(digest) + `", "ImageTag": null}], "Failures": [` + failure + `], "DeletedImages": ["` + digestOf(digest) + `"]}`
	}
	w.run(
		exchange{method: "DELETE", path: path + "tagged=false", status: 200, want: deleted("3", untold)},
		exchange{method: "DELETE", path: path + "digest=" + digestOf("1") + "&digest=" + digestOf("2"), status: 200, want: deleted("2", part)},
		exchange{method: "DELETE", path: path + "status=ANY", status: 200, want: `{"DryRun": false, "Failures": [],
			"ImageIds": [{"ImageDigest": "` + digestOf("1") + `", "ImageTag": null}, {"ImageDigest": "` + digestOf("a") + `", "ImageTag": "old"}],
			"DeletedImages": ["` + digestOf("1") + `", "` + digestOf("a") + `"]}`},
	)
}

// The platforms of an archived index are not known, and it cannot be scanned.
func TestArchivedIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: digestOf("1"), PushedAt: daysAgo(9)})
	w.addArchivedIndex(digestOf("a"), digestOf("1"), 8)
	w.run(
		exchange{method: "GET", path: base + "/g/a/images/old", status: 200, want: `{
			"ArtifactMediaType": null, "ImageDigest": "` + digestOf("a") + `", "ImageManifestMediaType": "application/vnd.oci.image.index.v1+json",
			"ImagePushedAt": "2040-12-06T15:34:18Z", "ImageScanFindingsSummary": null,
			"ImageScanStatus": {"Description": "ECR knows of no scan of this image.", "Status": null},
			"ImageSizeInBytes": null, "ImageTags": ["old"], "RegistryId": "012345678901", "RepositoryName": "g/a",
			"ImageStatus": "ARCHIVED", "LastRecordedPullTime": null, "SubjectManifestDigest": null, "Platforms": null,
			"ScanType": null, "FindingSeverityCounts": null, "ImageScanCompletedAt": null, "VulnerabilitySourceUpdatedAt": null,
			"FindingsComplete": false, "Findings": null}`},
		exchange{method: "POST", path: base + "/g/a/images/old/scan", status: 409,
			want: problemOf("image-is-index", digestOf("a")+" is an index, which ECR does not scan. It is archived, so ECR does not tell its parts.")},
	)
}

// Docker's own kind of index is one too: what it names is not litter.
func TestDockersManifestList(t *testing.T) {
	t.Parallel()
	const list = "application/vnd.docker.distribution.manifest.list.v2+json"
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addPart("g/a", 1)
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"v1"}, Digest: shownDigest, PushedAt: pushedThen, MediaType: list,
		Manifest: `{"schemaVersion": 2, "mediaType": "` + list + `", "manifests": [` + platform(digestNo(1), `"architecture": "amd64", "os": "linux"`) + `]}`})
	e := v1("")
	e.want = changed(t, unscanned, `{"ArtifactMediaType": null, "ImageManifestMediaType": "`+list+`", "ImageSizeInBytes": 1000,
		"Platforms": [`+platformOf(1, `"linux"`, `"amd64"`, "null", "1000")+`]}`)
	w.run(e,
		cleanUp("tagged=false", 200, `{"DryRun": false, "ImageIds": [], "Failures": [], "DeletedImages": []}`),
		exchange{method: "DELETE", path: base + "/g/a/images/" + digestNo(1), status: 409, want: problemByAWS("image-in-index",
			"The image "+digestNo(1)+" is part of the index "+shownDigest+" (v1), and cannot be deleted before that.", "ImageReferencedByManifestList")},
		exchange{method: "POST", path: base + "/g/a/images/v1/scan", status: 409, want: problemOf("image-is-index",
			shownDigest+" is an index, which ECR does not scan. If the registry has basic scanning, scan its parts: "+digestNo(1)+" (linux/amd64).")},
	)
}
