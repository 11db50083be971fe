package api

import (
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

var _ = describe("DeleteImages", rowTest{
	query: "tag=latest",
	given: func(w *world, account, repository, _ string) {
		w.addImage(account, repository, localaws.Image{Tags: []string{"latest"}})
		w.addImage(account, repository, localaws.Image{Tags: []string{"index"}, MediaType: "application/vnd.oci.image.index.v1+json",
			Manifest: `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}`})
	},
	calls: []string{"ecr:DescribeImages", "ecr:ListTagsForResource", "ecr:BatchGetImage", "ecr:BatchDeleteImage"},
	variants: []exchange{
		{name: "none", method: "DELETE", path: base + "/g/plain/images?tag=latest", status: 200},
		{name: "some", method: "DELETE", path: base + "/g/images/images?tag=*", status: 200},
		{name: "missing", method: "DELETE", path: base + "/g/missing/images?tag=latest", status: 404},
	},
	may: []right{
		{do: []string{"ecr:DescribeImages", "ecr:ListTagsForResource"}, where: []string{inGroup}, whose: notOthers},
		{do: []string{"ecr:BatchDeleteImage", "ecr:BatchGetImage"}, where: []string{inGroup}, whose: []string{ours}},
	},
	never:     []right{denyOtherOrgs, {do: []string{"ecr:BatchDeleteImage", "ecr:BatchGetImage"}, whose: []string{noOrg}}},
	changes:   map[string]change{"ecr:BatchDeleteImage": {part: "1 image"}},
	redundant: []string{"statement 2 without StringEquals aws:ResourceTag/spinup:org"},
})

// digestOf returns a digest of one digit.
func digestOf(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// daysAgo returns a time before awsClock.
func daysAgo(days int) time.Time { return awsClock.AddDate(0, 0, -days) }

// cleanUp returns a request that deletes images of g/a.
func cleanUp(query string, status int, want string) exchange {
	return exchange{name: "clean up " + query, method: "DELETE", path: base + "/g/a/images?" + query, status: status, want: want}
}

// cleaned returns the answer of a deletion of many images, and dryRun the one of
// a dry run. An id is a digit of digestOf, or a digit, a colon and a tag. A
// failure is an id, a space and the code. The images that are gone are digits.
func cleaned(ids, failures, gone string) string {
	return `{"DryRun": false, "ImageIds": ` + jsonOf(idsOf(ids)) + `, "Failures": ` + jsonOf(failuresOf(failures)) + `, "DeletedImages": ` + jsonOf(digestsOf(gone)) + `}`
}

func wouldClean(ids, failures, gone string) string {
	return strings.Replace(cleaned(ids, failures, gone), "false", "true", 1)
}

type idOf struct{ ImageDigest, ImageTag *string }

type failureOf struct {
	ImageID       idOf `json:"ImageId"`
	FailureCode   string
	FailureReason string
}

func newID(text string) idOf {
	digit, tag, tagged := strings.Cut(text, ":")
	id := idOf{ImageDigest: new(digestOf(digit))}
	if tagged {
		id.ImageTag = &tag
	}
	return id
}

func idsOf(text string) []idOf {
	list := []idOf{}
	for word := range strings.FieldsSeq(text) {
		list = append(list, newID(word))
	}
	return list
}

// failuresOf takes words with a question mark for missing images, and with an
// exclamation mark for parts of indexes.
func failuresOf(text string) []failureOf {
	list := []failureOf{}
	for word := range strings.FieldsSeq(text) {
		f := failureOf{newID(word[:len(word)-1]), "ImageReferencedByManifestList", "Requested image referenced by manifest list"}
		if strings.HasSuffix(word, "?") {
			f.FailureCode, f.FailureReason = "ImageNotFound", "Requested image not found"
		}
		list = append(list, f)
	}
	return list
}

func digestsOf(text string) []string {
	list := []string{}
	for digit := range strings.FieldsSeq(text) {
		list = append(list, digestOf(digit))
	}
	return list
}

// newCleanupWorld returns a world with the repository g/a, in which there are
//
//	1    ten days old, v1 and latest      2    twenty days old, v2
//	3    thirty days old, untagged
//	a    an index of 4 and 5, multi       b    an untagged index of 5 and 6
//	7    a signature of 1                 8    an attestation of 3
//	9    archived, untagged
func newCleanupWorld(t *testing.T) *world {
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	add := func(digit string, days int, tags ...string) {
		w.addImage(account, "g/a", localaws.Image{Digest: digestOf(digit), Tags: tags, PushedAt: daysAgo(days)})
	}
	add("1", 10, "v1", "latest")
	add("2", 20, "v2")
	add("3", 30)
	add("4", 40)
	add("5", 40)
	add("6", 40, "arm")
	w.addIndexOf("g/a", digestOf("a"), []string{"multi"}, digestOf("4"), digestOf("5"))
	w.addIndexOf("g/a", digestOf("b"), nil, digestOf("5"), digestOf("6"))
	add("7", 9, "sha256-"+strings.Repeat("1", 64)+".sig")
	w.addImage(account, "g/a", localaws.Image{Digest: digestOf("9"), Status: "ARCHIVED"})
	w.addImage(account, "g/a", localaws.Image{
		Digest: digestOf("8"), PushedAt: daysAgo(9), MediaType: "application/vnd.oci.image.manifest.v1+json",
		Manifest: `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "subject": {"digest": "` + digestOf("3") + `"}}`,
	})
	return w
}

// Each combination of selectors has one answer, which the dry run gives too.
func TestDeleteImages(t *testing.T) {
	t.Parallel()
	signature := "7:sha256-" + strings.Repeat("1", 64) + ".sig"
	for query, want := range map[string]struct{ ids, failures, gone string }{
		"tag=v1":                                   {"1:v1", "", ""},
		"tag=v1&tag=latest":                        {"1:latest 1:v1", "", "1"},
		"tag=v*":                                   {"1:v1 2:v2", "", "2"},
		"tag=*":                                    {"1:latest 1:v1 2:v2 " + signature + " a:multi", "6:arm!", "1 2 7 a"},
		"tag=sha256-*":                             {signature, "", "7"},
		"tag=none":                                 {"", "", ""},
		"tag=arm":                                  {"", "6:arm!", ""},
		"digest=" + digestOf("1"):                  {"1:latest 1:v1", "", "1"},
		"digest=" + digestOf("3"):                  {"3", "", "3"},
		"digest=" + digestOf("0"):                  {"", "0?", ""},
		"digest=" + digestOf("5"):                  {"", "5!", ""},
		"digest=" + digestOf("a"):                  {"a:multi", "", "a"},
		"digest=" + digestOf("1") + "&tag=v*":      {"1:v1", "", ""},
		"tagged=false":                             {"3 8 b", "", "3 8 b"},
		"pushedBefore=2040-11-30T00:00:00Z":        {"2:v2 3", "", "2 3"},
		"pushedBefore=2040-12-10T00:00:00Z":        {"1:latest 1:v1 2:v2 3 " + signature + " 8", "", "1 2 3 7 8"},
		"pushedBefore=2040-12-10T00:00:00Z&keep=1": {"2:v2 3 8", "", "2 3 8"},
		"pushedBefore=2040-12-10T00:00:00Z&keep=9": {"", "", ""},
		"tag=v*&pushedBefore=2040-11-30T00:00:00Z": {"2:v2", "", "2"},
		"tag=v*&keep=1":                            {"2:v2", "", "2"},
		"status=ARCHIVED":                          {"9", "", "9"},
		"tagged=false&status=ANY":                  {"3 8 9 b", "", "3 8 9 b"},
		"digest=" + digestOf("9"):                  {"", "", ""},
		"status=ACTIVE":                            {"1:latest 1:v1 2:v2 3 4 5 6:arm " + signature + " 8 a:multi b", "", "1 2 3 4 5 6 7 8 a b"},
		"tagged=false&keep=1":                      {"3 8", "", "3 8"},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := newCleanupWorld(t)
			w.run(
				cleanUp(query+"&dryRun=true", 200, wouldClean(want.ids, want.failures, want.gone)),
				cleanUp(query+"&dryRun=false", 200, cleaned(want.ids, want.failures, want.gone)),
			)
		})
	}
}

