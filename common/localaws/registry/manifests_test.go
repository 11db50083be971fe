//lint:file-ignore SA1019 The service uses the SDK's first version.

package registry_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestPushAndPull(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	c.pushBlob(one, config, configDigest)
	c.pushBlob(one, layer, layerDigest)
	c.want("push", c.pushManifest(one, "v1", ociManifest, image), `201
Content-Length: 0
Docker-Content-Digest: `+manifestDigest+`
Location: /v2/012345678901/us-east-1/group/one/manifests/`+manifestDigest+`

`)
	c.want("push again", c.pushManifest(one, "v1", ociManifest, image), `201
Content-Length: 0
Docker-Content-Digest: `+manifestDigest+`
Location: /v2/012345678901/us-east-1/group/one/manifests/`+manifestDigest+`

`)
	const headers = `200
Content-Length: 398
Content-Type: application/vnd.oci.image.manifest.v1+json
Docker-Content-Digest: ` + manifestDigest + `

`
	for _, reference := range []string{"v1", manifestDigest, strings.Replace(manifestDigest, ":", "%3A", 1)} {
		c.want("GET "+reference, c.send("GET", one+"/manifests/"+reference, ""), headers+image)
		c.want("HEAD "+reference, c.send("HEAD", one+"/manifests/"+reference, ""), headers)
	}

	out, err := b.ECR(awstest.Here).DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if diff := cmp.Diff([]*ecr.ImageDetail{{
		RegistryId:             aws.String("012345678901"),
		RepositoryName:         aws.String("group/one"),
		ImageDigest:            aws.String(manifestDigest),
		ImageTags:              []*string{aws.String("v1")},
		ImageSizeInBytes:       aws.Int64(15),
		ImagePushedAt:          aws.Time(awstest.Noon),
		LastRecordedPullTime:   aws.Time(awstest.Noon),
		ImageManifestMediaType: aws.String(ociManifest),
		ArtifactMediaType:      aws.String("application/vnd.oci.image.config.v1+json"),
	}}, out.ImageDetails); diff != "" {
		t.Errorf("DescribeImages (-want +got):\n%s", diff)
	}
}

// What the API has put can be pulled.
func TestPullWhatTheAPIPut(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	_, err := b.ECR(awstest.Here).PutImage(&ecr.PutImageInput{RepositoryName: aws.String("group/one"), ImageTag: aws.String("v1"),
		ImageManifest: aws.String(image)})
	awstest.Must(t, err)
	c.want("GET", c.send("GET", one+"/manifests/v1", ""), `200
Content-Length: 398
Content-Type: application/vnd.oci.image.manifest.v1+json
Docker-Content-Digest: `+manifestDigest+`

`+image)
}

