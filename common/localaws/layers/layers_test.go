package layers

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func digestOf(text string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(text))) }

func newStore(t *testing.T, limit int64) *Store {
	t.Helper()
	s := New(limit)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// add uploads a layer in parts.
func add(t *testing.T, s *Store, parts ...string) (digest string) {
	t.Helper()
	u := s.NewUpload()
	for _, part := range parts {
		must(t, u.Append(AnyFirst, strings.NewReader(part)))
	}
	digest = digestOf(strings.Join(parts, ""))
	must(t, u.Finish(digest))
	return digest
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, name string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", name, err, want)
	}
}

func wantContent(t *testing.T, s *Store, digest, want string) {
	t.Helper()
	file, err := s.Open(digest)
	must(t, err)
	defer file.Close()
	got, err := io.ReadAll(file)
	if err != nil || string(got) != want {
		t.Errorf("the layer is %q (%v), want %q", got, err, want)
	}
}

// wantFiles fails the test unless the directory has so many files beside its
// lock, and the store counts so many bytes.
func wantFiles(t *testing.T, s *Store, files int, bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(s.directory)
	if got := len(entries) - 1; err != nil || got != files || s.used != bytes {
		t.Errorf("%d files, %d bytes (%v), want %d and %d", got, s.used, err, files, bytes)
	}
}

func TestOneFileForADigest(t *testing.T) {
	t.Parallel()
	s := newStore(t, 100)
	digest := add(t, s, "hello, ", "", "world")
	if again := add(t, s, "hello, world"); again != digest {
		t.Errorf("digests %s and %s", digest, again)
	}
	wantContent(t, s, digest, "hello, world")
	wantFiles(t, s, 1, 12)
	if !s.Hold(digest) || s.Hold(digestOf("x")) {
		t.Error("Hold does not tell what is there")
	}
	s.Release(digest)
	s.Release(digest)
	wantContent(t, s, digest, "hello, world")
	open, err := s.Open(digest)
	must(t, err)
	defer open.Close()
	s.Release(digest)
	wantFiles(t, s, 0, 0)
	_, err = s.Open(digest)
	wantError(t, "open a layer that was removed", err, ErrNotFound)
	if got, err := io.ReadAll(open); err != nil || string(got) != "hello, world" {
		t.Errorf("a reader that was open reads %q (%v)", got, err)
	}
	s.Release(digest) // once too often
	wantFiles(t, s, 0, 0)
}

func TestEmptyLayer(t *testing.T) {
	t.Parallel()
	s := newStore(t, 0)
	wantContent(t, s, add(t, s), "")
}

func TestParts(t *testing.T) {
	t.Parallel()
	s := newStore(t, 100)
	u := s.NewUpload()
	must(t, u.Append(0, strings.NewReader("abc")))
	wantError(t, "a gap", u.Append(4, strings.NewReader("x")), ErrOutOfOrder)
	wantError(t, "an overlap", u.Append(2, strings.NewReader("x")), ErrOutOfOrder)
	must(t, u.Append(3, strings.NewReader("de")))
	must(t, u.Append(5, strings.NewReader("fghi")))
	for _, test := range []struct {
		first int64
		part  string
		want  bool
	}{{5, "fghi", true}, {5, "fghx", false}, {3, "de", false}, {4, "fghi", false}, {0, "abcdefghi", true}} {
		if got := u.EndsWith(test.first, []byte(test.part)); got != test.want {
			t.Errorf("%v: %v", test, got)
		}
	}
	if u.Size() != 9 || u.SmallestPart() != 2 {
		t.Errorf("%d bytes, smallest part %d", u.Size(), u.SmallestPart())
	}
	var other DigestError
	if err := u.Finish(digestOf("x")); !errors.As(err, &other) || other.Computed != digestOf("abcdefghi") {
		t.Errorf("another digest: %v", err)
	}
	must(t, u.Finish(digestOf("abcdefghi")))
	wantError(t, "append to a layer", u.Append(9, strings.NewReader("x")), ErrRemoved)
	wantContent(t, s, digestOf("abcdefghi"), "abcdefghi")
}

