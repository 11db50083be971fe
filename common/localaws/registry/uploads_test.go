package registry_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// wantUpload compares an answer about an upload that goes on.
func (c *caller) wantUpload(name string, got reply, status, path, received string) {
	c.t.Helper()
	length := "Content-Length: 0\n"
	if strings.HasPrefix(status, "204") {
		length = ""
	}
	c.want(name, got, status+"\n"+length+"Docker-Upload-Uuid: "+path[strings.LastIndex(path, "/")+1:]+"\nLocation: "+path+"\nRange: "+received+"\n\n")
}

func TestUpload(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	before := len(b.Calls())
	first := c.send("POST", one+"/blobs/uploads/", "")
	path := first.header.Get("Location")
	if !regexp.MustCompile(`^/v2/012345678901/us-east-1/group/one/blobs/uploads/[0-9a-f-]{36}$`).MatchString(path) {
		t.Errorf("the upload is at %s", path)
	}
	c.wantUpload("start", first, "202", path, "0-0")
	c.wantUpload("nothing is there", c.send("GET", path, ""), "204", path, "0-0")
	c.wantUpload("first bytes", c.send("PATCH", path, "the ", "Content-Range: 0-3"), "202", path, "0-3")
	c.wantUpload("more", c.send("PATCH", path, "first "), "202", path, "0-9")
	c.wantUpload("four and six", c.send("GET", path, ""), "204", path, "0-9")
	c.want("last bytes", c.send("PUT", path+"?digest="+layerDigest, "layer", "Content-Range: 10-14"), `201
Content-Length: 0
Docker-Content-Digest: `+layerDigest+`
Location: /v2/012345678901/us-east-1/group/one/blobs/`+layerDigest+`

`)
	got, want := strings.Join(operations(b.Calls()[before:]), " "), "InitiateLayerUpload UploadLayerPart UploadLayerPart UploadLayerPart UploadLayerPart "+
		"UploadLayerPart CompleteLayerUpload"
	if got != want {
		t.Errorf("the operations %s, want %s", got, want)
	}
	if got := c.send("GET", one+"/blobs/"+layerDigest, ""); got.body != layer {
		t.Errorf("the layer: %v", got)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		c.wantUnknownUpload(method, c.send(method, path, ""))
	}
	c.wantUnknownUpload("PUT", c.send("PUT", path+"?digest="+configDigest, ""))
}

func (c *caller) wantUnknownUpload(name string, got reply) {
	c.t.Helper()
	if got.status != 404 || !strings.HasPrefix(got.body, `{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"`) {
		c.t.Errorf("%s: %v", name, got)
	}
}

