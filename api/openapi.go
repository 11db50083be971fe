package api

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// openAPIFiles describe the table. api.json has what all rows share. Each other
// file has the rows of one noun. Tests compare the table and every answer with
// them.
//
//go:embed openapi/*.json
var openAPIFiles embed.FS

// openAPIDocument returns the files as one document. It panics if they cannot be
// merged.
var openAPIDocument = sync.OnceValue(func() []byte {
	document, err := mergeJSON(openAPIFiles)
	if err != nil {
		panic(err)
	}
	return document
})

// openAPI answers with the document, which is put together at the start.
func openAPI(*Service, route) http.Handler {
	document := openAPIDocument()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(document) // an error means that the caller has gone
	})
}

// mergeJSON merges the JSON objects of all files into one. Nested objects are
// merged too. If two files have the same key with any other value, that is an
// error. Keys keep their order, since readers and generated clients see it.
func mergeJSON(files fs.FS) ([]byte, error) {
	names, err := fs.Glob(files, "*/*.json")
	if err != nil {
		return nil, err
	}
	merged := json.RawMessage("{}")
	for _, name := range names {
		part, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if merged, err = mergeObjects(merged, part); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var document bytes.Buffer
	err = json.Indent(&document, merged, "", "  ")
	return document.Bytes(), err
}

// isPaths tells whether the keys are paths. These are sorted, so that the docs
// page shows a repository before its images.
func isPaths(members []member) bool {
	return len(members) > 0 && strings.HasPrefix(members[0].key, "/")
}

// A member is one key of a JSON object with its value.
type member struct {
	key   string
	value json.RawMessage
}

// mergeObjects adds the members of another object to a JSON object.
func mergeObjects(object, other json.RawMessage) (json.RawMessage, error) {
	merged, err := membersOf(object)
	if err != nil {
		return nil, err
	}
	more, err := membersOf(other)
	if err != nil {
		return nil, err
	}
	for _, m := range more {
		i := slices.IndexFunc(merged, func(present member) bool { return present.key == m.key })
		if i < 0 {
			merged = append(merged, m)
			continue
		}
		if merged[i].value, err = mergeObjects(merged[i].value, m.value); err != nil {
			return nil, fmt.Errorf("%q is in another file too: %w", m.key, err)
		}
	}
	if isPaths(merged) {
		slices.SortFunc(merged, func(a, b member) int { return strings.Compare(a.key, b.key) })
	}
	return objectOf(merged)
}

// membersOf returns the members of a JSON object in their order.
func membersOf(object json.RawMessage) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	var members []member
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: key.(string)} // a key of an object is a string
		if err := decoder.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	_, err := decoder.Token() // the closing brace
	return members, err
}

func objectOf(members []member) (json.RawMessage, error) {
	var object bytes.Buffer
	object.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			object.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		object.Write(key)
		object.WriteByte(':')
		object.Write(m.value)
	}
	object.WriteByte('}')
	return object.Bytes(), nil
}