// failing is a reader that fails after some bytes.
func failing(text string) io.Reader {
	return io.MultiReader(strings.NewReader(text), readerFunc(func([]byte) (int, error) { return 0, errStream }))
}

var errStream = errors.New("the client has hung up")

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestStreamFails(t *testing.T) {
	t.Parallel()
	s := newStore(t, 100)
	u := s.NewUpload()
	wantError(t, "stream", u.Append(0, failing("abc")), errStream)
	must(t, u.Append(3, strings.NewReader("def")))
	must(t, u.Finish(digestOf("abcdef")))
	wantContent(t, s, digestOf("abcdef"), "abcdef")
}

// TestTwoWriters shows that the second writer is refused, and that an upload can
// be removed while a request writes to it.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	s := newStore(t, 100)
	u := s.NewUpload()
	stream, client := io.Pipe()
	ended := make(chan error)
	go func() {
		defer stream.Close()
		ended <- u.Append(0, stream)
	}()
	_, err := io.WriteString(client, "abc")
	must(t, err) // the writer is busy now
	wantError(t, "second writer", u.Append(AnyFirst, strings.NewReader("x")), ErrBusy)
	wantError(t, "finish", u.Finish(digestOf("abc")), ErrBusy)
	if u.EndsWith(0, []byte("abc")) {
		t.Error("a part is looked for while another one comes in")
	}
	u.Remove()
	u.Remove()                       // does nothing
	go io.WriteString(client, "def") // the writer may have ended with "abc"
	wantError(t, "the writer", <-ended, ErrRemoved)
	wantFiles(t, s, 0, 0)
}

// TestLimit shows that an upload that finds no room is removed. Its bytes would
// take room from others and could not become a layer.
func TestLimit(t *testing.T) {
	t.Parallel()
	s := newStore(t, 10)
	digest := add(t, s, "12345")
	u, other := s.NewUpload(), s.NewUpload()
	must(t, u.Append(0, strings.NewReader("678")))
	wantError(t, "too much", u.Append(3, strings.NewReader("901")), ErrFull)
	wantFiles(t, s, 1, 5)
	wantError(t, "the upload is gone", u.Append(3, strings.NewReader("9")), ErrRemoved)
	if !u.Removed() || other.Removed() {
		t.Error("Removed does not tell which upload is gone")
	}
	must(t, other.Append(0, strings.NewReader("67")))
	wantError(t, "too much in the last part", other.AppendLast(2, strings.NewReader("8901")), ErrFull)
	wantFiles(t, s, 1, 5)
	add(t, s, "67890")
	s.Release(digest)
	add(t, s, "abcde")
}

// A full disk is like the limit, and leaves no part of the bytes.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	s := newStore(t, 100)
	u := s.NewUpload()
	u.path, _ = s.newPath()
	must(t, os.Symlink("/dev/full", u.path))
	wantError(t, "full disk", u.Append(0, strings.NewReader("abc")), ErrFull)
	wantFiles(t, s, 0, 0)
	wantError(t, "the upload is gone", u.Append(0, strings.NewReader("abc")), ErrRemoved)
}

// TestLastPart shows that a request that could not finish an upload can be
// repeated: its part is there only once.
func TestLastPart(t *testing.T) {
	t.Parallel()
	s := newStore(t, 100)
	u := s.NewUpload()
	must(t, u.Append(0, strings.NewReader("abc")))
	wantBytes := func(when string, size int64) {
		t.Helper()
		if u.Size() != size || u.SmallestPart() != math.MaxInt64 || s.used != size {
			t.Errorf("%s: %d bytes, smallest part %d, %d bytes in all; want %d bytes", when, u.Size(), u.SmallestPart(), s.used, size)
		}
	}
	wantError(t, "broken off", u.AppendLast(3, failing("de")), errStream)
	wantBytes("broken off", 3)
	must(t, u.AppendLast(3, strings.NewReader("xy")))
	var other DigestError
	if err := u.Finish(digestOf("abcde")); !errors.As(err, &other) || other.Computed != digestOf("abcxy") {
		t.Errorf("another digest: %v", err)
	}
	wantBytes("another digest", 3)
	must(t, u.AppendLast(AnyFirst, strings.NewReader("de"))) // and it is not finished
	if u.Size() != 3 {
		t.Errorf("%d bytes with a part that is on trial, want 3", u.Size())
	}
	must(t, u.AppendLast(3, strings.NewReader("de")))
	must(t, u.Finish(digestOf("abcde")))
	wantContent(t, s, digestOf("abcde"), "abcde")
	wantFiles(t, s, 1, 5)
	if u.Size() != 5 {
		t.Errorf("the layer has %d bytes", u.Size())
	}
}

