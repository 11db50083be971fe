package program

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
)

const (
	layerSize   = 600 << 20
	layerMiB    = 100 // what the local AWS may take for it
	layersOfOne = "/v2/012345678901/us-east-1/group/one/blobs/"
)

// The local AWS takes a large layer in and gives it out with little memory. When
// it ends, no file is left.
func TestLargeLayer(t *testing.T) {
	if buildFlags != nil || testing.Short() {
		t.Skip("a large layer takes long with the race detector")
	}
	temporary := t.TempDir()
	command, stdout, _ := process(t, []string{"TMPDIR=" + temporary}, "-local-aws", "127.0.0.1:0")
	url := stdout.waitFor(t, `^a local AWS listens on (http://127\.0\.0\.1:[0-9]+)\n$`)
	login := registryLogin(t, url)

	_, header := transfer(t, login, http.MethodPost, url+layersOfOne+"uploads/", nil, http.StatusAccepted)
	sum := sha256.New()
	layer := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), layerSize), sum)
	_, header = transfer(t, login, http.MethodPatch, url+header.Get("Location"), layer, http.StatusAccepted)
	digest := fmt.Sprintf("sha256:%x", sum.Sum(nil))
	transfer(t, login, http.MethodPut, url+header.Get("Location")+"?digest="+digest, nil, http.StatusCreated)
	if got, _ := transfer(t, login, http.MethodGet, url+layersOfOne+digest, nil, http.StatusOK); got != digest {
		t.Errorf("the digest of what came out is %s, want %s", got, digest)
	}

	peak := peakMiB(t, command.Process.Pid)
	t.Logf("the local AWS took %d MiB of memory", peak)
	if peak >= layerMiB {
		t.Errorf("the local AWS took %d MiB of memory, want less than %d", peak, layerMiB)
	}
	wantExit(t, command, syscall.SIGTERM)
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left in the directory of temporary files: %v, %v", left, err)
	}
}

// registryLogin makes a repository and returns the header Authorization with
// which docker logs in.
func registryLogin(t *testing.T, url string) string {
	t.Helper()
	client := ecr.New(newSession(t, url, "any", "any", "us-east-1"))
	if _, err := client.CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("group/one")}); err != nil {
		t.Fatal(err)
	}
	out, err := client.GetAuthorizationToken(&ecr.GetAuthorizationTokenInput{})
	if err != nil {
		t.Fatal(err)
	}
	return "Basic " + *out.AuthorizationData[0].AuthorizationToken
}

// transfer sends a request, and returns the digest of the body of its answer.
func transfer(t *testing.T, login, method, url string, body io.Reader, want int) (digest string, header http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", login)
	answer, err := (&http.Client{Timeout: 3 * patience}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, answer.Body); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("%s %s: status %d, want %d", method, url, answer.StatusCode, want)
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), answer.Header
}
