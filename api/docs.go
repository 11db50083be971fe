package api

import (
	"net/http"
	"slices"
	"strings"

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

// swaggerUI returns the page at a path, and its files below that path. The page
// loads its files from docsFilesPath.
func swaggerUI(at string) http.Handler {
	return v5emb.NewHandlerWithConfig(swgui.Config{
		Title:            "ecr-api",
		SwaggerJSON:      openAPIPath,
		BasePath:         docsFilesPath,
		InternalBasePath: at,
		SettingsUI:       map[string]string{"persistAuthorization": "false"}, // a token is not left in the browser
	})
}

func docs(*Service, route) http.Handler {
	page := swaggerUI(docsPath)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		page.ServeHTTP(w, r)
	})
}

// docsFile answers with a whole file. It ignores conditional headers and
// ranges.
func docsFile(*Service, route) http.Handler {
	files := swaggerUI(docsFilesPath)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := recordOf(r)
		p, err := readPath(r, record.settings.config)
		if err != nil {
			writeError(w, r, err)
			return
		}
		record.path = p
		header := http.Header{"Accept-Encoding": r.Header.Values("Accept-Encoding")}
		files.ServeHTTP(w, &http.Request{Method: r.Method, URL: r.URL, Header: header})
	})
}

// readDocsFile returns the name of one of the page's files.
func readDocsFile(value string, _ *common.Config) (string, error) {
	if !slices.Contains(docsFiles, value) {
		return "", errNotFound
	}
	return value, nil
}
