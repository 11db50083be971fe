package api

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// Every call on a repository, by its path under the group.
var onRepository = []exchange{
	{name: "show", method: "GET"},
	{name: "show by HEAD", method: "HEAD"},
	{name: "update nothing", method: "PUT", body: `{}`},
	{name: "update tags", method: "PUT", body: `{"Tags": [{"Key": "k", "Value": "v"}]}`},
	{name: "update all", method: "PUT", body: `{"ScanOnPush": true, "ImageTagMutability": "IMMUTABLE", "Tags": [{"Key": "k", "Value": "v"}]}`},
	{name: "delete", method: "DELETE"},
	{name: "images", method: "GET", path: "/images"},
}

func TestWhoseRepository(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/others", "another-org")
	w.addRepository(account, "g/untagged", "")
	w.addRepository(account2, "g/elsewhere", org)
	for _, c := range []struct {
		repository string
		status     int
	}{
		{"others", http.StatusForbidden},
		{"untagged", http.StatusForbidden},
		{"missing", http.StatusNotFound},
		{"elsewhere", http.StatusNotFound},
	} {
		for _, e := range onRepository {
			e.name, e.path = e.name+" "+c.repository, base+"/g/"+c.repository+e.path
			if status, _, body := w.do(e); status != c.status {
				t.Errorf("%s: status %d, want %d: %s", e.name, status, c.status, body)
			}
		}
	}
	for _, operation := range w.called() {
		if slices.Contains([]string{
			"ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:TagResource", "ecr:DeleteRepository",
		}, operation) {
			t.Errorf("%s was called on a repository that is not ours", operation)
		}
	}
}

func TestCreateOfARepositoryThatIsThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "g/untagged", "")
	w.addRepository(account, "g/ours", org)
	w.addRepository(account, "g/others", "another-org")
	w.run(
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "ours"}`, status: 409,
			want: refusedByAWS(409, "The repository g/ours exists already.", "AccessDeniedException")},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "untagged"}`, status: 409, want: refusedByAWS(409,
			"The repository with name 'g/untagged' already exists in the registry with id '012345678901'", "RepositoryAlreadyExistsException")},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "others"}`, status: 409,
			want: refusedByAWS(409, "The repository g/others exists already.", "AccessDeniedException")},
		exchange{name: "it was not taken over", method: "GET", path: base + "/g/others", status: 403, want: "-"},
	)
}

func TestAccountThatCannotBeEntered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	paths := []exchange{{method: "GET", path: ""}, {method: "GET", path: "/g"}, {method: "POST", path: "/g", body: `{"RepositoryName": "a"}`}}
	for _, e := range onRepository {
		e.path = "/g/a" + e.path
		paths = append(paths, e)
	}
	start := time.Now()
	for _, e := range paths {
		e.path = "/v1/ecr/111111111111/repositories" + e.path
		if status, _, body := w.do(e); status != http.StatusForbidden {
			t.Errorf("%s %s: status %d, want 403: %s", e.method, e.path, status, body)
		}
	}
	// Once in five seconds; a busy machine may take longer than that.
	most := 1 + int(time.Since(start)/(5*time.Second))
	if asked := len(w.called()); asked < 1 || asked > most {
		t.Errorf("STS was asked %d times for %d requests, want %d at most", asked, len(paths), most)
	}
}
