package api

import (
	"bytes"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// docsFiles are the files that the docs page loads. They are in the binary.
var docsFiles = []string{
	"favicon-16x16.png",
	"favicon-32x32.png",
	"swagger-ui-bundle.js",
	"swagger-ui-standalone-preset.js",
	"swagger-ui.css",
}

// docsPolicy is the Content-Security-Policy of the docs page. The page may load
// files only from this service, send requests only to it, and run only its own
// scripts. The policy names the inline scripts by their hashes. It allows
// inline styles and data: pictures because Swagger UI makes them.
var docsPolicy = strings.Join([]string{
	"default-src 'none'",
	"script-src 'self'" +
		" 'sha256-f8nHtu9VNwE6XLrjOLLtgQlwWIn4+lHqAAPNFnZmaPU='" +
		" 'sha256-fza4c3xa0fERCW/d+xrTfQrKqqyaPA9qxHQh4OHhbOw='",
	"style-src 'self' 'unsafe-inline'",
	"img-src 'self' data:",
	"connect-src 'self'",
	"base-uri 'none'",
	"form-action 'none'",
	"frame-ancestors 'none'",
}, "; ")

// docs answers with the page. Its links are absolute, so that it can be at
// several paths.
func docs(*Service, route) http.Handler {
	page := swaggerUI().page
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		page.send(w)
	})
}

// docsFile answers with a whole file. It ignores conditional headers and
// ranges.
func docsFile(*Service, route) http.Handler {
	ui := swaggerUI()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := recordOf(r)
		p, err := readPath(r, record.settings.config)
		if err != nil {
			writeError(w, r, err)
			return
		}
		record.path = p
		files := ui.plain
		if strings.Contains(strings.Join(r.Header.Values("Accept-Encoding"), ","), "gzip") {
			files = ui.packed
		}
		files[p.File].send(w)
	})
}

// swaggerUI returns the answers of Swagger UI: the page, and its files by name.
// They are made once. Otherwise each request for a file would unpack it again,
// into memory of its own.
var swaggerUI = sync.OnceValue(func() (ui struct {
	page          prepared
	plain, packed map[string]prepared
}) {
	var r recorder
	r.body.Grow(largestFile)
	ui.page = r.record(handlerAt(docsPath), docsPath, "identity")
	files := handlerAt(docsFilesPath)
	ui.plain, ui.packed = map[string]prepared{}, map[string]prepared{}
	for _, name := range docsFiles {
		ui.plain[name] = r.record(files, docsFilesPath+"/"+name, "identity")
		ui.packed[name] = r.record(files, docsFilesPath+"/"+name, "gzip")
	}
	return ui
})

// handlerAt returns the library's handler of the page at a path, and of its files
// below that path. The page loads its files from docsFilesPath.
func handlerAt(path string) http.Handler {
	return v5emb.NewHandlerWithConfig(swgui.Config{
		Title:            "ecr-api",
		SwaggerJSON:      openAPIPath,
		BasePath:         docsFilesPath,
		InternalBasePath: path,
		SettingsUI:       map[string]string{"persistAuthorization": "false"}, // a token is not left in the browser
	})
}

// largestFile is about the size of the largest of docsFiles.
const largestFile = 2 << 20

// A prepared answer is made once and sent many times.
type prepared struct {
	header http.Header
	body   []byte
}

func (p prepared) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.header)
	w.Write(p.body) // an error means that the caller has gone
}

// A recorder is an http.ResponseWriter that keeps what a handler answers.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
func (*recorder) WriteHeader(int)               {}

// record asks a handler for a path.
func (r *recorder) record(handler http.Handler, path, encoding string) prepared {
	r.header = http.Header{}
	r.body.Reset()
	header := http.Header{"Accept-Encoding": {encoding}}
	handler.ServeHTTP(r, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: header})
	p := prepared{header: http.Header{"Content-Length": {strconv.Itoa(r.body.Len())}}, body: bytes.Clone(r.body.Bytes())}
	for _, name := range []string{"Content-Type", "Content-Encoding", "Vary"} {
		if value := r.header.Get(name); value != "" {
			p.header.Set(name, value)
		}
	}
	return p
}

// readDocsFile returns the name of one of the page's files.
func readDocsFile(value string, _ *common.Config) (string, error) {
	if !slices.Contains(docsFiles, value) {
		return "", errNotFound
	}
	return value, nil
}
