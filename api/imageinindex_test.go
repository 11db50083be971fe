package api

import (
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	awsecr "github.com/aws/aws-sdk-go/service/ecr"
)

// addArchivedIndex adds an index of a part to g/a, with the tag old. It was pushed
// so many days ago.
func (w *world) addArchivedIndex(digest, part string, days int) {
	w.t.Helper()
	w.addImage(account, "g/a", localaws.Image{Digest: digest, Tags: []string{"old"}, PushedAt: daysAgo(days), Status: "ARCHIVED",
		MediaType: ociIndexType, Manifest: indexOf(platform(part, ""))})
}

// lastDigest is the last one in the order of digests.
const lastDigest = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

func TestDeletePartOfAnIndex(t *testing.T) {
	t.Parallel()
	const theIndex = "the index " + indexDigest
	const untagged = `{"ImageDigest": "` + partDigest + `", "ImageTag": null}`
	tag := func(digest, tag string) string { return `{"ImageDigest": "` + digest + `", "ImageTag": "` + tag + `"}` }
	for name, test := range map[string]struct {
		given    func(*world)
		requests []exchange
	}{
		"by its digest": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			w.addIndexOf("g/a", indexDigest, []string{"v1", "latest"}, digestB, partDigest)
		}, []exchange{deleteOf(partDigest, 409, inIndex(partDigest, theIndex+" (latest, v1)")), showOf(partDigest, 200)}},
		"by its last tag": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest, Tags: []string{"part"}})
			w.addIndexOf("g/a", indexDigest, nil, partDigest)
		}, []exchange{deleteOf("part", 409, inIndex(partDigest, theIndex)), showOf("part", 200)}},
		"by one of two tags": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest, Tags: []string{"part", "part2"}})
			w.addIndexOf("g/a", indexDigest, nil, partDigest)
		}, []exchange{
			deleteOf("part2", 200, deletion(tag(partDigest, "part2"))),
			deleteOf("part", 409, inIndex(partDigest, theIndex)), showOf("part", 200),
		}},
		"the index, and then the part": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			w.addIndexOf("g/a", indexDigest, []string{"v1"}, partDigest)
		}, []exchange{
			deleteOf("v1", 200, deletion(tag(indexDigest, "v1"), indexDigest)), showOf(partDigest, 200),
			deleteOf(partDigest, 200, deletion(untagged, partDigest)),
		}},
		"of two indexes": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			w.addIndexOf("g/a", indexDigest, []string{"v1"}, partDigest)
			w.later.Add(1)
			w.addIndexOf("g/a", digestB, []string{"v2", "v3", "v4", "v5", "v6"}, partDigest)
			w.addIndexOf("g/a", digestNo(1), []string{"without-it"}, digestA)
		}, []exchange{
			deleteOf(partDigest, 409, inIndex(partDigest, "the indexes "+digestB+" (v2, v3, v4, 2 more) and "+indexDigest+" (v1)")),
			deleteOf(digestB, 200, "-"), deleteOf(partDigest, 409, inIndex(partDigest, theIndex+" (v1)")),
			deleteOf(indexDigest, 200, "-"), deleteOf(partDigest, 200, deletion(untagged, partDigest)),
		}},
		"of many indexes": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			for n := range 120 { // more than AWS tells manifests of in one call
				w.addIndexOf("g/a", digestNo(n), nil, partDigest)
			}
		}, []exchange{deleteOf(partDigest, 409,
			inIndex(partDigest, "the indexes "+digestNo(0)+", "+digestNo(1)+", "+digestNo(2)+" and more"))}},
		"of the last of many indexes": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			for n := range 120 {
				w.addIndexOf("g/a", digestNo(n), nil, digestA)
			}
			w.addIndexOf("g/a", indexDigest, nil, partDigest)
		}, []exchange{deleteOf(partDigest, 409, inIndex(partDigest, theIndex))}},
		"behind a page of other images": {func(w *world) {
			w.addImages(account, "g/a", 1000)
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			w.addIndexOf("g/a", lastDigest, nil, partDigest)
		}, []exchange{deleteOf(partDigest, 409, inIndex(partDigest, "the index "+lastDigest))}},
		"an archived index": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			w.addArchivedIndex(indexDigest, partDigest, 0)
			w.addIndexOf("g/a", lastDigest, nil, digestA)
		}, []exchange{deleteOf(partDigest, 409, problemByAWS("image-in-index", "The image "+partDigest+" is part of an index that is still there, "+
			"and cannot be deleted before that. ECR does not tell what an archived index names, and these are archived: "+indexDigest+" (old).", "ImageReferencedByManifestList"))}},
		"an archived index and another one": {func(w *world) {
			w.addImage(account, "g/a", localaws.Image{Digest: partDigest})
			w.addArchivedIndex(indexDigest, partDigest, 0)
			w.addIndexOf("g/a", lastDigest, nil, partDigest)
		}, []exchange{deleteOf(partDigest, 409, inIndex(partDigest, "the index "+lastDigest))}},
		"an index in an index": {func(w *world) {
			w.addIndexOf("g/a", partDigest, []string{"inner"}, digestA)
			w.addIndexOf("g/a", indexDigest, []string{"outer"}, partDigest)
		}, []exchange{
			deleteOf(digestA, 409, inIndex(digestA, "the index "+partDigest+" (inner)")),
			deleteOf("inner", 409, inIndex(partDigest, theIndex+" (outer)")), deleteOf("outer", 200, "-"), deleteOf("inner", 200, "-"),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeleteWorld(t)
			test.given(w)
			w.run(test.requests...)
		})
	}
}