// The host of AWS is understood too. There a name has no account and region.
func TestHostOfAWS(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.host = "012345678901.dkr.ecr.us-east-1.amazonaws.com"
	path := c.startUpload("/v2/group/one")
	if !strings.HasPrefix(path, "/v2/group/one/blobs/uploads/") {
		t.Errorf("the upload is at %s", path)
	}
	c.pushImage("/v2/group/one", "v1")
	c.want("tags", c.send("GET", "/v2/group/one/tags/list", ""), "200\nContent-Length: 34\nContent-Type: application/json\n\n"+
		`{"name":"group/one","tags":["v1"]}`)
	c.wantError("the name as on this machine", c.send("GET", one+"/tags/list", ""), 404, "NAME_UNKNOWN", "The repository with name "+
		"'012345678901/us-east-1/group/one' does not exist in the registry with id '012345678901'")
	c.host = ""
	c.wantStatus("the same image", c.send("GET", one+"/manifests/v1", ""), 200)
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	const noRepository = "The repository with name 'no/where' does not exist in the registry with id '012345678901'"
	for _, test := range []struct{ method, path string }{
		{"GET", "/tags/list"},
		{"GET", "/manifests/v1"},
		{"DELETE", "/manifests/v1"},
		{"PUT", "/manifests/v1"},
		{"GET", "/referrers/" + unknown},
		{"GET", "/blobs/" + unknown},
		{"POST", "/blobs/uploads/"},
		{"POST", "/blobs/uploads/?mount=" + unknown + "&from=012345678901/us-east-1/group/one"},
		{"GET", "/blobs/uploads/x"},
		{"PATCH", "/blobs/uploads/x"},
		{"PUT", "/blobs/uploads/x?digest=" + unknown},
		{"DELETE", "/blobs/uploads/x"},
	} {
		body := ""
		if test.method == "PUT" {
			body = image
		}
		c.wantError(test.method+" "+test.path, c.send(test.method, "/v2/012345678901/us-east-1/no/where"+test.path, body), 404, "NAME_UNKNOWN", noRepository)
	}
	c.wantError("tag", c.send("GET", one+"/manifests/v1", ""), 404, "MANIFEST_UNKNOWN", "Requested image not found")
	c.wantError("digest", c.send("GET", one+"/manifests/"+unknown, ""), 404, "MANIFEST_UNKNOWN", "Requested image not found")
	c.wantStatus("HEAD", c.send("HEAD", one+"/manifests/"+unknown, ""), 404)
	c.wantError("delete", c.send("DELETE", one+"/manifests/"+unknown, ""), 404, "MANIFEST_UNKNOWN", "Requested image not found")
}

func TestDeleteManifest(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushImage(one, "v1")
	c.pushManifest(one, "v2", ociManifest, image)
	c.want("by tag", c.send("DELETE", one+"/manifests/v1", ""), "202\nContent-Length: 0\n\n")
	c.wantStatus("the tag is gone", c.send("GET", one+"/manifests/v1", ""), 404)
	c.wantStatus("the image is not", c.send("GET", one+"/manifests/"+manifestDigest, ""), 200)
	c.want("by digest", c.send("DELETE", one+"/manifests/"+manifestDigest, ""), "202\nContent-Length: 0\n\n")
	c.wantStatus("all is gone", c.send("GET", one+"/manifests/v2", ""), 404)
	c.wantError("again", c.send("DELETE", one+"/manifests/"+manifestDigest, ""), 404, "MANIFEST_UNKNOWN", "Requested image not found")
}

