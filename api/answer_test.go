package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// encoded returns the body of an answer as encoding/json has it.
func encoded(t rapid.TB, body any) string {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pieces keeps what is written, and what the header was at that time.
type pieces struct {
	header http.Header
	status int
	length string // Content-Length
	sent   []string
}

func (p *pieces) Header() http.Header { return p.header }

func (p *pieces) WriteHeader(status int) { p.status, p.length = status, p.header.Get("Content-Length") }

func (p *pieces) Write(b []byte) (int, error) {
	p.sent = append(p.sent, string(b))
	return len(b), nil
}

// checkPieces sends a body and compares what was written with encoding/json. A
// short body is written with its length, and its end last.
func checkPieces(t rapid.TB, body any) {
	t.Helper()
	p := &pieces{header: http.Header{}}
	writeJSON(p, "application/json", http.StatusCreated, body)
	want := encoded(t, body)
	if got := strings.Join(p.sent, ""); got != want {
		t.Fatalf("sent %.2000q\nwant %.2000q", got, want)
	}
	if p.status != http.StatusCreated || p.header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, header %v", p.status, p.header)
	}
	if last := p.sent[len(p.sent)-1]; len(want) < pieceSize && (len(last) > keptByHTTP || p.length != strconv.Itoa(len(want))) {
		t.Errorf("%d bytes were sent with Content-Length %q, the last %d at once", len(want), p.length, len(last))
	}
}

// odd has texts that encoding/json escapes or repairs.
var odd = []string{"", "<&>", "\u2028\u2029", "\xff\xfea", "\x00\x7f\t\n\"\\", "é\U0001f600", "\ud7ff", "plain"}

// anyOf generates values of a type. Half of their texts are odd.
func anyOf[T any]() *rapid.Generator[any] {
	texts := rapid.OneOf(rapid.SampledFrom(odd), rapid.String())
	return rapid.MakeCustom[T](rapid.MakeConfig{Kinds: map[reflect.Kind]*rapid.Generator[any]{reflect.String: texts.AsAny()}}).AsAny()
}

// A joined list is a text in JSON.
type joined []string

func (j joined) MarshalJSON() ([]byte, error) { return json.Marshal(strings.Join(j, " ")) }

func TestAnswersAreAsEncodingJSONHasThem(t *testing.T) {
	t.Parallel()
	for _, body := range []any{
		problem{}, ecr.Repository{}, ecr.Image{}, (*ecr.Image)(nil), []string(nil), []string{}, map[string]int{"b": 1, "a": 2},
		bytes.Repeat([]byte("a"), 1000), json.RawMessage("[" + strings.Repeat("1, ", 1000) + "1]"), joined(slices.Repeat([]string{"a"}, 1000)),
	} {
		checkPieces(t, body)
	}
	bodies := rapid.OneOf(anyOf[problem](), anyOf[common.Version](), anyOf[ecr.Repository](), anyOf[ecr.Image](), anyOf[[]*ecr.Image](), anyOf[[]string]())
	rapid.Check(t, func(t *rapid.T) { checkPieces(t, bodies.Draw(t, "body")) })
}

func TestLongListsAreAsEncodingJSONHasThem(t *testing.T) {
	t.Parallel()
	lengths := rapid.OneOf(
		rapid.SampledFrom([]int{1, partLength - 1, partLength, partLength + 1, 2 * partLength, 2*partLength + 1}),
		rapid.IntRange(1, 2000),
	)
	names := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(odd), rapid.StringN(0, 1000, -1)), 1, 5)
	images := rapid.SliceOfN(anyOf[ecr.Image](), 1, 5)
	rapid.Check(t, func(t *rapid.T) {
		length := lengths.Draw(t, "length")
		checkPieces(t, slices.Repeat(names.Draw(t, "names"), length)[:length])
		var all []ecr.Image
		for _, image := range images.Draw(t, "images") {
			all = append(all, image.(ecr.Image))
		}
		checkPieces(t, slices.Repeat(all, length)[:length])
	})
}

// A long list goes out in pieces, none of which is much over pieceSize.
func TestPiecesAreBounded(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("a", 1000)
	p := &pieces{header: http.Header{}}
	writeJSON(p, "application/json", http.StatusOK, slices.Repeat([]string{name}, 10000))
	if p.length != "" || len(p.sent) < 70 {
		t.Errorf("Content-Length %q, %d pieces", p.length, len(p.sent))
	}
	for _, piece := range p.sent {
		if len(piece) > pieceSize+partLength*(len(name)+len(`"",`)) {
			t.Errorf("a piece of %d bytes", len(piece))
		}
	}
}

