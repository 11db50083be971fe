//lint:file-ignore SA1019 The service uses the SDK's first version.

package registry_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// pusherKey is the access key of the clients that faults may hit. Calls of
// tests that look at the outcome have another one.
const pusherKey = "pusher"

// ofPusher chooses the calls that faults may hit: all but the login.
func ofPusher(c localaws.Call) bool {
	return c.AccessKey == pusherKey && c.Operation != "GetAuthorizationToken"
}

// client repeats no request by itself. It would, on a connection that it has used
// before.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// attempts is how often a client tries something. It has so much patience that
// faults at random never use it up.
const attempts = 100

// docker is a client that pushes to group/one and pulls from it like docker: if a
// request fails, it goes on where the registry says, or begins anew.
type docker struct {
	t          *testing.T
	url        string // of the repository
	password   string
	afterBreak func() // called after each request that failed
	log        []string
}

// newDocker returns a client with the password of an access key of the
// administrator.
func newDocker(t *testing.T, b *awstest.AWS, accessKey string) *docker {
	t.Helper()
	return &docker{
		t:          t,
		url:        b.URL + one,
		password:   login(t, b, awstest.Here, credentials.NewStaticCredentials(accessKey, "secret", "")).password,
		afterBreak: func() {},
	}
}

// answer is what came back. The status is 0 if nothing came, and broken says
// that the body is not whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	broken bool
}

// ask sends a request. Header and value alternate in the list.
func (d *docker) ask(method, url string, body io.Reader, headers ...string) answer {
	d.t.Helper()
	r, err := http.NewRequest(method, url, body)
	awstest.Must(d.t, err)
	r.SetBasicAuth("AWS", d.password)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a := answer{}
	if w, err := client.Do(r); err == nil {
		a.status, a.header = w.StatusCode, w.Header
		a.body, err = io.ReadAll(w.Body)
		a.broken = err != nil
		w.Body.Close()
	}
	if d.note(method, url, a) {
		d.afterBreak()
	}
	return a
}

// note writes a request down, such as "PUT manifest 500". It returns true if the
// request failed.
func (d *docker) note(method, url string, a answer) bool {
	what := "blob"
	switch {
	case strings.Contains(url, "/uploads/"):
		what = "upload"
	case strings.Contains(url, "/manifests/"):
		what = "manifest"
	}
	status := fmt.Sprint(a.status)
	switch {
	case a.status == 0:
		status = "no answer"
	case a.broken:
		status += " broken"
	case a.status == http.StatusNoContent:
		status += " " + a.header.Get("Range")
	}
	d.log = append(d.log, method+" "+what+" "+status)
	return a.status == 0 || a.broken || a.status >= 429
}

// end returns the last requests.
func (d *docker) end() []string { return d.log[max(0, len(d.log)-10):] }

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

// push pushes the layers, then the manifest that names them. The first layer is
// the configuration.
func (d *docker) push(tag string, layers ...[]byte) (digest string, ok bool) {
	manifest := manifestOf(layers...)
	for range attempts {
		pushed := true
		for _, layer := range layers {
			pushed = pushed && d.pushLayer(layer)
		}
		if pushed && d.pushManifest(tag, manifest) {
			return digestOf(manifest), true
		}
	}
	return "", false
}

// pushManifest sends a manifest until it is there. It fails if a layer is not.
func (d *docker) pushManifest(tag string, manifest []byte) bool {
	for range attempts {
		a := d.ask(http.MethodPut, d.url+"/manifests/"+tag, bytes.NewReader(manifest), "Content-Type", ociManifest)
		if a.status == http.StatusCreated {
			return true
		}
		if a.status == http.StatusBadRequest || a.status == http.StatusNotFound {
			return false
		}
	}
	return false
}

// pushLayer uploads a layer that is not there.
func (d *docker) pushLayer(layer []byte) bool {
	digest := digestOf(layer)
	for range attempts {
		if d.ask(http.MethodHead, d.url+"/blobs/"+digest, nil).status == http.StatusOK {
			return true
		}
		begun := d.ask(http.MethodPost, d.url+"/blobs/uploads/", nil)
		if begun.status != http.StatusAccepted {
			continue
		}
		upload := d.absolute(begun.header.Get("Location"))
		if d.send(upload, layer) && d.ask(http.MethodPut, upload+"?digest="+digest, nil).status == http.StatusCreated {
			return true
		}
	}
	return false
}