// indexOf returns an index of images.
func indexOf(digests ...string) string {
	children := make([]string, 0, len(digests))
	for _, digest := range digests {
		children = append(children, fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":398}`, ociManifest, digest))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, ociIndex, strings.Join(children, ","))
}

func TestIndex(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	missing := c.pushManifest(one, "all", ociIndex, indexOf(unknown))
	if missing.status != 400 || !strings.HasPrefix(missing.body, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"`) || !strings.Contains(missing.body, unknown) {
		t.Errorf("an image of the index is missing: %v", missing)
	}
	c.pushImage(one, manifestDigest)
	c.wantStatus("all images are there", c.pushManifest(one, "all", ociIndex, indexOf(manifestDigest)), 201)
	c.wantError("delete the image", c.send("DELETE", one+"/manifests/"+manifestDigest, ""), 409, "DENIED", "Requested image referenced by manifest list")
	c.wantStatus("it is still there", c.send("GET", one+"/manifests/"+manifestDigest, ""), 200)
	c.wantStatus("delete the index", c.send("DELETE", one+"/manifests/all", ""), 202)
	c.wantStatus("delete the image", c.send("DELETE", one+"/manifests/"+manifestDigest, ""), 202)
}

func TestMissingLayer(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushBlob(one, config, configDigest)
	got := c.pushManifest(one, "v1", ociManifest, image)
	if got.status != 400 || !strings.HasPrefix(got.body, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"`) || !strings.Contains(got.body, layerDigest) {
		t.Errorf("a layer is missing: %v", got)
	}
	c.wantStatus("no half image is listed", c.send("GET", one+"/manifests/"+manifestDigest, ""), 404)
	foreign := strings.Replace(image, `"size":15}`, `"size":15,"urls":["https://example.com/layer"]}`, 1)
	foreign = strings.Replace(foreign, "image.layer.v1", "image.layer.nondistributable.v1", 1)
	c.wantStatus("a foreign layer may be missing", c.pushManifest(one, "v1", ociManifest, foreign), 201)
}

func TestImmutableTag(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	_, err := b.ECR(awstest.Here).PutImageTagMutability(&ecr.PutImageTagMutabilityInput{
		RepositoryName: aws.String("group/one"), ImageTagMutability: aws.String("IMMUTABLE")})
	awstest.Must(t, err)
	c.pushImage(one, "v1")
	other := strings.Replace(image, `{"schema`, ` {"schema`, 1)
	c.wantError("another image", c.pushManifest(one, "v1", ociManifest, other), 400, "TAG_INVALID", "The image tag 'v1' already exists in the 'group/one' "+
		"repository and cannot be overwritten because the tag is immutable.")
	c.wantStatus("the same image", c.pushManifest(one, "v1", ociManifest, image), 201)
	c.wantStatus("another tag", c.pushManifest(one, "v2", ociManifest, other), 201)
}

// Exclusions bind a push as they bind PutImage.
func TestMutabilityWithExclusions(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	other := strings.Replace(image, `{"schema`, ` {"schema`, 1)
	for _, test := range []struct {
		mode    string
		filters []*awstest.Filter
		tag     string
		fixed   bool
	}{
		{"MUTABLE", nil, "v1", false},
		{"IMMUTABLE", nil, "v2", true},
		{"IMMUTABLE_WITH_EXCLUSION", awstest.Wildcards("latest", "dev-*"), "v3", true},
		{"IMMUTABLE_WITH_EXCLUSION", awstest.Wildcards("latest", "dev-*"), "dev-3", false},
		{"MUTABLE_WITH_EXCLUSION", awstest.Wildcards("latest", "v*"), "v4", true},
		{"MUTABLE_WITH_EXCLUSION", awstest.Wildcards("latest", "v*"), "dev-4", false},
	} {
		name := test.mode + " " + test.tag
		awstest.Must(t, awstest.PutMutability(b.ECR(awstest.Here), "group/one", test.mode, test.filters))
		c.pushImage(one, test.tag)
		if again := c.pushManifest(one, test.tag, ociManifest, other); test.fixed {
			c.wantError(name, again, 400, "TAG_INVALID", "The image tag '"+test.tag+"' already exists in the 'group/one' "+
				"repository and cannot be overwritten because the tag is immutable.")
		} else {
			c.wantStatus(name, again, 201)
		}
	}
}

func TestRetag(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushImage(one, "v1")
	other := strings.Replace(image, `{"schema`, ` {"schema`, 1)
	c.wantStatus("the tag moves", c.pushManifest(one, "v1", ociManifest, other), 201)
	if got := c.send("GET", one+"/manifests/v1", "").body; got != other {
		t.Errorf("the tag is at %s", got)
	}
	c.wantStatus("the image stays", c.send("GET", one+"/manifests/"+manifestDigest, ""), 200)
}

func TestBadManifest(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushBlob(one, config, configDigest)
	c.pushBlob(one, layer, layerDigest)
	for _, test := range []struct {
		name, reference, mediaType, manifest string
		code, message                        string
	}{
		{"not JSON", "v1", ociManifest, "{", "MANIFEST_INVALID", "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"},
		{"empty", "v1", ociManifest, "", "MANIFEST_INVALID", "Invalid parameter at 'imageManifest' failed to satisfy constraint: 'must not be null'"},
		{"another media type", "v1", ociIndex, image, "MANIFEST_INVALID", "Invalid parameter at 'imageManifestMediaType' failed to satisfy constraint: " +
			"'does not match the mediaType of the manifest'"},
		{"another digest", unknown, ociManifest, image, "DIGEST_INVALID", "The digest '" + unknown + "' provided does not match the digest '" +
			manifestDigest + "' calculated from the image manifest"},
		{"digest of another kind", "sha512:00", ociManifest, image, "DIGEST_INVALID", `a digest is sha256: and 64 hexadecimal digits, not "sha512:00"`},
		{"bad tag", ".v1", ociManifest, image, "TAG_INVALID", `a tag has 300 letters, digits and . _ - at most, and begins with none of . and -, not ".v1"`},
		{"long tag", strings.Repeat("a", 301), ociManifest, image, "TAG_INVALID", `a tag has 300 letters, digits and . _ - at most, and begins with none of . and -, not "` +
			strings.Repeat("a", 100) + `"`},
	} {
		c.wantError(test.name, c.pushManifest(one, test.reference, test.mediaType, test.manifest), 400, test.code, test.message)
	}
	c.want("nothing is listed", c.send("GET", one+"/tags/list", ""), "200\nContent-Length: 53\nContent-Type: application/json\n\n"+
		`{"name":"012345678901/us-east-1/group/one","tags":[]}`)
	c.wantStatus("the longest tag", c.pushManifest(one, strings.Repeat("a", 300), ociManifest, image), 201)
}

func TestLargeManifest(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushBlob(one, config, configDigest)
	c.pushBlob(one, layer, layerDigest)
	largest := image + strings.Repeat(" ", 4<<20-len(image))
	c.wantStatus("4 MiB", c.pushManifest(one, "v1", ociManifest, largest), 201)
	const message = "the body is larger than 4194304 bytes"
	c.wantError("a byte more", c.pushManifest(one, "v2", ociManifest, largest+" "), 413, "MANIFEST_INVALID", message)
	c.wantError("a byte more, of unknown length", c.sendChunked("PUT", one+"/manifests/v2", largest+" ", "Content-Type: "+ociManifest), 413, "MANIFEST_INVALID", message)
	c.wantStatus("it is not there", c.send("GET", one+"/manifests/v2", ""), 404)
	for range 5 { // more than may be in memory at a time
		c.wantStatus("4 MiB again", c.pushManifest(one, "v1", ociManifest, largest), 201)
	}
}

// A client that breaks a manifest off is told so, if it still listens.
func TestManifestBrokenOff(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	r := c.request("PUT", one+"/manifests/v1", image)
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	awstest.Must(t, err)
	defer conn.Close()
	var whole strings.Builder
	awstest.Must(t, r.Write(&whole))
	_, err = conn.Write([]byte(whole.String()[:whole.Len()-1]))
	awstest.Must(t, err)
	awstest.Must(t, conn.(*net.TCPConn).CloseWrite())
	w, err := http.ReadResponse(bufio.NewReader(conn), r)
	awstest.Must(t, err)
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	awstest.Must(t, err)
	c.wantError("broken off", reply{w.StatusCode, w.Header, string(body)}, 400, "MANIFEST_INVALID", "the body could not be read: unexpected EOF")
}

func TestOperationsOfManifests(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{"v1"}}))
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/manifests/v1", "BatchGetImage"},
		{"HEAD", "/manifests/v1", "BatchGetImage"},
		{"PUT", "/manifests/v2", "PutImage"},
		{"DELETE", "/manifests/v1", "BatchDeleteImage"},
		{"GET", "/tags/list", "ListImages"},
		{"GET", "/referrers/" + unknown, "ListImageReferrers"},
	} {
		before := len(b.Calls())
		c.send(test.method, one+test.path, `{"mediaType":"`+ociIndex+`"}`)
		calls := b.Calls()[before:]
		if len(calls) != 1 || calls[0].Operation != test.want || calls[0].Repository != "group/one" || calls[0].Service != "ecr" {
			t.Errorf("%s %s: the calls %+v, want %s", test.method, test.path, calls, test.want)
		}
	}
}
