package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
)

// openAPIFiles describe the table: api.json what all rows share, and each other
// file the rows of one noun. Tests hold the table and every answer against
// them.
//
//go:embed openapi/*.json
var openAPIFiles embed.FS

// openAPI answers with one document, put together at the start.
func openAPI(*Service, route) http.Handler {
	document := mustMergeJSON(openAPIFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(document) // an error means that the caller has gone
	})
}

// mustMergeJSON panics where the files of the program itself do not merge.
func mustMergeJSON(files fs.FS) []byte {
	document, err := mergeJSON(files)
	if err != nil {
		panic(err)
	}
	return document
}

// mergeJSON puts the JSON objects of all files into one. Nested objects are
// merged too. Anything else that stands in two files is an error.
func mergeJSON(files fs.FS) ([]byte, error) {
	names, err := fs.Glob(files, "*/*.json")
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var part map[string]any
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		if err := decoder.Decode(&part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := mergeInto(merged, part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(merged)
	return document.Bytes(), err
}

func mergeInto(merged, part map[string]any) error {
	for key, value := range part {
		present, ok := merged[key]
		if !ok {
			merged[key] = value
			continue
		}
		inner, isObject := present.(map[string]any)
		more, areObjects := value.(map[string]any)
		if !isObject || !areObjects {
			return fmt.Errorf("%q is in another file too", key)
		}
		if err := mergeInto(inner, more); err != nil {
			return fmt.Errorf("in %q: %w", key, err)
		}
	}
	return nil
}
