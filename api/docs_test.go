package api

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	"github.com/swaggest/swgui/v5cdn"
)

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	loaded       = regexp.MustCompile(`(?:src|href)="([^"]*)"`)
)

// The page loads from this service only, and runs only its own scripts.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noToken := map[string]string{"X-Auth-Token": ""}
	status, header, page := w.do(exchange{method: "GET", path: docsPath, header: noToken})
	if status != 200 || header.Get("Content-Security-Policy") != docsPolicy {
		t.Fatalf("status %d, %v", status, header)
	}
	var scripts []string
	for _, script := range inlineScript.FindAllStringSubmatch(page, -1) {
		sum := sha256.Sum256([]byte(script[1]))
		scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	if want := "script-src 'self' " + strings.Join(scripts, " ") + ";"; len(scripts) == 0 || !strings.Contains(docsPolicy, want) {
		t.Errorf("the scripts in the page have changed, and docsPolicy wants:\n%s", want)
	}
	var files []string
	for _, link := range loaded.FindAllStringSubmatch(page, -1) {
		files = append(files, strings.TrimPrefix(link[1], docsFilesPath+"/"))
		status, _, body := w.do(exchange{method: "GET", path: link[1], header: noToken})
		if status != 200 || len(body) < 500 {
			t.Errorf("%s: status %d, %d bytes", link[1], status, len(body))
		}
	}
	if diff := cmp.Diff(docsFiles, slices.Sorted(slices.Values(files))); diff != "" {
		t.Errorf("files (-docsFiles +page):\n%s", diff)
	}
	if want := document().Components.Parameters["file"].Value.Schema.Value.Enum; fmt.Sprint(want) != fmt.Sprint(docsFiles) {
		t.Errorf("files in the specification: %v", want)
	}
	w.run(
		exchange{method: "HEAD", path: docsPath, header: noToken, status: 200, want: "-"},
		exchange{name: "part of a file", method: "GET", path: docsFilesPath + "/swagger-ui.css", header: map[string]string{"Range": "bytes=0-9"}, status: 200, want: "-"},
		exchange{method: "GET", path: docsFilesPath + "/swagger-ui.js", header: noToken, status: 404, want: problemOf("path-unknown", "There is nothing at this path. The README lists the endpoints.")},
		exchange{method: "GET", path: docsFilesPath + "/..%2fopenapi.json", header: noToken, status: 404, want: "-"},
	)
	for _, path := range []string{docsPath + "?proxy=" + url.QueryEscape(w.url+"/v1/ecr/ping"), "/docs", "/", "/?a=/b"} {
		status, header, same := w.do(exchange{method: "GET", path: path, header: noToken})
		if status != 200 || same != page || header.Get("Content-Security-Policy") != docsPolicy {
			t.Errorf("%s: another page: %d %v %s", path, status, header, same)
		}
	}
}

// A caller that does not say that it unpacks gets the same file, unpacked.
func TestDocsFilesArePackedForThoseWhoUnpack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range docsFiles {
		path := docsFilesPath + "/" + name
		_, header, plain := w.do(exchange{method: "GET", path: path, header: map[string]string{"Accept-Encoding": "identity"}})
		wantHeader(t, name, header, "", len(plain))
		_, header, packed := w.do(exchange{method: "GET", path: path, header: map[string]string{"Accept-Encoding": "br, gzip"}})
		if strings.HasSuffix(name, ".png") {
			wantHeader(t, name, header, "", len(plain))
			continue
		}
		wantHeader(t, name, header, "gzip", len(packed))
		reader, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if unpacked, err := io.ReadAll(reader); err != nil || string(unpacked) != plain {
			t.Errorf("%s: the packed file is another one: %v", name, err)
		}
	}
}

// wantHeader compares what says how to read a file.
func wantHeader(t *testing.T, file string, header http.Header, encoding string, length int) {
	t.Helper()
	got := []string{header.Get("Content-Encoding"), header.Get("Content-Length"), header.Get("Vary"), header.Get("Accept-Ranges")}
	if diff := cmp.Diff([]string{encoding, strconv.Itoa(length), "Accept-Encoding", ""}, got); diff != "" {
		t.Errorf("%s: header (-want +got):\n%s", file, diff)
	}
}

