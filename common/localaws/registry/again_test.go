package registry_test

import (
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// TestFinishAgain has a client repeat the request that finishes an upload, with
// the same bytes, until it succeeds. Then it repeats it once more.
func TestFinishAgain(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]localaws.Fault{
		"error before the bytes":     {Operation: "ecr:UploadLayerPart", Code: "ServerException", Status: 503},
		"error in the bytes":         {Operation: "ecr:UploadLayerPart", Code: "ServerException", Status: 503, AfterBytes: 3},
		"error after the bytes":      {Operation: "ecr:UploadLayerPart", Code: "ServerException", Status: 503, AfterWork: true},
		"error before the layer":     {Operation: "ecr:CompleteLayerUpload", Code: "ServerException", Status: 503},
		"error after the layer":      {Operation: "ecr:CompleteLayerUpload", Code: "ServerException", Status: 503, AfterWork: true},
		"throttled before the bytes": {Operation: "ecr:UploadLayerPart", Code: "ThrottlingException", Status: 503},
	} {
		for _, header := range []string{"Content-Length: 5", "Content-Range: 10-14"} {
			b, c := start(t)
			path := c.startUpload(one)
			c.wantStatus(name+", first bytes", c.send("PATCH", path, layer[:10]), 202)
			f.Times = 1
			b.Inject(f)
			finish := func() reply { return c.send("PUT", path+"?digest="+layerDigest, layer[10:], header) }
			c.wantStatus(name+", "+header, finish(), 503)
			c.wantStatus(name+", again, "+header, finish(), 201)
			c.wantStatus(name+", once more, "+header, finish(), 201)
			c.wantStatus(name+", without the bytes", c.send("PUT", path+"?digest="+layerDigest, ""), 201)
			if got := c.send("GET", one+"/blobs/"+layerDigest, ""); got.body != layer {
				t.Errorf("%s: the layer: %v", name, got)
			}
		}
	}
}

// TestFinishWithOtherBytes shows that a request that could not finish an upload
// leaves it as it was, so that the client can go on.
func TestFinishWithOtherBytes(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	path := c.startUpload(one)
	c.wantStatus("first bytes", c.send("PATCH", path, layer[:10]), 202)
	for _, other := range []string{"laser", "layer and more", "x"} {
		got := c.send("PUT", path+"?digest="+layerDigest, other)
		if got.status != 400 || !strings.HasPrefix(got.body, `{"errors":[{"code":"DIGEST_INVALID",`) {
			t.Errorf("%s: %v", other, got)
		}
		c.wantUpload(other, c.send("GET", path, ""), "204", path, "0-9")
	}
	b.Inject(localaws.Fault{Operation: "ecr:CompleteLayerUpload", Code: "ServerException", Status: 500, Times: 1})
	c.wantStatus("other bytes, and an error", c.send("PUT", path+"?digest="+layerDigest, "laser"), 500)
	c.wantUpload("after the error", c.send("GET", path, ""), "204", path, "0-9")
	c.wantStatus("more bytes", c.send("PATCH", path, layer[10:12]), 202)
	c.wantStatus("finish", c.send("PUT", path+"?digest="+layerDigest, layer[12:]), 201)
}

// TestUploadWithoutRoom shows that an upload that finds no room leaves the room
// that it had to others.
func TestUploadWithoutRoom(t *testing.T) {
	t.Parallel()
	b := awstest.NewWith(t, localaws.Options{LayerLimit: 15})
	b.Add(t, "group/one")
	c := login(t, b, awstest.Here, nil)
	path := c.startUpload(one)
	c.wantStatus("first bytes", c.send("PATCH", path, layer[:10]), 202)
	c.wantError("too many bytes", c.send("PATCH", path, layer), 507, "DENIED", "there is no room for more layers: all layers together may have 15 bytes")
	c.wantUnknownUpload("state of the upload", c.send("GET", path, ""))
	c.wantUnknownUpload("another try", c.send("PATCH", path, "x"))
	c.wantStatus("too many bytes at once", c.send("POST", one+"/blobs/uploads/?digest="+unknown, layer+"x"), 507)
	c.pushBlob(one, layer, layerDigest)
}

// TestStateOfUploadDisturbsNobody has clients ask for the state of an upload
// while another one writes to it.
func TestStateOfUploadDisturbsNobody(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	path := c.startUpload(one)
	var askers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		askers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := c.send("GET", path, ""); got.status != 204 {
					t.Errorf("GET: %v", got)
				}
			}
		})
	}
	defer askers.Wait()
	defer close(done)
	for range 300 {
		if got := c.send("PATCH", path, "x"); got.status != 202 {
			t.Errorf("PATCH: %v", got)
			return
		}
	}
}

// TestToldLayersStay shows that a client can push an image with a layer of which
// it was told within the hour that it is there.
func TestToldLayersStay(t *testing.T) {
	t.Parallel()
	const two = "/v2/012345678901/us-east-1/group/two"
	for name, tell := range map[string]func(c *caller) reply{
		"head":  func(c *caller) reply { return c.send("HEAD", two+"/blobs/"+layerDigest, "") },
		"again": func(c *caller) reply { return c.send("POST", two+"/blobs/uploads/?digest="+layerDigest, layer) },
		"mount": func(c *caller) reply {
			return c.send("POST", two+"/blobs/uploads/?mount="+layerDigest+"&from=012345678901/us-east-1/group/one", "")
		},
	} {
		b, c := start(t)
		b.Add(t, "group/two")
		c.pushImage(one, "v1")
		c.pushBlob(two, layer, layerDigest)
		b.Advance(time.Hour - time.Second)
		c.pushBlob(two, config, configDigest)
		if got := tell(c); got.status/100 != 2 {
			t.Errorf("%s: %v", name, got)
		}
		b.Advance(time.Hour - time.Second)
		c.wantStatus("another call", c.send("HEAD", two+"/blobs/"+unknown, ""), 404)
		if got := c.pushManifest(two, "v1", ociManifest, image); got.status != 201 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFinishBreaksOff shows that the bytes of a request that breaks off before it
// finishes an upload are not there.
func TestFinishBreaksOff(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	d := newDocker(t, b, pusherKey)
	layer := bytesOf(1, layerSize)
	upload := d.absolute(d.ask("POST", d.url+"/blobs/uploads/", nil).header.Get("Location"))
	finish := upload + "?digest=" + digestOf(layer)
	half := io.MultiReader(strings.NewReader(string(layer[:layerSize/2])), errorReader{})
	if a := d.ask("PUT", finish, half); a.status != 0 {
		t.Fatalf("status %d of a request that was not sent to its end", a.status)
	}
	c.waitForEnd(b, "UploadLayerPart", "ServerException")
	if a := d.ask("PUT", finish, strings.NewReader(string(layer))); a.status != 201 {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}
