//lint:file-ignore SA1019 The service uses the SDK's first version.

package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// A manifest is refused if no client could pull its image.
func TestHalfImages(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushBlob(one, config, configDigest)
	c.pushBlob(one, layer, layerDigest)
	with := func(old, replacement string) string { return strings.Replace(image, old, replacement, 1) }
	inIndex := func(child string) string { return `{"schemaVersion":2,"manifests":[` + child + `]}` }
	const (
		inManifest   = "Invalid parameter at 'imageManifest' failed to satisfy constraint: '"
		inType       = "Invalid parameter at 'imageManifestMediaType' failed to satisfy constraint: '"
		types        = "must be one of " + dockerManifest + ", " + dockerList + ", " + ociManifest + ", " + ociIndex
		noVersion    = inManifest + "the schemaVersion must be 2, not 0'"
		noConfig     = inManifest + "the manifest of an image must have a config'"
		digest       = inManifest + "the digest of a %s must be sha256: and 64 hexadecimal digits, not %q'"
		negative     = inManifest + "a size must not be negative, as -100 is'"
		isIndex      = inManifest + "an index must not have a config or layers'"
		configEntry  = `"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + configDigest + `","size":2},`
		missingChild = `{"mediaType":"` + ociManifest + `","digest":"` + unknown + `","size":398}`
	)
	for _, test := range []struct{ name, mediaType, manifest, message string }{
		{"empty object", ociManifest, `{}`, noVersion},
		{"empty object of docker", dockerManifest, `{}`, noVersion},
		{"empty index", ociIndex, `{}`, noVersion},
		{"empty list", dockerList, `{}`, noVersion},
		{"null", ociManifest, `null`, noVersion},
		{"another version", ociManifest, with(`"schemaVersion":2`, `"schemaVersion":3`), inManifest + "the schemaVersion must be 2, not 3'"},
		{"schema version 1", dockerManifest, `{"schemaVersion":1}`, "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Docker image manifests of schema version 1 are not supported'"},
		{"no media type at all", "", `{"schemaVersion":2}`, "image manifest mediatype not provided in manifest or parameter"},
		{"web page", "text/html", `{"schemaVersion":2}`, inType + types + `, not "text/html"'`},
		{"web page, in the manifest", "", with(ociManifest, "text/html"), inType + types + `, not "text/html"'`},
		{"index of another media type", "application/foo", inIndex(missingChild), inType + types + `, not "application/foo"'`},
		{"almost an index", ociIndex + "x", inIndex(missingChild), inType + types + `, not "` + ociIndex + `x"'`},
		{"OCI's former artifact", "application/vnd.oci.artifact.manifest.v1+json", `{"schemaVersion":2,"blobs":[]}`,
			inType + types + `, not "application/vnd.oci.artifact.manifest.v1+json"'`},

		{"no config", ociManifest, with(configEntry, ""), noConfig},
		{"null for a config", ociManifest, with(configEntry, `"config":null,`), noConfig},
		{"config without a digest", ociManifest, with(`"digest":"`+configDigest+`",`, ""), fmt.Sprintf(digest, "config", "")},
		{"config of a foreign layer's media type", ociManifest, strings.Replace(with("image.config.v1+json", "image.layer.nondistributable.v1.tar"), configDigest, "sha256:x", 1),
			fmt.Sprintf(digest, "config", "sha256:x")},
		{"layer without a digest", ociManifest, with(`"digest":"`+layerDigest+`",`, ""), fmt.Sprintf(digest, "layer", "")},
		{"foreign layer without a digest", ociManifest, strings.Replace(with("image.layer.v1", "image.layer.nondistributable.v1"), `"digest":"`+layerDigest+`",`, "", 1), fmt.Sprintf(digest, "layer", "")},
		{"layer with a short digest", ociManifest, with(layerDigest, "sha256:47cb"), fmt.Sprintf(digest, "layer", "sha256:47cb")},
		{"layer with a digest in capitals", ociManifest, with(layerDigest, "sha256:"+strings.ToUpper(layerDigest[7:])), fmt.Sprintf(digest, "layer", "sha256:"+strings.ToUpper(layerDigest[7:]))},
		{"layer with a digest of another kind", ociManifest, with(layerDigest, "sha512:"+layerDigest[7:]), fmt.Sprintf(digest, "layer", "sha512:"+layerDigest[7:])},
		{"image of an index without a digest", ociIndex, inIndex(`{"size":398}`), fmt.Sprintf(digest, "image of the index", "")},
		{"subject without a digest", ociManifest, with(`"layers"`, `"subject":{"size":398},"layers"`), fmt.Sprintf(digest, "subject", "")},
		{"negative size of a layer", ociManifest, with(`"size":15`, `"size":-100`), negative},
		{"negative size of a config", ociManifest, with(`"size":2`, `"size":-100`), negative},
		{"negative size of an image of an index", ociIndex, inIndex(`{"digest":"` + unknown + `","size":-100}`), negative},
		{"negative size of a subject", ociManifest, with(`"layers"`, `"subject":{"digest":"`+unknown+`","size":-100},"layers"`), negative},

		{"layer of another size", ociManifest, with(`"size":15`, `"size":14`), inManifest + "the layer " + layerDigest + " has 15 bytes, not 14'"},
		{"layer without a size", ociManifest, with(`,"size":15`, ``), inManifest + "the layer " + layerDigest + " has 15 bytes, not 0'"},
		{"config of another size", ociManifest, with(`"size":2`, `"size":3`), inManifest + "the layer " + configDigest + " has 2 bytes, not 3'"},
		{"layer with two sizes", ociManifest, with(`"layers":[`, `"layers":[{"digest":"`+layerDigest+`","size":1},`), inManifest + "the layer " + layerDigest + " has 15 bytes, not 1'"},

		{"image as an index", ociIndex, with(`"mediaType":"`+ociManifest+`",`, ""), isIndex},
		{"index with layers", ociIndex, `{"schemaVersion":2,"manifests":[],"layers":[{"digest":"` + layerDigest + `","size":15}]}`, isIndex},
		{"image that lists images", ociManifest, with(`"layers"`, `"manifests":[`+missingChild+`],"layers"`), inManifest + "the manifest of an image must not have manifests'"},
	} {
		c.wantError(test.name, c.pushManifest(one, "v1", test.mediaType, test.manifest), 400, "MANIFEST_INVALID", test.message)
	}
	c.wantMissing("config of a foreign layer's media type", c.pushManifest(one, "v1", ociManifest,
		strings.Replace(with("image.config.v1+json", "image.layer.nondistributable.v1.tar"), configDigest, unknown, 1)))
	c.want("nothing is listed", c.send("GET", one+"/tags/list", ""), "200\nContent-Length: 53\nContent-Type: application/json\n\n"+
		`{"name":"012345678901/us-east-1/group/one","tags":[]}`)
}

