package api

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

const ociIndexType = "application/vnd.oci.image.index.v1+json"

// digestNo returns a digest that is not of a manifest.
func digestNo(n int) string { return fmt.Sprintf("sha256:%064x", n) }

// platform returns how an index names the image with the digest, with these
// members of the platform in JSON.
func platform(digest, members string) string {
	return `{"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 400, "digest": "` + digest + `", "platform": {` + members + `}}`
}

// attestation is the image number 9, which says how another one was built.
var attestation = `{"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 400, "digest": "` + digestNo(9) + `",
	"annotations": {"vnd.docker.reference.digest": "` + digestNo(1) + `", "vnd.docker.reference.type": "attestation-manifest"},
	"platform": {"architecture": "unknown", "os": "unknown"}}`

// indexOf returns the manifest of an index.
func indexOf(parts ...string) string {
	return `{"schemaVersion": 2, "mediaType": "` + ociIndexType + `", "manifests": [` + strings.Join(parts, ", ") + `]}`
}

// addPart adds the image of that number. Its size is a thousand times the
// number.
func (w *world) addPart(repository string, n int) {
	w.t.Helper()
	w.addImage(account, repository, localaws.Image{Digest: digestNo(n), Size: int64(1000 * n), PushedAt: pushedThen,
		MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.oci.image.config.v1+json"})
}

// addPlatforms adds an index with the tag, of two platforms and an attestation.
func (w *world) addPlatforms(repository, tag string) {
	w.t.Helper()
	for _, n := range []int{1, 2, 9} {
		w.addPart(repository, n)
	}
	w.addIndex(repository, tag, platform(digestNo(1), `"architecture": "amd64", "os": "linux"`),
		platform(digestNo(2), `"architecture": "arm", "os": "linux", "variant": "v7"`), attestation)
}

func (w *world) addIndex(repository, tag string, parts ...string) {
	w.t.Helper()
	w.addImage(account, repository, localaws.Image{Tags: []string{tag}, Digest: shownDigest, PushedAt: pushedThen,
		Manifest: indexOf(parts...), MediaType: ociIndexType, ArtifactType: "none"})
}

// platformOf returns a platform in an answer, of the image with that number.
func platformOf(n int, os, architecture, variant, size string) string {
	return `{"ImageDigest": "` + digestNo(n) + `", "Os": ` + os + `, "Architecture": ` + architecture + `, "Variant": ` + variant + `, "ImageSizeInBytes": ` + size + `}`
}

func TestPlatformsOfAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addPlatforms("g/a", "v1")
	e := v1("")
	e.want = changed(t, unscanned, `{
		"ArtifactMediaType": "none", "ImageManifestMediaType": "`+ociIndexType+`", "ImageSizeInBytes": 9000,
		"Platforms": [`+platformOf(1, `"linux"`, `"amd64"`, "null", "1000")+`, `+platformOf(2, `"linux"`, `"arm"`, `"v7"`, "2000")+`]
	}`)
	without := v1("findings=false")
	without.want = changed(t, e.want, `{"ImageScanStatus": null, "LastRecordedPullTime": "2040-12-14T15:34:18Z"}`) // the read of the manifest was a pull
	w.forget()
	w.run(e)
	calls := w.called()
	slices.Sort(calls)
	if diff := cmp.Diff([]string{"ecr:BatchGetImage", "ecr:DescribeImageScanFindings", "ecr:DescribeImages", "ecr:DescribeImages", "ecr:ListTagsForResource", "sts:AssumeRole"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	w.run(without)
	part := exchange{method: "GET", path: base + "/g/a/images/" + digestNo(2), status: 200, want: changed(t, unscanned, `{
		"ArtifactMediaType": "application/vnd.oci.image.config.v1+json", "ImageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
		"ImageDigest": "`+digestNo(2)+`", "ImageSizeInBytes": 2000, "ImageTags": []
	}`)}
	w.forget()
	w.run(part)
	if slices.Contains(w.called(), "ecr:BatchGetImage") {
		t.Error("the manifest of an image that is no index was read")
	}
}

// Parts of all kinds: named twice, missing, without a platform, an index, and
// signatures.
func TestOddPartsOfAnIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addPart("g/a", 1)
	w.addPart("g/a", 3)
	unknown := `"architecture": "unknown", "os": "unknown"`
	plain := func(n int, more string) string {
		return `{"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 4, "digest": "` + digestNo(n) + `"` + more + `}`
	}
	for _, test := range []struct {
		name  string
		parts []string
		want  []string
	}{
		{"none", nil, nil},
		{"attestations only", []string{platform(digestNo(1), unknown), attestation}, nil},
		{"an attestation with a platform", []string{strings.Replace(attestation, `"unknown", "os": "unknown"`, `"amd64", "os": "linux"`, 1)}, nil},
		{"signatures", []string{plain(1, `, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json"`)}, nil},
		{"missing", []string{platform(digestNo(1), `"os": "linux"`), platform(digestNo(2), `"os": "linux"`), platform(digestNo(3), `"os": "linux"`)},
			[]string{platformOf(1, `"linux"`, "null", "null", "1000"), platformOf(2, `"linux"`, "null", "null", "null"), platformOf(3, `"linux"`, "null", "null", "3000")}},
		{"twice", []string{platform(digestNo(1), `"os": "a"`), platform(digestNo(1), `"os": "b"`)},
			[]string{platformOf(1, `"a"`, "null", "null", "1000"), platformOf(1, `"b"`, "null", "null", "1000")}},
		{"no digest, and others", []string{`{"platform": {"os": "linux"}}`, strings.Replace(platform(digestNo(2), `"os": "linux"`), digestNo(2), "sha512:ab", 1), platform(digestNo(1), `"os": "linux"`)},
			[]string{strings.Replace(platformOf(2, `"linux"`, "null", "null", "null"), digestNo(2), "", 1), strings.Replace(platformOf(2, `"linux"`, "null", "null", "null"), digestNo(2), "sha512:ab", 1),
				platformOf(1, `"linux"`, "null", "null", "1000")}},
		{"no platform", []string{plain(3, "")}, []string{platformOf(3, "null", "null", "null", "3000")}},
		{"one of both is unknown", []string{platform(digestNo(1), `"architecture": "unknown", "os": "windows"`)},
			[]string{platformOf(1, `"windows"`, `"unknown"`, "null", "1000")}},
	} {
		tag := strings.NewReplacer(" ", "-", ",", "").Replace(test.name)
		w.addImage(account, "g/a", localaws.Image{Tags: []string{tag}, Manifest: indexOf(test.parts...), MediaType: ociIndexType})
		_, _, body := w.do(exchange{method: "GET", path: base + "/g/a/images/" + tag})
		want := parse(t, "["+strings.Join(test.want, ",")+"]")
		if diff := cmp.Diff(want, parse(t, body).(map[string]any)["Platforms"]); diff != "" {
			t.Errorf("%s: platforms (-want +got):\n%s", test.name, diff)
		}
	}
}

// An index may have more parts than ECR describes at once.
func TestIndexOfManyPlatforms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	var parts, want []string
	for n := 1; n <= 250; n++ {
		size := "null"
		if n%100 != 7 {
			w.addPart("g/a", n)
			size = fmt.Sprint(1000 * n)
		}
		parts = append(parts, platform(digestNo(n), `"os": "linux"`))
		want = append(want, platformOf(n, `"linux"`, "null", "null", size))
	}
	w.addIndex("g/a", "v1", parts...)
	status, _, body := w.do(v1(""))
	if diff := cmp.Diff(parse(t, "["+strings.Join(want, ",")+"]"), parse(t, body).(map[string]any)["Platforms"]); status != 200 || diff != "" {
		t.Errorf("status %d, platforms (-want +got):\n%s", status, diff)
	}
}

// The index is deleted when it was described, and its manifest was not read.
func TestIndexThatIsDeletedBetweenTheCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/a", org)
	w.addPlatforms("g/a", "v1")
	direct := ecr.New(w.direct().session)
	var once sync.Once
	w.after = func(c localaws.Call) {
		if c.Operation == "DescribeImages" {
			once.Do(func() {
				_, err := direct.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("g/a"), ImageIds: []*ecr.ImageIdentifier{{ImageDigest: aws.String(shownDigest)}}})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	e := v1("findings=false")
	e.status, e.want = 404, problemOf("image-not-found", "The image "+shownDigest+" does not exist any more.")
	w.run(e)
}

// ECR may tell of one index that it does not tell its manifest. The code of that
// failure is the same for callers as that of a failed call.
func TestIndexThatECRDoesNotTell(t *testing.T) {
	t.Parallel()
	const words = "AWS's own words"
	const denied = "User: arn:aws:sts::012345678901:assumed-role/ecr-api/s is not authorized to perform: kms:Decrypt on resource: k"
	const lackOfKey = "AWS denied kms:Decrypt to the role of that account. Either the role lacks a permission: look at its KMS statements (config/aws/role-policy.json). " +
		"Or the key is not for the role: look at the key's policy, or name another key."
	for _, test := range []struct{ awsCode, reason, code, detail string }{
		{"KmsError", words, "bad-request", words},
		{"KmsError", denied, "denied-by-aws", lackOfKey},
		{"UpstreamTooManyRequests", words, "throttled", throttledDetail},
		{"UpstreamUnavailable", words, "internal", internalError},
		{"ACodeThatIsAddedNextMonth", words, "internal", internalError},
	} {
		w := newWorld(t, changeAnswers(t, func(operation, body string) string {
			if operation != "BatchGetImage" {
				return body
			}
			return `{"images": [], "failures": [{"imageId": {"imageDigest": "` + shownDigest + `"}, "failureCode": "` + test.awsCode + `", "failureReason": "` + test.reason + `"}]}`
		}))
		w.addRepository(account, "g/a", org)
		w.addPlatforms("g/a", "v1")
		want, status := problemByAWS(test.code, test.detail, test.awsCode), statusByCode[test.code]
		e := v1("findings=false")
		e.status, e.want = status, want
		w.run(e, exchange{method: "POST", path: base + "/g/a/images/v1/scan", status: status, want: want})
	}
}

// Signatures and the like tell to which image they belong.
func TestSubjectOfAnImage(t *testing.T) {
	t.Parallel()
	w := newImageWorld(t, nil)
	manifest := `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "subject": {"digest": "` + shownDigest + `", "size": 4},
		"config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "` + digestNo(5) + `", "size": 2}, "layers": []}`
	w.addImage(account, "g/a", localaws.Image{Tags: []string{"signature"}, Digest: otherDigest, Size: 7, Manifest: manifest, PushedAt: pushedThen,
		MediaType: "application/vnd.oci.image.manifest.v1+json", ArtifactType: "application/vnd.oci.empty.v1+json"})
	w.run(exchange{method: "GET", path: base + "/g/a/images/signature", status: 200, want: changed(t, unscanned, `{
		"ArtifactMediaType": "application/vnd.oci.empty.v1+json", "ImageManifestMediaType": "application/vnd.oci.image.manifest.v1+json",
		"ImageDigest": "`+otherDigest+`", "ImageSizeInBytes": 7, "ImageTags": ["signature"], "SubjectManifestDigest": "`+shownDigest+`"
	}`)})
}
