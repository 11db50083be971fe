package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Media types of OCI.
const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
	ociLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// file is the name of the only file in the images.
const file = "hello.txt"

// An image is an image, or an index of images, in the form of OCI.
type image struct {
	mediaType    string
	architecture string // "" for an index
	text         string // of its file, "" for an index
	digest       string
	manifest     []byte
	blobs        map[string][]byte // all that it is made of, by digest
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// newImage returns an image with a file that has this text.
func newImage(t *testing.T, text, architecture string) image {
	t.Helper()
	files := tarOf(t, text)
	layer := compressed(t, files)
	config := fmt.Appendf(nil, `{"architecture":%q,"os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[%q]}}`, architecture, digestOf(files))
	i := image{mediaType: ociManifest, architecture: architecture, text: text, blobs: map[string][]byte{}}
	i.manifest = marshal(t, map[string]any{
		"schemaVersion": 2,
		"mediaType":     ociManifest,
		"config":        i.add(ociConfig, config),
		"layers":        []descriptor{i.add(ociLayer, layer)},
	})
	i.digest = i.add(ociManifest, i.manifest).Digest
	return i
}

// newIndex returns an index of images for these architectures. The file in each
// has the text and the architecture.
func newIndex(t *testing.T, text string, architectures ...string) (index image, parts []image) {
	t.Helper()
	index = image{mediaType: ociIndex, blobs: map[string][]byte{}}
	var manifests []descriptor
	for _, a := range architectures {
		part := newImage(t, text+a, a)
		for _, blob := range part.blobs {
			index.add("", blob)
		}
		d := index.add(ociManifest, part.manifest)
		d.Platform = &platform{a, "linux"}
		manifests, parts = append(manifests, d), append(parts, part)
	}
	index.manifest = marshal(t, map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": manifests})
	index.digest = index.add(ociIndex, index.manifest).Digest
	return index, parts
}

func (i image) add(mediaType string, blob []byte) descriptor {
	d := descriptor{MediaType: mediaType, Digest: digestOf(blob), Size: len(blob)}
	i.blobs[d.Digest] = blob
	return d
}

// write writes the image to a folder, as the image layout of OCI, with the tag
// v1.
func (i image) write(t *testing.T, folder string) {
	t.Helper()
	blobs := filepath.Join(folder, "blobs", "sha256")
	must(t, os.MkdirAll(blobs, 0o755))
	for digest, blob := range i.blobs {
		must(t, os.WriteFile(filepath.Join(blobs, strings.TrimPrefix(digest, "sha256:")), blob, 0o644))
	}
	root := i.add(i.mediaType, i.manifest)
	root.Annotations = map[string]string{"org.opencontainers.image.ref.name": "v1"}
	index := marshal(t, map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []descriptor{root}})
	must(t, os.WriteFile(filepath.Join(folder, "index.json"), index, 0o644))
	must(t, os.WriteFile(filepath.Join(folder, "oci-layout"), []byte(`{"imageLayoutVersion": "1.0.0"}`), 0o644))
}

// wantLayout fails the test unless the folder has the image, byte by byte.
func (i image) wantLayout(t *testing.T, folder string) {
	t.Helper()
	got := map[string][]byte{}
	paths, err := filepath.Glob(filepath.Join(folder, "blobs", "sha256", "*"))
	must(t, err)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		must(t, err)
		got["sha256:"+filepath.Base(path)] = content
	}
	if diff := cmp.Diff(i.blobs, got); diff != "" {
		t.Errorf("what was pulled (-want +got):\n%s", diff)
	}
}

// tarOf returns a tar archive of the file.
func tarOf(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))}))
	_, err := w.Write([]byte(text))
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func compressed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func digestOf(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	must(t, err)
	return text
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