// If the index cannot be found, the answer is the same without its name.
func TestDeletePartOfAnIndexThatIsNotFound(t *testing.T) {
	t.Parallel()
	found := func(w *world) func(localaws.Call) bool { // after the deletion was refused
		return func(localaws.Call) bool { return strings.Contains(strings.Join(w.called(), " "), "BatchDeleteImage") }
	}
	for name, fault := range map[string]localaws.Fault{
		"the images are throttled":  {Operation: "ecr:DescribeImages", Code: "ThrottlingException"},
		"the manifests are denied":  {Operation: "ecr:BatchGetImage", Code: "AccessDeniedException", Message: "no"},
		"the manifests fail":        {Operation: "ecr:BatchGetImage", Code: "ServerException", Status: 500},
		"the images have no answer": {Operation: "ecr:DescribeImages", Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDeleteWorld(t)
			w.addIndexOf("g/a", indexDigest, []string{"v1"}, digestA)
			fault.When = found(w)
			w.aws.Inject(fault)
			w.run(deleteOf(digestA, 409, inIndex(digestA, "an index that is still there")))
			line := w.lastLine(t)
			if !strings.HasPrefix(line["error"].(string), "the index was not found: ") {
				t.Errorf("the line has the error %v", line["error"])
			}
			if denied := strings.Contains(name, "denied"); (line["level"] == "warning") != denied {
				t.Errorf("the line has the level %v", line["level"])
			}
		})
	}
}

// A read of an index may count as a pull of it. So those that were pushed last are
// read first, and no more than needed.
func TestDeletePartReadsFewIndexes(t *testing.T) {
	t.Parallel()
	for place, want := range map[int]int{0: 10, 9: 10, 10: 30, 29: 30, 30: 70, 139: 140} {
		w := newDeleteWorld(t)
		for n := range 140 {
			part := digestB
			if n == place {
				part = digestA
			}
			w.addImage(account, "g/a", localaws.Image{Digest: digestNo(n), PushedAt: daysAgo(n), MediaType: ociIndexType, Manifest: indexOf(platform(part, ""))})
		}
		w.run(deleteOf(digestA, 409, inIndex(digestA, "the index "+digestNo(place))))
		pulled := 0
		err := w.administrator().DescribeImagesPages(&awsecr.DescribeImagesInput{RepositoryName: aws.String("g/a")}, func(page *awsecr.DescribeImagesOutput, _ bool) bool {
			for _, i := range page.ImageDetails {
				if i.LastRecordedPullTime != nil {
					pulled++
				}
			}
			return true
		})
		if pulled != want || err != nil {
			t.Errorf("the image is part of index %d, and %d indexes were pulled, want %d: %v", place, pulled, want, err)
		}
	}
}