// worldWith starts a service whose list of repositories is what list returns.
func worldWith[Out any](t *testing.T, list func() Out) *world {
	w := newWorld(t, changeRows(func(rt *route) {
		if rt.Name == "ListRepositories" {
			rt.Endpoint = handledBy(func(context.Context, target, nothing) (Out, error) { return list(), nil })
		}
	}))
	w.unspecified = true
	return w
}

// longList has more bytes than the buffers of a connection.
var longList = slices.Repeat([]string{strings.Repeat("a", 1000)}, 20000)

func TestLongAnswer(t *testing.T) {
	t.Parallel()
	w := worldWith(t, func() []string { return longList })
	if status, header, body := w.do(exchange{method: "GET", path: base}); status != 200 || body != encoded(t, longList) {
		t.Errorf("GET: status %d, %v, %d bytes", status, header, len(body))
	}
	if status, header, body := w.do(exchange{method: "HEAD", path: base}); status != 200 || header.Get("Content-Type") != "application/json" || body != "" {
		t.Errorf("HEAD: status %d, %v, %d bytes", status, header, len(body))
	}
	for i, line := range w.logged(t) {
		if line["status"] != 200.0 || line["outcome"] != "done" || line["error"] != nil {
			t.Errorf("line %d: %v", i, line)
		}
	}
}

// The log says that a caller did not get the whole answer.
func TestCallerVanishesInTheMiddleOfAnAnswer(t *testing.T) {
	t.Parallel()
	w := worldWith(t, func() []string { return longList })
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET "+base+" HTTP/1.1\r\nHost: here\r\nX-Auth-Token: "+token()+"\r\nX-Request-Id: test\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	c.Close()
	waitFor(t, "the request to be logged", func() bool { return w.log.String() != "" })
	line := comparable(t, w.logged(t)[0])
	if text, ok := line["error"].(string); !ok || !strings.HasPrefix(text, "write tcp ") {
		t.Errorf("the error is %v", line["error"])
	}
	delete(line, "error")
	want := map[string]any{
		"level": "info", "msg": "request", "requestId": "test", "method": "GET", "route": accountPath, "status": 200.0, "outcome": "dropped",
		"client": "127.0.0.1", "key": "default", "action": "ListRepositories", "account": account, "session": "SESSION",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("the line (-want +got):\n%s", diff)
	}
	if w.service.limits.inFlight != 0 {
		t.Error("the request still counts")
	}
}

// A brittle value cannot be encoded if it is false.
type brittle bool

func (b brittle) MarshalJSON() ([]byte, error) {
	if b {
		return []byte("true"), nil
	}
	return nil, errors.New("brittle")
}

// An answer that cannot be encoded to its end does not look whole.
func TestAnswerThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	begun := append(slices.Repeat([]brittle{true}, 100000), false)
	w := worldWith(t, func() []brittle { return begun })
	r := httptest.NewRequest("GET", w.url+base, nil)
	r.RequestURI = ""
	r.Header.Set("X-Auth-Token", token())
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || answer.StatusCode != 200 {
		t.Fatal(answer, err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != io.ErrUnexpectedEOF {
		t.Errorf("the body of %d bytes ends with %v", len(body), err)
	}
	waitFor(t, "the request to be logged", func() bool { return strings.Contains(w.log.String(), `"msg":"request"`) })
	if line := w.logged(t)[1]; line["status"] != 200.0 || line["outcome"] != "failed" || line["level"] != "error" || !strings.Contains(line["error"].(string), "brittle") {
		t.Errorf("the line: %v", line)
	}

	w = worldWith(t, func() []brittle { return begun[len(begun)-2:] })
	w.run(exchange{name: "short", method: "GET", path: base, status: 500, want: problemOf("internal", internalError)})
}

func TestLongDeletionsAreAsEncodingJSONHasThem(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 300, 5000} {
		d := &ecr.Deletion{ImageIDs: []ecr.ImageIdentifier{}, Failures: []ecr.ImageFailure{}, DeletedImages: []string{}}
		for i := range n {
			id := ecr.ImageIdentifier{ImageDigest: new(digestNo(i))}
			if i%2 == 0 {
				id.ImageTag = new("<v&1>")
			}
			d.ImageIDs, d.DeletedImages = append(d.ImageIDs, id), append(d.DeletedImages, digestNo(i))
			d.Failures = append(d.Failures, ecr.ImageFailure{ImageID: id, FailureCode: new("KmsError"), FailureReason: new(strings.Repeat("é", i%7))})
		}
		checkPieces(t, &deletedImages{n > 1, d})
	}
}
