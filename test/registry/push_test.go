package registry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a client pushes with the service's credentials is in the service's list,
// and comes back byte by byte, by tag and by digest.
func TestPushAndPull(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		pushed := newImage(t, "from "+t.Name()+w.host, runtime.GOARCH)
		pusher := w.logIn(t, c, w.credentials("push"))
		pusher.push(pushed, name+":v1")
		digest := w.wantListed(c, pushed, "v1")

		puller := w.logIn(t, c, w.credentials("pull"))
		for _, u := range []*user{pusher, puller} {
			u.wantPulled(pushed, name+":v1")
			u.wantPulled(pushed, name+"@"+digest)
		}
	})
}

// wantListed fails the test unless the service lists the image that a client has
// pushed, with this tag. It returns the digest.
func (w *world) wantListed(c client, pushed image, tag string) (digest string) {
	w.t.Helper()
	digest = w.digest(tag)
	text := w.manifest(digest)
	if got := digestOf(text); got != digest {
		w.t.Errorf("the manifest of %s has the digest %s", digest, got)
	}
	if !c.rebuilds && pushed.digest != digest {
		w.t.Errorf("the image %s has the digest %s", pushed.digest, digest)
	}
	var manifest struct {
		MediaType string
		Config    descriptor
		Layers    []descriptor
	}
	must(w.t, json.Unmarshal(text, &manifest))
	want := listed{digest, manifest.MediaType, manifest.Config.MediaType, 0, []string{tag}}
	for _, layer := range manifest.Layers {
		want.ImageSizeInBytes += int64(layer.Size)
	}
	if diff := cmp.Diff(want, w.images()[digest]); diff != "" {
		w.t.Errorf("the image in the list (-want +got):\n%s", diff)
	}
	return digest
}

// An index of two platforms is pushed and pulled as a whole. The service lists
// it with its tag, and its parts without one.
func TestIndex(t *testing.T) {
	t.Parallel()
	forEachClient(t, func(t *testing.T, c client) {
		w := newWorld(t)
		pushed, parts := newIndex(t, "from "+t.Name()+w.host, "amd64", "arm64")
		u := w.logIn(t, c, w.credentials("push"))
		u.pushIndex(pushed, parts, name+":v1")

		digest := w.digest("v1")
		var index struct {
			MediaType string
			Manifests []descriptor
		}
		must(t, json.Unmarshal(w.manifest(digest), &index))
		got := w.images()
		if i := got[digest]; i.ImageManifestMediaType != index.MediaType || digest != pushed.digest && !c.rebuilds {
			t.Errorf("the index is %s: %+v, want %s", digest, i, pushed.digest)
		}
		var platforms []platform
		for _, m := range index.Manifests {
			platforms = append(platforms, *m.Platform)
			if part := got[m.Digest]; part.ImageManifestMediaType != m.MediaType {
				t.Errorf("a part is listed as %+v, want the media type %s", part, m.MediaType)
			}
		}
		if diff := cmp.Diff([]platform{{"amd64", "linux"}, {"arm64", "linux"}}, platforms); diff != "" {
			t.Errorf("platforms (-want +got):\n%s", diff)
		}
		want := pushed
		if c.rebuilds { // it pulls the part for this machine
			want = newImage(t, "from "+t.Name()+w.host+runtime.GOARCH, runtime.GOARCH)
		}
		u.wantPulled(want, name+":v1")
		u.wantPulled(want, name+"@"+digest)
	})
}

// push pushes an image to a repository with a tag, such as "group/name:v1".
func (u *user) push(i image, to string) {
	u.t.Helper()
	u.mustRun(u.client.push, "", u.pushing(i, to)...)
}

// pushing returns the variables for the line that pushes an image.
func (u *user) pushing(i image, to string) []string {
	u.t.Helper()
	layout, files := u.folder(), u.folder()
	i.write(u.t, layout)
	must(u.t, os.WriteFile(filepath.Join(files, file), []byte(i.text), 0o644))
	return append(u.names(to), "IMAGE="+layout, "FILES="+files)
}

func (u *user) pushIndex(index image, parts []image, to string) {
	u.t.Helper()
	layout, files := u.folder(), u.folder()
	index.write(u.t, layout)
	for _, part := range parts {
		must(u.t, os.Mkdir(filepath.Join(files, part.architecture), 0o755))
		must(u.t, os.WriteFile(filepath.Join(files, part.architecture, file), []byte(part.text), 0o644))
	}
	u.mustRun(u.client.pushIndex, "", append(u.names(to), "IMAGE="+layout, "FILES="+files)...)
}

// wantPulled pulls an image, and fails the test unless it is as it was.
func (u *user) wantPulled(want image, from string) {
	u.t.Helper()
	out := u.folder()
	u.mustRun(u.client.pull, "", append(u.names(from), "OUT="+out)...)
	if !u.client.rebuilds {
		want.wantLayout(u.t, out)
		return
	}
	got, err := os.ReadFile(filepath.Join(out, file))
	must(u.t, err)
	if diff := cmp.Diff(want.text, string(got)); diff != "" {
		u.t.Errorf("the file in %s (-want +got):\n%s", from, diff)
	}
}

// names returns the variables that name an image, for a line.
func (u *user) names(image string) []string {
	return u.namesIn(account, region, image)
}