// An upload is of no more use if a part cannot be taken back.
func TestLastPartStays(t *testing.T) {
	t.Parallel()
	s := newStore(t, 100)
	u := s.NewUpload()
	must(t, u.AppendLast(0, strings.NewReader("abc")))
	must(t, os.Remove(u.path))
	wantError(t, "another part", u.Append(0, strings.NewReader("d")), os.ErrNotExist)
	wantError(t, "and another", u.Append(0, strings.NewReader("d")), ErrRemoved)
	wantFiles(t, s, 0, 0)
}

func TestClose(t *testing.T) {
	t.Parallel()
	s := New(100)
	must(t, s.Close()) // there is no directory yet
	s = New(100)
	digest := add(t, s, "abc")
	open, err := s.Open(digest)
	must(t, err)
	defer open.Close()
	u := s.NewUpload()
	must(t, u.Append(0, strings.NewReader("def")))
	must(t, s.Close())
	must(t, s.Close())
	if _, err := os.Stat(s.directory); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
	wantError(t, "append", u.Append(3, strings.NewReader("x")), ErrClosed)
	wantError(t, "finish", u.Finish(digestOf("def")), ErrClosed)
	wantError(t, "first part", s.NewUpload().Append(0, strings.NewReader("x")), ErrClosed)
	_, err = s.Open(digest)
	wantError(t, "open", err, ErrNotFound)
	if got, err := io.ReadAll(open); err != nil || string(got) != "abc" {
		t.Errorf("a reader that was open reads %q (%v)", got, err)
	}
	u.Remove()
}

// zeros is a stream of zeros without an end.
var zeros = readerFunc(func(p []byte) (int, error) {
	clear(p)
	return len(p), nil
})

// TestMemory shows that a large layer takes little memory on its way.
func TestMemory(t *testing.T) {
	s := newStore(t, 1<<30)
	const size = 100 << 20
	hash := sha256.New()
	_, err := io.CopyN(hash, zeros, size)
	must(t, err)
	digest := fmt.Sprintf("sha256:%x", hash.Sum(nil))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	u := s.NewUpload()
	must(t, u.Append(0, io.LimitReader(zeros, size)))
	must(t, u.Finish(digest))
	file, err := s.Open(digest)
	must(t, err)
	defer file.Close()
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{file})
	must(t, err)
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; n != size || allocated > 1<<20 {
		t.Errorf("%d bytes came out, with %d allocated", n, allocated)
	}
}

// TestManyAtOnce is for the race detector. All layers are what they should be,
// and nothing is left.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t, 1<<20)
	var texts []string
	for range 4 {
		texts = append(texts, strings.Repeat(rand.Text(), 100))
	}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			text := texts[i%len(texts)]
			for range 10 {
				u := s.NewUpload()
				if err := u.Append(0, slowly{bytes.NewReader([]byte(text))}); err != nil {
					t.Error(err)
				}
				if err := u.Finish(digestOf(text)); err != nil {
					t.Error(err)
				}
				file, err := s.Open(digestOf(text))
				s.Release(digestOf(text))
				if err != nil {
					t.Error(err)
					continue
				}
				if got, err := io.ReadAll(file); err != nil || string(got) != text {
					t.Errorf("%d bytes (%v), want %d", len(got), err, len(text))
				}
				file.Close()
			}
		})
	}
	all.Wait()
	wantFiles(t, s, 0, 0)
}

// slowly is a reader that gives small pieces.
type slowly struct{ r io.Reader }

func (h slowly) Read(p []byte) (int, error) { return h.r.Read(p[:min(len(p), 700)]) }