func TestDeleteImagesRefusals(t *testing.T) {
	t.Parallel()
	const nothing = `Say which images are to be deleted, by "tag", "digest", "tagged=false", "pushedBefore" or "status".`
	w := newCleanupWorld(t)
	w.forget()
	for query, want := range map[string]string{
		"":                     nothing,
		"keep=3":               nothing,
		"keep=3&dryRun=true":   nothing,
		"tag=v1&keep=0":        `The query parameter "keep" must be a number from 1 on.`,
		"tag=v1&keep=-1":       `The query parameter "keep" must be a number from 1 on.`,
		"tag=v1&keep=all":      `The query parameter "keep" must be a number from 1 on.`,
		"tag=v1&dryRun=1":      `The query parameter "dryRun" must be true or false.`,
		"tagged=true":          `The query parameter "tagged" must be false: images with tags are selected by "tag".`,
		"digest=sha256:12":     `The query parameter "digest" must be sha256: and 64 digits of 0-9 and a-f.`,
		"tag=v1&status=EMPTY":  `The query parameter "status" must be ACTIVE, ARCHIVED or ANY.`,
		"tag=v1&tag=a/b":       `The query parameter "tag" must be a tag or a pattern: 1 to 128 letters, digits, ".", "_", "-" and "*", which stands for any characters.`,
		"tag=v1&limit=3":       `"limit" is not a query parameter of this request.`,
		"tag=v1&keep=1&keep=2": `The query parameter "keep" is given twice.`,
		strings.Repeat("digest="+digestOf("1")+"&", 101): `The query parameter "digest" may be given 100 times at most.`,
	} {
		w.run(cleanUp(query, 400, problemOf("bad-request", want)))
	}
	if called := w.called(); called != nil {
		t.Errorf("AWS was called: %v", called)
	}
}
