package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/google/go-cmp/cmp"
)

// The lifecycle policy in the docs is good, and the requests around it work as
// printed.
func TestLifecycleByCurl(t *testing.T) {
	t.Parallel()
	wantPrograms(t, "curl")
	const account, repository, page = "012345678901", "spindev-00001/welcome", "../../docs/api.md"
	aws, awsURL := newAWS(t, nil)
	if err := aws.AddRepository(account, "us-east-1", repository, map[string]string{"spinup:org": "spindev"}); err != nil {
		t.Fatal(err)
	}
	old := localaws.Image{Digest: "sha256:" + strings.Repeat("a", 64), PushedAt: time.Unix(1e9, 0)}
	if err := aws.AddImage(account, "us-east-1", repository, old); err != nil {
		t.Fatal(err)
	}
	policy := block(t, page, "<!-- lifecycle policy -->\n```json\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "policy.json"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, configuration(awsURL, "127.0.0.1:0"))
	requests := block(t, page, "<!-- set a lifecycle policy -->\n```sh\n") + block(t, page, "<!-- preview a lifecycle policy -->\n```sh\n")
	shell := exec.Command("sh", "-eu", "-c", requests)
	shell.Dir = dir
	shell.Env = []string{"PATH=" + os.Getenv("PATH"), "API=http://" + p.address() + "/v1/ecr/" + account + "/repositories", "TOKEN=" + token(t)}
	answers, err := shell.Output()
	if err != nil {
		t.Error(err)
	}
	want := policy + `{"LifecyclePolicy": ` + policy + `, "LastEvaluatedAt": null}
		{"Status": "COMPLETE", "Total": 1, "Images": [
			{"ImageDigest": "` + old.Digest + `", "ImageTags": [], "ImagePushedAt": "2001-09-09T01:46:40Z", "Action": "EXPIRE", "RulePriority": 1}]}`
	if diff := cmp.Diff(values(t, want), values(t, string(answers))); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// values returns the JSON values of a text, which follow each other.
func values(t *testing.T, text string) (list []any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
		var value any
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		list = append(list, value)
	}
	return list
}
