package api

import (
	"net/http"
	"testing"
	"time"
)

// aboutRepository returns all requests of all rows about one repository, HEAD
// too.
func aboutRepository(t testing.TB, v values) []exchange {
	t.Helper()
	var list []exchange
	for _, rt := range protectedRows() {
		if !rt.hasName() {
			continue
		}
		list = append(list, entryOf(t, rt).requests(rt, v)...)
		if rt.Method == http.MethodGet {
			head := rt
			head.Method = http.MethodHead
			list = append(list, entryOf(t, rt).request(head, v))
		}
	}
	return list
}

func TestOtherOrgsRepositoriesAreRefused(t *testing.T) {
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
		for _, e := range aboutRepository(t, values{"group": "g", "name": c.repository}) {
			if status, _, body := w.do(e); status != c.status {
				t.Errorf("%s of %s: status %d, want %d: %s", e.name, c.repository, status, c.status, body)
			}
		}
	}
	for _, operation := range w.called() {
		if partOf(operation) != "" {
			t.Errorf("%s was called on a repository that is not ours", operation)
		}
	}
}

func TestCreateOfARepositoryThatExists(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]*world{"role with a fence": newWorld(t), "role without": newUnfencedWorld(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.createTaken()
		})
	}
}

func (w *world) createTaken() {
	w.addRepository(account, "g/untagged", "")
	w.addRepository(account, "g/ours", org)
	w.addRepository(account, "g/others", "another-org")
	w.run(
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "ours"}`, status: 409,
			want: problemByAWS("repository-exists", "The repository with name 'g/ours' already exists in the registry with id '012345678901'", "RepositoryAlreadyExistsException")},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "untagged"}`, status: 409, want: problemByAWS("repository-exists",
			"The repository with name 'g/untagged' already exists in the registry with id '012345678901'", "RepositoryAlreadyExistsException")},
		exchange{method: "POST", path: base + "/g", body: `{"RepositoryName": "others"}`, status: 409,
			want: problemByAWS("repository-exists", "The repository with name 'g/others' already exists in the registry with id '012345678901'", "RepositoryAlreadyExistsException")},
		exchange{name: "it still belongs to the other org", method: "GET", path: base + "/g/others", status: 403, want: "-"},
	)
}

func TestAccountWhoseRoleCannotBeAssumed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	start := time.Now()
	requests := 0
	for _, rt := range protectedRows() {
		for _, e := range entryOf(t, rt).requests(rt, values{"account": "111111111111"}) {
			requests++
			if status, _, body := w.do(e); status != http.StatusForbidden {
				t.Errorf("%s: status %d, want 403: %s", e.name, status, body)
			}
		}
	}
	// STS is called once in five seconds, and the first time twice: with a source
	// identity and without. A busy machine may need longer than five seconds for
	// all requests. Then it may be a request about users that asks next, and that
	// one asks for two sessions at the same time.
	most := 2 + 2*int(time.Since(start)/(5*time.Second))
	if calls := len(w.called()); calls < 1 || calls > most {
		t.Errorf("STS was called %d times for %d requests, want %d at most", calls, requests, most)
	}
}