// send sends the bytes of a layer. If that breaks off, it asks how many are
// there and goes on.
func (d *docker) send(upload string, layer []byte) bool {
	next := 0
	for range attempts {
		if next == len(layer) {
			return true
		}
		part := fmt.Sprintf("%d-%d", next, len(layer)-1)
		if d.ask(http.MethodPatch, upload, bytes.NewReader(layer[next:]), "Content-Range", part).status == http.StatusAccepted {
			return true
		}
		there := d.ask(http.MethodGet, upload, nil)
		if there.status == http.StatusNotFound {
			return false
		}
		if there.status == http.StatusNoContent {
			next = afterRange(there.header.Get("Range"))
		}
	}
	return false
}

// afterRange returns the byte after a range such as 0-99. The range of no bytes
// is 0-0.
func afterRange(text string) int {
	var last int
	if _, err := fmt.Sscanf(text, "0-%d", &last); err != nil || last == 0 {
		return 0
	}
	return last + 1
}

// absolute returns the URL of a Location.
func (d *docker) absolute(location string) string {
	host, _, _ := strings.Cut(d.url, "/v2/")
	return host + location
}

// pull returns the layers of an image, or false if the image or one of its
// layers is not there.
func (d *docker) pull(reference string) (layers [][]byte, ok bool) {
	manifest, ok := d.pullManifest(reference)
	if !ok {
		return nil, false
	}
	for _, digest := range namedBy(d.t, manifest) {
		layer, ok := d.pullLayer(digest)
		if !ok {
			return nil, false
		}
		layers = append(layers, layer)
	}
	return layers, true
}

func (d *docker) pullManifest(reference string) (manifest []byte, ok bool) {
	for range attempts {
		a := d.ask(http.MethodGet, d.url+"/manifests/"+reference, nil, "Accept", ociManifest)
		if a.status == http.StatusOK && !a.broken {
			return a.body, true
		}
		if a.status == http.StatusNotFound {
			return nil, false
		}
	}
	return nil, false
}

// pullLayer downloads a layer. If that breaks off, it asks for the rest.
func (d *docker) pullLayer(digest string) (layer []byte, ok bool) {
	for range attempts {
		var headers []string
		if len(layer) > 0 {
			headers = []string{"Range", fmt.Sprintf("bytes=%d-", len(layer))}
		}
		a := d.ask(http.MethodGet, d.url+"/blobs/"+digest, nil, headers...)
		if a.status == http.StatusNotFound {
			return nil, false
		}
		if a.status == http.StatusOK || a.status == http.StatusPartialContent {
			layer = append(layer, a.body...)
		}
		if digestOf(layer) == digest {
			return layer, true
		}
	}
	return nil, false
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// manifestOf returns a manifest that names a configuration and layers.
func manifestOf(layers ...[]byte) []byte {
	m := manifest{SchemaVersion: 2, MediaType: ociManifest}
	for i, layer := range layers {
		d := descriptor{"application/vnd.oci.image.layer.v1.tar", digestOf(layer), len(layer)}
		if i == 0 {
			d.MediaType = "application/vnd.oci.image.config.v1+json"
			m.Config = d
			continue
		}
		m.Layers = append(m.Layers, d)
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return text
}

// namedBy returns the digests of the configuration and of the layers.
func namedBy(t *testing.T, text []byte) (digests []string) {
	t.Helper()
	var m manifest
	awstest.Must(t, json.Unmarshal(text, &m))
	digests = []string{m.Config.Digest}
	for _, d := range m.Layers {
		digests = append(digests, d.Digest)
	}
	return digests
}

// listed returns the digests of all images that DescribeImages lists.
func listed(t *testing.T, b *awstest.AWS) (digests []string) {
	t.Helper()
	err := b.ECR(awstest.Here).DescribeImagesPages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")}, func(page *ecr.DescribeImagesOutput, _ bool) bool {
		for _, image := range page.ImageDetails {
			digests = append(digests, *image.ImageDigest)
		}
		return true
	})
	awstest.Must(t, err)
	return digests
}

// wantWhole fails the test unless every image that is listed can be pulled with
// all of its layers. It returns the digests of the images and of all that they
// name.
func wantWhole(t *testing.T, b *awstest.AWS) (images []string, named map[string]bool) {
	t.Helper()
	d := newDocker(t, b, "looker")
	named = map[string]bool{}
	images = listed(t, b)
	for _, image := range images {
		layers, ok := d.pull(image)
		if !ok {
			t.Errorf("%s is listed, and cannot be pulled: %v", image, d.end())
		}
		for _, layer := range layers {
			named[digestOf(layer)] = true
		}
	}
	return images, named
}
