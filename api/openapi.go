package api

import (
	_ "embed"
	"net/http"
)

// openAPIDocument describes the whole table. A test holds the two together, and
// every answer in the tests is held against it.
//
//go:embed openapi.json
var openAPIDocument []byte

func openAPI(*Service, route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(openAPIDocument) // an error is a caller who has gone
	})
}
