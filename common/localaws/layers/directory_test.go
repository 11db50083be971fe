package layers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLeftDirectories shows that a new directory takes the place of those that
// processes have left, and of no others.
func TestLeftDirectories(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	inUse := newStore(t, 100)
	add(t, inUse, "abc")
	makeDirectory(t, prefix+"left", lockName, "layer")
	makeDirectory(t, prefix+"without-lock", "layer")
	makeDirectory(t, "another-program", lockName)
	must(t, os.Symlink("another-program", filepath.Join(os.TempDir(), prefix+"link")))
	must(t, os.WriteFile(filepath.Join(os.TempDir(), prefix+"file"), nil, 0o600))
	makeDirectory(t, prefix+"linked-lock")
	must(t, os.Symlink("../another-program/lock", filepath.Join(os.TempDir(), prefix+"linked-lock", lockName)))
	s := newStore(t, 100)
	add(t, s, "def")
	entries, err := os.ReadDir(os.TempDir())
	must(t, err)
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	want := []string{prefix + "without-lock", prefix + "link", prefix + "file", prefix + "linked-lock", "another-program",
		filepath.Base(inUse.directory), filepath.Base(s.directory)}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in the directory for temporary files (-want +got):\n%s", diff)
	}
	wantContent(t, inUse, digestOf("abc"), "abc")
	wantContent(t, s, digestOf("def"), "def")
}

// makeDirectory makes a directory with empty files.
func makeDirectory(t *testing.T, name string, files ...string) {
	t.Helper()
	path := filepath.Join(os.TempDir(), name)
	must(t, os.Mkdir(path, 0o700))
	for _, file := range files {
		must(t, os.WriteFile(filepath.Join(path, file), nil, 0o600))
	}
}

// TestDirectoriesAtOnce is for stores that begin at the same time: none takes the
// directory of another one for one that was left.
func TestDirectoriesAtOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	const stores = 16
	done := make(chan error)
	for range stores {
		s := newStore(t, 100)
		go func() {
			u := s.NewUpload()
			_ = u.Append(0, strings.NewReader("abc"))
			done <- u.Finish(digestOf("abc"))
		}()
	}
	for range stores {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