// The ways of other clients: all at once, everything in the last request, an
// empty layer, a body of unknown length.
func TestWaysToUpload(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for i, test := range []struct {
		name, digest, want string
		upload             func(repository, digest string) reply
	}{
		{"at once", layerDigest, layer, func(repository, digest string) reply {
			return c.send("POST", repository+"/blobs/uploads/?digest="+digest, layer)
		}},
		{"at once, unknown length", layerDigest, layer, func(repository, digest string) reply {
			return c.sendChunked("POST", repository+"/blobs/uploads/?digest="+digest, layer)
		}},
		{"at once, empty", empty, "", func(repository, digest string) reply {
			return c.send("POST", repository+"/blobs/uploads/?digest="+digest, "")
		}},
		{"last request", layerDigest, layer, func(repository, digest string) reply {
			return c.send("PUT", c.startUpload(repository)+"?digest="+digest, layer)
		}},
		{"unknown length", layerDigest, layer, func(repository, digest string) reply {
			path := c.startUpload(repository)
			c.wantStatus("PATCH", c.sendChunked("PATCH", path, layer[:4], "Content-Range: 0-3"), 202)
			c.wantStatus("PATCH", c.sendChunked("PATCH", path, layer[4:]), 202)
			return c.sendChunked("PUT", path+"?digest="+digest, "")
		}},
		{"empty", empty, "", func(repository, digest string) reply {
			return c.send("PUT", c.startUpload(repository)+"?digest="+digest, "")
		}},
		{"without the slash", layerDigest, layer, func(repository, digest string) reply {
			return c.send("POST", repository+"/blobs/uploads?digest="+digest, layer)
		}},
	} {
		name := fmt.Sprintf("group/way%d", i)
		b.Add(t, name)
		repository := "/v2/012345678901/us-east-1/" + name
		c.wantStatus(test.name, test.upload(repository, test.digest), 201)
		if got := c.send("GET", repository+"/blobs/"+test.digest, ""); got.status != 200 || got.body != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestBadUpload(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	path := c.startUpload(one)
	c.wantStatus("first bytes", c.send("PATCH", path, "the "), 202)
	for _, test := range []struct {
		name, method, path, body, header string
		status                           int
		code, message                    string
	}{
		{"digest of other bytes", "PUT", path + "?digest=" + unknown, "", "", 400, "DIGEST_INVALID",
			"The layer digest '" + unknown + "' does not match the digest 'sha256:6e5ce6afa65bc328ed7ef2585ac6077dca716587a929ef60778a364b5680051c' calculated from the bytes"},
		{"no digest", "PUT", path, "first", "", 400, "DIGEST_INVALID", `a digest is sha256: and 64 hexadecimal digits, not ""`},
		{"bad digest", "PUT", path + "?digest=sha256:x", "first", "", 400, "DIGEST_INVALID", `a digest is sha256: and 64 hexadecimal digits, not "sha256:x"`},
		{"negative range", "PATCH", path, "first", "Content-Range: -5-9", 400, "BLOB_UPLOAD_INVALID", `a Content-Range is like 0-99, not "-5-9"`},
		{"range of HTTP", "PATCH", path, "first", "Content-Range: bytes 4-8/*", 400, "BLOB_UPLOAD_INVALID", `a Content-Range is like 0-99, not "bytes 4-8/*"`},
		{"too large for a number", "PATCH", path, "first", "Content-Range: 99999999999999999999-99999999999999999999", 400, "BLOB_UPLOAD_INVALID",
			`a Content-Range is like 0-99, not "99999999999999999999-99999999999999999999"`},
		{"range of more bytes", "PATCH", path, "first", "Content-Range: 4-9", 400, "SIZE_INVALID", "the Content-Range 4-9 does not fit 5 bytes"},
		{"range of no bytes", "PATCH", path, "", "Content-Range: 4-8", 400, "SIZE_INVALID", "the Content-Range 4-8 does not fit 0 bytes"},
		{"backward range", "PATCH", path, "first", "Content-Range: 8-4", 400, "SIZE_INVALID", "the Content-Range 8-4 does not fit 5 bytes"},
	} {
		got := c.send(test.method, test.path, test.body, "Content-Range: "+strings.TrimPrefix(test.header, "Content-Range: "))
		c.wantError(test.name, got, test.status, test.code, test.message)
	}
	for _, test := range []struct{ name, method, path, header string }{
		{"gap", "PATCH", path, "Content-Range: 5-9"},
		{"overlap", "PATCH", path, "Content-Range: 3-7"},
		{"again from the start", "PATCH", path, "Content-Range: 0-4"},
		{"gap at the end", "PUT", path + "?digest=" + layerDigest, "Content-Range: 5-9"},
	} {
		got := c.send(test.method, test.path, "first", test.header)
		if got.status != 416 || got.header.Get("Range") != "0-3" || got.header.Get("Location") != path ||
			!strings.HasPrefix(got.body, `{"errors":[{"code":"BLOB_UPLOAD_INVALID","message":"`) {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	c.wantUpload("nothing was added", c.send("GET", path, ""), "204", path, "0-3")
	c.wantStatus("it goes on", c.send("PATCH", path, "first ", "Content-Range: 4-9"), 202)
	c.wantStatus("to its end", c.send("PUT", path+"?digest="+layerDigest, "layer"), 201)

	for _, id := range []string{"x", "00000000-0000-4000-8000-000000000000", "..", "%00", strings.Repeat("a", 10<<10)} {
		c.wantUnknownUpload("an upload that is not there", c.send("GET", one+"/blobs/uploads/"+id, ""))
	}
}

// A client that sends all of a layer before it reads the answer sees why the
// layer is refused, also if the connection ends with the answer.
func TestRefusedUpload(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	r := c.request("PATCH", one+"/blobs/uploads/x", strings.Repeat("a", 9<<20))
	r.Close = true
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	awstest.Must(t, err)
	defer conn.Close()
	awstest.Must(t, r.Write(conn))
	answer, err := http.ReadResponse(bufio.NewReader(conn), r)
	awstest.Must(t, err)
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", answer.StatusCode)
	}
}

// An upload belongs to its repository.
func TestUploadOfAnotherRepository(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	b.Add(t, "group/two")
	path := c.startUpload(one)
	elsewhere := strings.Replace(path, "group/one", "group/two", 1)
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		c.wantUnknownUpload(method, c.send(method, elsewhere, ""))
	}
	c.wantStatus("it is still there", c.send("GET", path, ""), 204)
}

func TestCancelUpload(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	path := c.startUpload(one)
	c.wantStatus("bytes", c.send("PATCH", path, layer), 202)
	c.want("cancel", c.send("DELETE", path, ""), "204\n\n")
	c.wantUnknownUpload("it is gone", c.send("GET", path, ""))
	c.wantUnknownUpload("cancel again", c.send("DELETE", path, ""))
	c.wantStatus("the layer is not there", c.send("HEAD", one+"/blobs/"+layerDigest, ""), 404)
}

// A client whose connection broke asks what is there, and goes on from that.
func TestResumeUpload(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	path := c.startUpload(one)
	reader, writer := io.Pipe()
	t.Cleanup(func() { writer.Close() })
	r := c.request("PATCH", path, "")
	r.Body, r.ContentLength = reader, 15
	done := make(chan error, 1)
	go func() {
		w, err := http.DefaultClient.Do(r)
		if err == nil {
			w.Body.Close()
		}
		done <- err
	}()
	_, err := io.WriteString(writer, "the first ")
	awstest.Must(t, err)
	c.waitFor(path, "0-9") // while the request goes on
	writer.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-done; err == nil {
		t.Error("the request did not break")
	}
	c.waitForEnd(b, "UploadLayerPart", "ServerException")
	c.wantUpload("what came before the break is there", c.send("GET", path, ""), "204", path, "0-9")
	c.wantStatus("go on", c.send("PATCH", path, "layer", "Content-Range: 10-14"), 202)
	c.wantStatus("finish", c.send("PUT", path+"?digest="+layerDigest, ""), 201)
}

// waitFor waits until so many bytes of an upload are there.
func (c *caller) waitFor(path, received string) {
	c.t.Helper()
	for range 1000 {
		if c.send("GET", path, "").header.Get("Range") == received {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatalf("the upload never has the bytes %s", received)
}

// waitForEnd waits until an operation has ended with an error.
func (c *caller) waitForEnd(b *awstest.AWS, operation, code string) {
	c.t.Helper()
	for range 1000 {
		for _, call := range b.Calls() {
			if call.Operation == operation && call.ErrorCode == code {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Fatalf("%s never ends with %s", operation, code)
}

// Of two requests that write to an upload at the same time one is refused, and
// told where the other one is.
func TestConcurrentParts(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	path := c.startUpload(one)
	reader, writer := io.Pipe()
	t.Cleanup(func() { writer.Close() })
	r := c.request("PATCH", path, "")
	r.Body, r.ContentLength = reader, 15
	done := make(chan reply, 1)
	go func() { done <- c.do(r) }()
	_, err := io.WriteString(writer, "the first ")
	awstest.Must(t, err)
	c.waitFor(path, "0-9")
	for _, test := range []struct{ method, path string }{{"PATCH", path}, {"PUT", path + "?digest=" + layerDigest}} {
		got := c.send(test.method, test.path, "layer")
		if got.status != 416 || got.header.Get("Range") != "0-9" {
			t.Errorf("%s meanwhile: %v", test.method, got)
		}
	}
	_, err = io.WriteString(writer, "layer")
	awstest.Must(t, err)
	awstest.Must(t, writer.Close())
	c.wantUpload("the first request", <-done, "202", path, "0-14")
	c.wantStatus("finish", c.send("PUT", path+"?digest="+layerDigest, ""), 201)
}
