package ecr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Manifests of indexes can have 4 MiB. So an answer with many is not read, and
// they are asked for in smaller numbers.
func TestLargeIndexes(t *testing.T) {
	t.Parallel()
	const size = 700 << 10 // so that two fit into an answer
	for name, flush := range map[string]bool{"known length": false, "unknown length": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := map[int]int{} // calls by their number of ids
			client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
				var in struct {
					ImageIDs []struct{ ImageDigest string } `json:"imageIds"`
				}
				if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
					t.Error(err)
				}
				mu.Lock()
				asked[len(in.ImageIDs)]++
				mu.Unlock()
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				if body := largeIndexes(in.ImageIDs[0].ImageDigest, len(in.ImageIDs), size); flush {
					io.WriteString(w, body[:1])
					w.(http.Flusher).Flush()
					io.WriteString(w, body[1:]) // an error means that it is not read
				} else {
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
					io.WriteString(w, body)
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			room := &smallRoom{size: 1 << 30, end: cancel}
			read := map[string]bool{}
			err := client.eachIndex(WithRoom(ctx, room), "g/a", []string{"0", "1", "2", "3", "4", "5", "6"}, func(m manifestOf) error {
				read[m.digest()] = m.names("sha256:ab")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[int]int{7: 1, 3: 1, 4: 1, 1: 1, 2: 3}, asked); diff != "" {
				t.Errorf("calls by the number of indexes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]bool{"0": true, "1": true, "3": true, "5": true}, read); diff != "" {
				t.Errorf("indexes, and whether they name the image (-want +got):\n%s", diff)
			}
			if room.taken != 0 || room.most > 4*maxManifests {
				t.Errorf("%d bytes of room were taken, and %d are still", room.most, room.taken)
			}
		})
	}
}

// largeIndexes returns an answer with n indexes of that size. They are named from
// the first one on.
func largeIndexes(first string, n, size int) string {
	var images []string
	for range n {
		manifest := `{"manifests": [{"digest": "sha256:ab"}], "padding": "` + strings.Repeat("x", size) + `"}`
		text, _ := json.Marshal(manifest)
		images = append(images, `{"imageId": {"imageDigest": "`+first+`"}, "imageManifest": `+string(text)+`}`)
	}
	return `{"images": [` + strings.Join(images, ",") + `]}`
}

func TestParts(t *testing.T) {
	t.Parallel()
	amd := Part{Digest: "sha256:a", Platform: Platform{"linux", "amd64", ""}}
	for text, want := range map[string][]Part{
		``:                      nil,
		`{}`:                    nil,
		`[]`:                    nil,
		`{"manifests": null}`:   nil,
		`{"manifests": [null]}`: {{}},
		`{"manifests": [{"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}}]}`:                         {amd},
		`{"schemaVersion": 2, "manifests": [{"digest": "sha256:a", "platform": {"os": "linux", "architecture": "amd64"}}], "x"`: {amd},
		`{"manifests": [{"digest": "sha256:b", "size": "much", "platform": 1, "annotations": {"x": 1}}, {"digest": "sha256:c"}]}`: {
			{Digest: "sha256:b"}, {Digest: "sha256:c"},
		},
		`{"manifests": [{"digest": "sha256:d", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}]}`: {{Digest: "sha256:d", Attestation: true}},
	} {
		var got []Part
		for p := range (manifestOf{ImageManifest: &text}).parts() {
			got = append(got, p)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parts of %s (-want +got):\n%s", text, diff)
		}
	}
}
