package registry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oras attaches a file to an image, and finds it again. The service lists it as
// an image of its own.
func TestReferrers(t *testing.T) {
	t.Parallel()
	const kind = "application/vnd.example.sbom"
	for _, c := range clients {
		if c.name != "oras" {
			continue
		}
		c.want(t)
		w := newWorld(t)
		u := w.logIn(t, c, w.credentials("push"))
		subject := newImage(t, "from "+t.Name()+w.host, "amd64")
		u.push(subject, name+":v1")
		folder := u.folder()
		must(t, os.WriteFile(filepath.Join(folder, "sbom.json"), []byte("{}"), 0o644))
		names := append(u.names(name+":v1"), "FOLDER="+folder)
		u.mustRun(`cd $FOLDER && oras attach --plain-http --artifact-type `+kind+` $REF sbom.json`, "", names...)

		var found struct {
			Referrers []struct{ Digest, MediaType, ArtifactType string }
		}
		must(t, json.Unmarshal([]byte(u.mustRun(`oras discover --plain-http --format json $REF`, "", names...)), &found))
		if len(found.Referrers) != 1 || found.Referrers[0].ArtifactType != kind || found.Referrers[0].MediaType != ociManifest {
			t.Fatalf("oras discovers %+v", found)
		}
		digest := found.Referrers[0].Digest
		want := map[string]listed{
			subject.digest: w.images()[subject.digest],
			digest:         {digest, ociManifest, "application/vnd.oci.empty.v1+json", 2, []string{}},
		}
		if diff := cmp.Diff(want, w.images()); diff != "" {
			t.Errorf("images (-want +got):\n%s", diff)
		}
		out := u.folder()
		u.mustRun(`oras pull --plain-http --output $OUT $REPO@$DIGEST`, "", append(names, "OUT="+out, "DIGEST="+digest)...)
		got, err := os.ReadFile(filepath.Join(out, "sbom.json"))
		if err != nil || string(got) != "{}" {
			t.Errorf("oras pulls %q, %v", got, err)
		}
	}
}
