package program

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// The loop over the pages of images works as printed.
func TestPagesByCurl(t *testing.T) {
	t.Parallel()
	wantPrograms(t, "curl", "jq")
	const account, repository = "012345678901", "spindev-00001/dasher"
	aws, awsURL := newAWS(t, nil)
	if err := aws.AddRepository(account, "us-east-1", repository, map[string]string{"spinup:org": "spindev"}); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for n := range 250 {
		digest := fmt.Sprintf("sha256:%064x", n)
		image := localaws.Image{Digest: digest, PushedAt: time.Unix(int64(1e9-n), 0)}
		if err := aws.AddImage(account, "us-east-1", repository, image); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&want, digest)
	}
	p := start(t, configuration(awsURL, "127.0.0.1:0"))
	loop := exec.Command("sh", "-eu", "-c", block(t, "../../docs/api.md", "<!-- pages -->\n```sh\n"))
	loop.Dir = t.TempDir()
	loop.Env = []string{"PATH=" + os.Getenv("PATH"), "API=http://" + p.address() + "/v1/ecr/" + account + "/repositories", "TOKEN=" + token(t)}
	var complaints strings.Builder
	loop.Stderr = &complaints
	got, err := loop.Output()
	if err != nil || complaints.String() != "" {
		t.Error(err, complaints.String())
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("digests (-want +got):\n%s", diff)
	}
	p.stderr.waitFor(t, `(?s)("action":"ListImages".*){3}`) // it was three pages
}