func (c *caller) wantMissing(name string, got reply) {
	c.t.Helper()
	if got.status != 400 || !strings.HasPrefix(got.body, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"`) || !strings.Contains(got.body, unknown) {
		c.t.Errorf("%s: %v", name, got)
	}
}

// All four media types can be pushed, in the manifest or beside it.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushImage(one, manifestDigest)
	inside := func(mediaType, manifest string) string {
		return strings.Replace(manifest, "{", `{"mediaType":"`+mediaType+`",`, 1)
	}
	ofImage := strings.Replace(image, `"mediaType":"`+ociManifest+`",`, "", 1)
	ofIndex := strings.Replace(indexOf(manifestDigest), `"mediaType":"`+ociIndex+`",`, "", 1)
	for mediaType, manifest := range map[string]string{dockerManifest: ofImage, ociManifest: ofImage, dockerList: ofIndex, ociIndex: ofIndex} {
		for name, push := range map[string]func() reply{
			"beside":      func() reply { return c.pushManifest(one, "v1", mediaType, manifest) },
			"with a word": func() reply { return c.pushManifest(one, "v1", mediaType+"; charset=utf-8", manifest) },
			"inside":      func() reply { return c.pushManifest(one, "v1", "", inside(mediaType, manifest)) },
			"both":        func() reply { return c.pushManifest(one, "v1", mediaType, inside(mediaType, manifest)) },
		} {
			c.wantStatus(name+": "+mediaType, push(), 201)
			got := c.send("GET", one+"/manifests/v1", "")
			if got.header.Get("Content-Type") != mediaType {
				t.Errorf("%s: %s comes as %s", name, mediaType, got.header.Get("Content-Type"))
			}
			c.wantStatus("delete", c.send("DELETE", one+"/manifests/v1", ""), 202)
		}
	}
}

// What the API has put without layers is no success for a push, until they are
// there.
func TestPushWhatTheAPIPut(t *testing.T) {
	t.Parallel()
	b, c := start(t)
	_, err := b.ECR(awstest.Here).PutImage(&ecr.PutImageInput{RepositoryName: aws.String("group/one"), ImageTag: aws.String("v1"), ImageManifest: aws.String(image)})
	awstest.Must(t, err)
	c.pushBlob(one, config, configDigest)
	c.wantError("without the layer", c.pushManifest(one, "v1", ociManifest, image), 400, "MANIFEST_BLOB_UNKNOWN", "Layers with digests '["+layerDigest+
		"]' required for pushing image into repository with name 'group/one' in the registry with id '012345678901' do not exist")
	c.pushBlob(one, layer, layerDigest)
	c.wantStatus("with the layer", c.pushManifest(one, "v1", ociManifest, image), 201)
}

// An error lists a few of the digests that are missing, also if there are very
// many.
func TestManyMissing(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushBlob(one, config, configDigest)
	digest := func(i int) string { return fmt.Sprintf("sha256:%064x", i) }
	listed := func(n int) string {
		digests := make([]string, n)
		for i := range digests {
			digests[i] = digest(i)
		}
		return strings.Join(digests, ", ")
	}
	for _, test := range []struct {
		missing int
		want    string
	}{
		{1, listed(1)},
		{10, listed(10)},
		{11, listed(10) + " and 1 more"},
		{35_000, listed(10) + " and 34990 more"},
	} {
		entries := make([]string, test.missing)
		for i := range entries {
			entries[i] = `{"digest":"` + digest(i) + `","size":1}`
		}
		all := strings.Join(entries, ",")
		const end = " required for pushing image into repository with name 'group/one' in the registry with id '012345678901' do not exist"
		start, _, _ := strings.Cut(image, `"layers"`)
		c.wantError("layers", c.pushManifest(one, "v1", ociManifest, start+`"layers":[`+all+`]}`), 400, "MANIFEST_BLOB_UNKNOWN", "Layers with digests '["+test.want+"]'"+end)
		c.wantError("images", c.pushManifest(one, "v1", ociIndex, `{"schemaVersion":2,"manifests":[`+all+`]}`), 400, "MANIFEST_BLOB_UNKNOWN",
			"Images with digests '["+test.want+"]'"+end)
	}
}

// A browser does not guess another kind of content than the header says.
func TestNoGuessing(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	c.pushImage(one, "v1")
	for _, path := range []string{"/manifests/v1", "/manifests/" + manifestDigest, "/blobs/" + layerDigest} {
		for _, method := range []string{"GET", "HEAD"} {
			if got := c.send(method, one+path, "").header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("%s %s: X-Content-Type-Options %q", method, path, got)
			}
		}
	}
}