// The image holds the notices of the Swagger UI that is in the program.
func TestNoticesOfSwaggerUI(t *testing.T) {
	t.Parallel()
	version := path.Base(v5cdn.AssetsBase)
	for _, file := range []string{"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui-standalone-preset.js.LICENSE.txt"} {
		if _, err := os.Stat("../docker/licenses/swagger-ui-" + version + "/" + file); err != nil {
			t.Errorf("copy it from the npm package swagger-ui-dist@%s: %v", version, err)
		}
	}
}

// In a real browser the page lists the rows of the table, takes a token, sends
// requests and shows their answers. It sends requests to no other host.
func TestDocsPageInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addRepository(account, "spindev-00001/dasher", org)
	b := openBrowser(t)

	b.do("open the page", chromedp.Navigate(w.url+docsPath))
	listed := read(b, "list the operations", chromedp.Poll[[]string](`(() => {
		const all = [...document.querySelectorAll(".opblock-summary")];
		return all.length > 0 && all.map(o => [".opblock-summary-method", ".opblock-summary-path", ".opblock-summary-description"]
			.map(part => o.querySelector(part).textContent.replaceAll("\u200b", "")).join(" "));
	})()`))
	var want []string
	for _, rt := range routes {
		want = append(want, rt.String()+" "+rt.Summary)
	}
	slices.Sort(listed)
	slices.Sort(want)
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("operations (-table +page):\n%s", diff)
	}

	b.wantTried("service-Ping", `200 pong`)
	b.do("authorize", click(".btn.authorize"), chromedp.SendKeys(chromedp.CSS(".auth-container input"), token()),
		click(".auth-btn-wrapper .authorize"), click(".btn-done"))
	if answer := b.try("repositories-CreateRepository"); !strings.HasPrefix(answer, "200 {") {
		t.Errorf("create: the page shows %s", answer)
	}
	b.wantTried("repositories-ListRepositories", `200 [ "spindev-00001/dasher", "spindev-00001/my-awesome-repository" ]`)

	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) < len(docsFiles) {
		t.Errorf("only these requests were seen: %v", b.requests)
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, w.url+"/") && !strings.HasPrefix(r, "data:") {
			t.Errorf("the page asks for %s", r)
		}
	}
	if len(b.complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(b.complaints, "\n"))
	}
}

// A browser has one page. It keeps the URLs that the page requests, and the
// errors in the page.
type browser struct {
	t   *testing.T
	tab context.Context

	mu                   sync.Mutex
	requests, complaints []string
}

// openBrowser starts Chromium, or the program that CHROME names.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := findBrowser()
	if path == "" {
		t.Skip("there is no Chromium to open the page with: install it, or name one in CHROME")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.WindowSize(1200, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium cannot make a sandbox as root
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	tab, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(tab); err != nil { // waits until it has ended
			t.Errorf("ending the browser: %v", err)
		}
	})
	b := &browser{t: t, tab: tab}
	if err := chromedp.Listen(tab, b.note); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return b
}

// findBrowser returns the path of a browser, or nothing.
func findBrowser() string {
	for _, name := range []string{os.Getenv("CHROME"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

func (b *browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value))
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	}
}

// read returns what the action does, or ends the test.
func read[T any](b *browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, time.Minute)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("%s: %v; the browser complains: %q", what, err, b.complaints)
	}
	return result
}

func (b *browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	read(b, what, chromedp.Steps(steps...))
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)
}

// try opens an operation and sends its request as the page fills it in. It
// returns the status and the body that the page shows.
func (b *browser) try(operation string) string {
	b.t.Helper()
	block := "#operations-" + operation
	b.do("try "+operation, click(block+" .opblock-summary-control"), click(block+" .try-out__btn"), click(block+" .execute"))
	answer := block + " .live-responses-table .response "
	status := read(b, "status of "+operation, chromedp.Text(chromedp.CSS(answer+".response-col_status")))
	body := read(b, "answer of "+operation, chromedp.Text(chromedp.CSS(answer+".highlight-code code")))
	return strings.Join(strings.Fields(status+" "+body), " ")
}

func (b *browser) wantTried(operation, want string) {
	b.t.Helper()
	if got := b.try(operation); got != want {
		b.t.Errorf("%s: the page shows %s, want %s", operation, got, want)
	}
}
