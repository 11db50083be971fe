//lint:file-ignore SA1019 The service uses the SDK's first version.

package registry_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// bytesOf returns bytes that are the same for the same number, and that nobody
// can compress.
func bytesOf(number, size int) []byte {
	layer := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(number)}).Read(layer) // never fails
	return layer
}

// layerSize is that of the layer of tests. It is so small that the server reads
// what is left of it before it answers an error.
const layerSize = 200_000

// TestRetriesOfPush shows what a client meets that goes on after a fault, until
// its image is there. No half image is listed meanwhile.
func TestRetriesOfPush(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		want  string // what the client did, without its login
	}{
		"none": {localaws.Fault{Operation: "ecr:DeleteRepository", Drop: true},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"stall in the middle of a layer": {localaws.Fault{Operation: "ecr:UploadLayerPart", Delay: time.Millisecond, AfterBytes: 100_000},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"drop in the middle of a layer": {localaws.Fault{Operation: "ecr:UploadLayerPart", Drop: true, AfterBytes: 100_000},
			"HEAD blob 404, POST upload 202, PATCH upload no answer, GET upload 204 0-99999, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"error in the middle of a layer": {localaws.Fault{Operation: "ecr:UploadLayerPart", Code: "ServerException", Status: 500, AfterBytes: 100_000},
			"HEAD blob 404, POST upload 202, PATCH upload 500, GET upload 204 0-99999, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"drop before a layer": {localaws.Fault{Operation: "ecr:UploadLayerPart", Drop: true},
			"HEAD blob 404, POST upload 202, PATCH upload no answer, GET upload 204 0-0, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"drop after a layer": {localaws.Fault{Operation: "ecr:UploadLayerPart", Drop: true, AfterWork: true},
			"HEAD blob 404, POST upload 202, PATCH upload no answer, GET upload 204 0-199999, PUT upload 201, PUT manifest 201"},
		"error after a layer": {localaws.Fault{Operation: "ecr:UploadLayerPart", Code: "ServerException", Status: 500, AfterWork: true},
			"HEAD blob 404, POST upload 202, PATCH upload 500, GET upload 204 0-199999, PUT upload 201, PUT manifest 201"},
		"throttled": {localaws.Fault{Operation: "ecr:InitiateLayerUpload", Code: "ThrottlingException"},
			"HEAD blob 404, POST upload 429, HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"error before the end of the upload": {localaws.Fault{Operation: "ecr:CompleteLayerUpload", Code: "ServerException", Status: 500},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 500, HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 201"},
		"error after the end of the upload": {localaws.Fault{Operation: "ecr:CompleteLayerUpload", Code: "ServerException", Status: 500, AfterWork: true},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 500, HEAD blob 200, PUT manifest 201"},
		"drop after the end of the upload": {localaws.Fault{Operation: "ecr:CompleteLayerUpload", Drop: true, AfterWork: true},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload no answer, HEAD blob 200, PUT manifest 201"},
		"error before the manifest": {localaws.Fault{Operation: "ecr:PutImage", Code: "ServerException", Status: 500},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 500, PUT manifest 201"},
		"error after the manifest": {localaws.Fault{Operation: "ecr:PutImage", Code: "ServerException", Status: 500, AfterWork: true},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 500, PUT manifest 201"},
		"drop after the manifest": {localaws.Fault{Operation: "ecr:PutImage", Drop: true, AfterWork: true},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest no answer, PUT manifest 201"},
		"throttled manifest": {localaws.Fault{Operation: "ecr:PutImage", Code: "ThrottlingException"},
			"HEAD blob 404, POST upload 202, PATCH upload 202, PUT upload 201, PUT manifest 429, PUT manifest 201"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := start(t)
			d := newDocker(t, b, pusherKey)
			config, layer := []byte(`{}`), bytesOf(1, layerSize)
			d.pushLayer(config)
			d.log, d.afterBreak = nil, func() { wantWhole(t, b) }
			inject(b, test.fault)
			digest, ok := d.push("v1", config, layer)
			log := strings.TrimPrefix(strings.Join(d.log, ", "), "HEAD blob 200, ") // of the configuration
			if diff := cmp.Diff(strings.Split(test.want, ", "), strings.Split(log, ", ")); diff != "" || !ok {
				t.Errorf("pushed: %v, by (-want +got):\n%s", ok, diff)
			}
			if images, _ := wantWhole(t, b); len(images) != 1 || images[0] != digest {
				t.Errorf("listed are %v, want %s", images, digest)
			}
		})
	}
}

// inject adds a fault that hits one call of the pusher.
func inject(b *awstest.AWS, f localaws.Fault) {
	f.Times, f.When = 1, ofPusher
	b.Inject(f)
}

// TestRetriesOfPull shows what a client meets that goes on after a fault, until
// it has the whole image.
func TestRetriesOfPull(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault localaws.Fault
		want  string // what the client did
	}{
		"none": {localaws.Fault{Operation: "ecr:DeleteRepository", Drop: true},
			"GET manifest 200, GET blob 200, GET blob 200"},
		"stall in the middle of a layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Delay: time.Millisecond, AfterBytes: 100_000},
			"GET manifest 200, GET blob 200, GET blob 200"},
		"drop in the middle of a layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Drop: true, AfterBytes: 100_000},
			"GET manifest 200, GET blob 200, GET blob 200 broken, GET blob 206"},
		"error in the middle of a layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Code: "ServerException", Status: 500, AfterBytes: 100_000},
			"GET manifest 200, GET blob 200, GET blob 200 broken, GET blob 206"},
		"drop before a layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Drop: true},
			"GET manifest 200, GET blob no answer, GET blob 200, GET blob 200"},
		"error before a layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Code: "ServerException", Status: 500},
			"GET manifest 200, GET blob 500, GET blob 200, GET blob 200"},
		"error after the work of a layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Code: "ServerException", Status: 500, AfterWork: true},
			"GET manifest 200, GET blob 500, GET blob 200, GET blob 200"},
		"throttled layer": {localaws.Fault{Operation: "ecr:GetDownloadUrlForLayer", Code: "ThrottlingException"},
			"GET manifest 200, GET blob 429, GET blob 200, GET blob 200"},
		"throttled manifest": {localaws.Fault{Operation: "ecr:BatchGetImage", Code: "ThrottlingException", Message: "Rate exceeded"},
			"GET manifest 429, GET manifest 200, GET blob 200, GET blob 200"},
		"drop after the manifest": {localaws.Fault{Operation: "ecr:BatchGetImage", Drop: true, AfterWork: true},
			"GET manifest no answer, GET manifest 200, GET blob 200, GET blob 200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := start(t)
			d := newDocker(t, b, pusherKey)
			config, layer := []byte(`{}`), bytesOf(1, layerSize)
			d.push("v1", config, layer)
			d.log = nil
			inject(b, test.fault)
			got, ok := d.pull("v1")
			if diff := cmp.Diff(strings.Split(test.want, ", "), d.log); diff != "" || !ok {
				t.Errorf("pulled: %v, by (-want +got):\n%s", ok, diff)
			}
			if !slices.EqualFunc(got, [][]byte{config, layer}, bytes.Equal) {
				t.Errorf("%d layers were pulled, and they are not those that were pushed", len(got))
			}
		})
	}
}

// TestClientBreaksOff shows that an upload goes on after its client has hung up
// in the middle of a layer.
func TestClientBreaksOff(t *testing.T) {
	t.Parallel()
	b, _ := start(t)
	d := newDocker(t, b, pusherKey)
	config, layer := []byte(`{}`), bytesOf(1, layerSize)
	upload := d.absolute(d.ask(http.MethodPost, d.url+"/blobs/uploads/", nil).header.Get("Location"))
	half := io.MultiReader(strings.NewReader(string(layer[:layerSize/2])), errorReader{})
	if a := d.ask(http.MethodPatch, upload, half); a.status != 0 {
		t.Fatalf("status %d of a request that was not sent to its end", a.status)
	}
	if !d.send(upload, layer) {
		t.Fatalf("the upload does not go on: %v", d.log)
	}
	if a := d.ask(http.MethodPut, upload+"?digest="+digestOf(layer), nil); a.status != http.StatusCreated {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if _, ok := d.push("v1", config, layer); !ok {
		t.Errorf("the image cannot be pushed: %v", d.log)
	}
	wantWhole(t, b)
}

// errorReader breaks a request off.
type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
