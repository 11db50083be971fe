package ecr

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// AWS gets the tag or the digest, and never both.
func TestDeleteImageSendsOneID(t *testing.T) {
	t.Parallel()
	present := &Image{ImageDigest: "sha256:ab", ImageTags: []string{"v1"}}
	for want, id := range map[string]ImageID{
		`{"imageIds":[{"imageTag":"v1"}],"repositoryName":"g/a"}`:           {Tag: "v1"},
		`{"imageIds":[{"imageDigest":"sha256:ab"}],"repositoryName":"g/a"}`: {Digest: "sha256:ab"},
	} {
		var sent string
		client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
			if body, _ := io.ReadAll(r.Body); strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchDeleteImage") {
				sent = string(body)
			}
			io.WriteString(w, `{"imageIds": [{"imageDigest": "sha256:ab", "imageTag": "v1"}], "failures": []}`)
		})
		if _, err := client.DeleteImage(t.Context(), "g/a", id, present); err != nil {
			t.Error(err)
		}
		if sent != want {
			t.Errorf("sent %s, want %s", sent, want)
		}
	}
}

// AWS does the work and does not answer. There is time left to look.
func TestDeleteImageThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchDeleteImage") {
			io.Copy(io.Discard, r.Body) // so that the server notices when the client has gone
			<-r.Context().Done()
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type": "ImageNotFoundException", "message": "none"}`)
	})
	got, err := client.DeleteImage(ctx, "g/a", ImageID{Tag: "v1"}, &Image{ImageDigest: "sha256:ab", ImageTags: []string{"v1"}})
	want := &Deletion{
		ImageIDs: []ImageIdentifier{{new("sha256:ab"), new("v1")}}, Failures: []ImageFailure{}, DeletedImages: []string{"sha256:ab"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