// If there is no time left for the search, the answer is the same as well.
func TestDeletePartOfAnIndexWithoutTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *common.Config, _ *[]route) { c.RequestTimeout = 4 * time.Second })
	w.addRepository(account, "g/a", org)
	w.addImage(account, "g/a", localaws.Image{Digest: digestA})
	w.addIndexOf("g/a", indexDigest, []string{"v1"}, digestA)
	w.aws.Inject(localaws.Fault{Operation: "ecr:BatchGetImage", Delay: time.Hour})
	w.run(deleteOf(digestA, 409, inIndex(digestA, "an index that is still there")))
}

// The index goes between the refusal and the search.
func TestDeletePartOfAnIndexThatGoes(t *testing.T) {
	t.Parallel()
	w := newDeleteWorld(t)
	w.addIndexOf("g/a", indexDigest, []string{"v1"}, digestA)
	w.after = func(c localaws.Call) {
		if c.Operation == "BatchDeleteImage" && c.Policy != "" {
			w.removeImage(imageID(indexDigest))
		}
	}
	w.run(deleteOf(digestA, 409, inIndex(digestA, "an index that is still there")))
	w.run(deleteOf(digestA, 200, "-"))
}

// The code of a failure in AWS's answer is the same for callers as that of a
// failed call.
func TestFailuresOfDeletions(t *testing.T) {
	t.Parallel()
	const words = "AWS's own words"
	const denied = "User: arn:aws:sts::012345678901:assumed-role/ecr-api/s is not authorized to perform: kms:Decrypt on resource: k"
	for name, test := range map[string]struct{ code, reason, want string }{
		"not found":        {"ImageNotFound", words, problemByAWS("image-not-found", words, "ImageNotFound")},
		"digest":           {"InvalidImageDigest", words, problemByAWS("bad-request", words, "InvalidImageDigest")},
		"tag":              {"InvalidImageTag", words, problemByAWS("bad-request", words, "InvalidImageTag")},
		"tag and digest":   {"ImageTagDoesNotMatchDigest", words, problemByAWS("bad-request", words, "ImageTagDoesNotMatchDigest")},
		"key":              {"KmsError", words, problemByAWS("bad-request", words, "KmsError")},
		"key is denied":    {"KmsError", denied, problemByAWS("denied-by-aws", "AWS denied kms:Decrypt to the role of that account. Either the role lacks a permission: look at its KMS statements (config/aws/role-policy.json). Or the key is not for the role: look at the key's policy, or name another key.", "KmsError")},
		"throttled":        {"UpstreamTooManyRequests", words, problemByAWS("throttled", throttledDetail, "UpstreamTooManyRequests")},
		"neither":          {"MissingDigestAndTag", words, problemByAWS("internal", internalError, "MissingDigestAndTag")},
		"access":           {"UpstreamAccessDenied", words, problemByAWS("internal", internalError, "UpstreamAccessDenied")},
		"unavailable":      {"UpstreamUnavailable", words, problemByAWS("internal", internalError, "UpstreamUnavailable")},
		"inaccessible":     {"ImageInaccessible", words, problemByAWS("internal", internalError, "ImageInaccessible")},
		"a code to come":   {"ACodeThatIsAddedNextMonth", words, problemByAWS("internal", internalError, "ACodeThatIsAddedNextMonth")},
		"part of an index": {"ImageReferencedByManifestList", words, inIndex(digestA, "an index that is still there")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, changeAnswers(t, func(operation, body string) string {
				if operation == "BatchDeleteImage" {
					return `{"imageIds": [], "failures": [{"imageId": {"imageTag": "v1"}, "failureCode": "` + test.code + `", "failureReason": "` + test.reason + `"}]}`
				}
				return body
			}))
			w.addRepository(account, "g/a", org)
			w.addImage(account, "g/a", localaws.Image{Digest: digestA, Tags: []string{"v1"}})
			status := statusByCode[parse(t, test.want).(map[string]any)["code"].(string)]
			w.run(deleteOf("v1", status, test.want))
			deleted := 0
			for _, c := range w.calls {
				if c.Operation == "BatchDeleteImage" {
					deleted++
					if !strings.Contains(w.log.String(), `"awsRequestId":"`+c.RequestID+`"`) {
						t.Errorf("the log does not have %s: %s", c.RequestID, w.log)
					}
				}
			}
			if deleted != 1 {
				t.Errorf("%d calls", deleted)
			}
		})
	}
}
