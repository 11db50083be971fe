package program

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// A key is replaced as printed. The new one works, and the old one does not.
func TestRotationByCurl(t *testing.T) {
	t.Parallel()
	wantPrograms(t, "curl", "jq")
	const account, repository, user = "012345678901", "spindev-00001/dasher", "spindev-00001-dasher-builder"
	aws, awsURL := newAWS(t, nil)
	for _, err := range []error{
		aws.AddRepository(account, "us-east-1", repository, map[string]string{"spinup:org": "spindev"}),
		aws.AddManagedPolicy(account, "ecr-api-users", config.UsersBoundary),
		aws.AddIAMGroup(account, "FORMER-GROUP"),
		aws.AddUser(account, localaws.User{
			Path: "/spinup/spindev/" + repository + "/", Name: user, Groups: []string{"FORMER-GROUP"},
			Tags: map[string]string{"spinup:org": "spindev", "spinup:spaceid": "spindev-00001", "ResourceName": repository},
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	old, oldSecret, err := aws.AddUserKey(account, user)
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, with(configuration(awsURL, "127.0.0.1:0"), `"users": {"boundary": "ecr-api-users", "formerGroup": "FORMER-GROUP"}`))
	shell := exec.Command("sh", "-eu", "-c", block(t, "../../docs/api.md", "<!-- rotation -->\n```sh\n"))
	shell.Dir = t.TempDir()
	shell.Env = []string{"PATH=" + os.Getenv("PATH"), "API=http://" + p.address() + "/v1/ecr/" + account + "/repositories", "TOKEN=" + token(t)}
	if printed, err := shell.Output(); err != nil {
		answer, _ := os.ReadFile(filepath.Join(shell.Dir, "new-key.json"))
		t.Fatalf("%v: %s%s", err, printed, answer)
	}
	text, err := os.ReadFile(filepath.Join(shell.Dir, "new-key.json"))
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ AccessKeyID, SecretAccessKey string }
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	if _, err := ecr.New(newSession(t, awsURL, made.AccessKeyID, made.SecretAccessKey, "us-east-1")).GetAuthorizationToken(nil); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if _, err := ecr.New(newSession(t, awsURL, old, oldSecret, "us-east-1")).GetAuthorizationToken(nil); err == nil {
		t.Error("the old key works")
	}
}
