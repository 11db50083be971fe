//lint:file-ignore SA1019 The service uses the SDK's first version.

package registry_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// An image whose layer has 15 bytes.
const (
	config         = `{}`
	configDigest   = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	layer          = "the first layer"
	layerDigest    = "sha256:47cb5b5775490c141277870dbe4fe702fe438289f5788d939db9068561e192ef"
	image          = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + configDigest + `","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"` + layerDigest + `","size":15}]}`
	manifestDigest = "sha256:eebfcbeec49a05b76804ba06053d828a0475d0fe1ed206c615795fdb16598383"

	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"

	// unknown is the digest of nothing that is here.
	unknown = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

// one is the path of a repository of the administrator's account.
const one = "/v2/012345678901/us-east-1/group/one"

// caller sends requests as docker does.
type caller struct {
	t        testing.TB
	url      string
	host     string // of the request, "" means that of the URL
	user     string
	password string
}

// login returns a caller with a password for the caller of the credentials, nil
// for the administrator.
func login(t testing.TB, b *awstest.AWS, region string, c *credentials.Credentials) *caller {
	t.Helper()
	api := b.ECR(region)
	if c != nil {
		api = ecr.New(b.Session(region, c))
	}
	out, err := api.GetAuthorizationToken(&ecr.GetAuthorizationTokenInput{})
	awstest.Must(t, err)
	token, err := base64.StdEncoding.DecodeString(*out.AuthorizationData[0].AuthorizationToken)
	awstest.Must(t, err)
	user, password, _ := strings.Cut(string(token), ":")
	return &caller{t: t, url: b.URL, user: user, password: password}
}

// start returns an AWS with a repository, and the administrator.
func start(t testing.TB) (*awstest.AWS, *caller) {
	t.Helper()
	b := awstest.New(t)
	b.Add(t, "group/one")
	return b, login(t, b, awstest.Here, nil)
}

// request returns a request with headers, each like "Name: value".
func (c *caller) request(method, path, body string, headers ...string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	awstest.Must(c.t, err)
	r.Host = c.host
	if c.user != "" {
		r.SetBasicAuth(c.user, c.password)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	return r
}

// reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (c *caller) send(method, path, body string, headers ...string) reply {
	c.t.Helper()
	return c.do(c.request(method, path, body, headers...))
}

// sendChunked sends a body without saying how long it is.
func (c *caller) sendChunked(method, path, body string, headers ...string) reply {
	c.t.Helper()
	r := c.request(method, path, "", headers...)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
	return c.do(r)
}

func (c *caller) do(r *http.Request) reply {
	c.t.Helper()
	w, err := http.DefaultClient.Do(r)
	awstest.Must(c.t, err)
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	awstest.Must(c.t, err)
	return reply{w.StatusCode, w.Header, string(body)}
}

// String returns the whole answer, except headers that are the same in all.
func (a reply) String() string {
	text := fmt.Sprintf("%d\n", a.status)
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		switch name {
		case "Date", "Docker-Distribution-Api-Version", "X-Content-Type-Options":
		default:
			text += name + ": " + strings.Join(a.header[name], ", ") + "\n"
		}
	}
	return text + "\n" + a.body
}

// want compares a whole answer.
func (c *caller) want(name string, got reply, want string) {
	c.t.Helper()
	if diff := cmp.Diff(want, got.String()); diff != "" {
		c.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// wantError compares an answer that is an error of the protocol.
func (c *caller) wantError(name string, got reply, status int, code, message string) {
	c.t.Helper()
	if got.status != status || got.header.Get("Content-Type") != "application/json" ||
		got.body != fmt.Sprintf(`{"errors":[{"code":%q,"message":%q}]}`, code, message) {
		c.t.Errorf("%s: %v\nwant %d %s %s", name, got, status, code, message)
	}
}

// wantStatus fails the test at once if the answer has another status.
func (c *caller) wantStatus(name string, got reply, status int) {
	c.t.Helper()
	if got.status != status {
		c.t.Fatalf("%s: %v\nwant the status %d", name, got, status)
	}
}

// startUpload returns the path of a new upload.
func (c *caller) startUpload(repository string) string {
	c.t.Helper()
	a := c.send("POST", repository+"/blobs/uploads/", "")
	c.wantStatus("start an upload", a, 202)
	return a.header.Get("Location")
}

// pushBlob uploads a layer at once.
func (c *caller) pushBlob(repository, blob, digest string) {
	c.t.Helper()
	c.wantStatus("push a layer", c.send("POST", repository+"/blobs/uploads/?digest="+digest, blob), 201)
}

// pushManifest pushes a manifest, and returns the answer.
func (c *caller) pushManifest(repository, reference, mediaType, manifest string) reply {
	c.t.Helper()
	return c.send("PUT", repository+"/manifests/"+reference, manifest, "Content-Type: "+mediaType)
}

// pushImage pushes the image whose layer has 15 bytes.
func (c *caller) pushImage(repository, tag string) {
	c.t.Helper()
	c.pushBlob(repository, config, configDigest)
	c.pushBlob(repository, layer, layerDigest)
	c.wantStatus("push an image", c.pushManifest(repository, tag, ociManifest, image), 201)
}

// policy returns a session policy with actions of ECR on all repositories.
func policy(actions ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},` +
		`{"Effect":"Allow","Action":["ecr:` + strings.Join(actions, `","ecr:`) + `"],"Resource":"*"}]}`
}

// operations returns the operations of the calls, without those of the login.
func operations(calls []localaws.Call) (names []string) {
	for _, call := range calls {
		if call.Operation != "GetAuthorizationToken" {
			names = append(names, call.Operation)
		}
	}
	return names
}
