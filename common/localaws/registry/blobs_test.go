package registry_test

import (
	"fmt"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

func TestGetBlob(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	c.pushBlob(one, layer, layerDigest)
	path := one + "/blobs/" + layerDigest
	const headers = `200
Accept-Ranges: bytes
Content-Length: 15
Content-Type: application/octet-stream
Docker-Content-Digest: ` + layerDigest + `
Etag: "` + layerDigest + `"

`
	before := len(b.Calls())
	c.want("GET", c.send("GET", path, ""), headers+layer)
	c.want("HEAD", c.send("HEAD", path, ""), headers)
	calls := operations(b.Calls()[before:])
	if len(calls) != 2 || calls[0] != "GetDownloadUrlForLayer" || calls[1] != "BatchCheckLayerAvailability" {
		t.Errorf("the operations %v", calls)
	}
	for _, test := range []struct{ name, header, want string }{
		{"first bytes", "Range: bytes=0-2", "206 bytes 0-2/15 the"},
		{"last bytes", "Range: bytes=-5", "206 bytes 10-14/15 layer"},
		{"from a byte", "Range: bytes=10-", "206 bytes 10-14/15 layer"},
		{"beyond the end", "Range: bytes=10-99", "206 bytes 10-14/15 layer"},
		{"more than all", "Range: bytes=-99", "206 bytes 0-14/15 the first layer"},
		{"unchanged", `If-None-Match: "` + layerDigest + `"`, "304  "},
	} {
		got := c.send("GET", path, "", test.header)
		text := got.String()[:3] + " " + got.header.Get("Content-Range") + " " + got.body
		if text != test.want {
			t.Errorf("%s: %q, want %q", test.name, text, test.want)
		}
	}
	if got := c.send("GET", path, "", "Range: bytes=15-").header.Get("Content-Range"); got != "bytes */15" {
		t.Errorf("the Content-Range of a refusal is %q", got)
	}
	for _, bad := range []string{"bytes=15-", "bytes=5-4", "bytes=-1-2", "bytes=--1", "bytes=x", "bytes=9999999999999999999-", "octets=0-1"} {
		message := fmt.Sprintf("the Range %q does not fit a layer of 15 bytes", bad)
		c.wantError("Range: "+bad, c.send("GET", path, "", "Range: "+bad), 416, "SIZE_INVALID", message)
	}
}

func TestMissingBlob(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	b.Add(t, "group/two")
	c.pushBlob(one, layer, layerDigest)
	const two = "/v2/012345678901/us-east-1/group/two"
	for _, path := range []string{one + "/blobs/" + unknown, two + "/blobs/" + layerDigest} {
		got := c.send("GET", path, "")
		if got.status != 404 || got.body[:34] != `{"errors":[{"code":"BLOB_UNKNOWN",` {
			t.Errorf("GET %s: %v", path, got)
		}
		c.wantStatus("HEAD "+path, c.send("HEAD", path, ""), 404)
	}
	for _, bad := range []string{"latest", "sha256:", "sha256:00", "sha512:" + unknown[7:], "SHA256:" + unknown[7:], unknown + "0"} {
		c.wantError(bad, c.send("GET", one+"/blobs/"+bad, ""), 400, "DIGEST_INVALID", `a digest is sha256: and 64 hexadecimal digits, not "`+bad+`"`)
		c.wantStatus("HEAD "+bad, c.send("HEAD", one+"/blobs/"+bad, ""), 400)
	}
}

// A layer is mounted from a repository of the same registry from which the
// caller may read. Otherwise the client uploads it.
func TestMount(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	b.Add(t, "group/two")
	awstest.Must(t, b.AddRepository(awstest.Other, awstest.Here, "group/one", nil))
	c.pushBlob(one, layer, layerDigest)
	const two = "/v2/012345678901/us-east-1/group/two"
	mount := func(c *caller, digest, from string) reply {
		return c.send("POST", two+"/blobs/uploads/?mount="+digest+"&from="+from, "")
	}
	for name, from := range map[string]string{
		"no source":              "",
		"another account":        "210987654321/us-east-1/group/one",
		"another region":         "012345678901/eu-west-1/group/one",
		"no such repository":     "012345678901/us-east-1/no/where",
		"not a name":             "012345678901/us-east-1/../one",
		"without the account":    "group/one",
		"repository without it":  "012345678901/us-east-1/group/two",
		"outside of the session": "012345678901/us-east-1/group/one",
	} {
		as := c
		if name == "outside of the session" {
			as = login(t, b, awstest.Here, b.Assume(t, "012345678901", `{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},
				{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:us-east-1:012345678901:repository/group/two"}]}`, nil))
		}
		got := mount(as, layerDigest, from)
		if got.status != 202 || got.header.Get("Location") == "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	c.wantStatus("nothing was mounted", c.send("HEAD", two+"/blobs/"+layerDigest, ""), 404)
	c.want("mount", mount(c, layerDigest, "012345678901/us-east-1/group/one"), `201
Content-Length: 0
Docker-Content-Digest: `+layerDigest+`
Location: /v2/012345678901/us-east-1/group/two/blobs/`+layerDigest+`

`)
	if got := c.send("GET", two+"/blobs/"+layerDigest, ""); got.body != layer {
		t.Errorf("the layer: %v", got)
	}
	c.wantError("bad digest", mount(c, "x", "012345678901/us-east-1/group/one"), 400, "DIGEST_INVALID", `a digest is sha256: and 64 hexadecimal digits, not "x"`)

	b.Add(t, "group/three")
	c.host = "012345678901.dkr.ecr.us-east-1.amazonaws.com"
	c.wantStatus("mount under the host of AWS", c.send("POST", "/v2/group/three/blobs/uploads/?mount="+layerDigest+"&from=group/one", ""), 201)
}
