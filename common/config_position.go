package common

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// position says where in a document a byte is, as editors count: in lines and
// in characters from 1. It is empty for a byte that the document does not have.
func position(document []byte, offset int) string {
	if offset < 0 || offset > len(document) {
		return ""
	}
	before := document[:offset]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(line)+1)
}

// brokenAt says where the syntax of a document is broken. It does not quote the
// document, because that contains secrets.
func brokenAt(document []byte, err error) string {
	syntax, ok := err.(*json.SyntaxError)
	switch {
	case !ok:
		return ""
	case syntax.Error() == "unexpected end of JSON input":
		return " (it ends too early, at " + position(document, len(document)) + ")"
	default:
		return " (broken at " + position(document, int(syntax.Offset)-1) + ")"
	}
}

// keyOffsets returns where each key of a JSON object begins, and each element of
// a list. Their names are like "account.region" and "trustedProxies[0]". A key
// that is given twice has two of them.
func keyOffsets(document []byte) map[string][]int {
	offsets := map[string][]int{}
	addOffsets(offsets, "", document, 0)
	return offsets
}

// addOffsets adds the keys or elements of a value that has this name, and begins
// at start in the document.
func addOffsets(offsets map[string][]int, name string, value []byte, start int) {
	d := json.NewDecoder(bytes.NewReader(value))
	opening, err := d.Token()
	if err != nil || opening != json.Delim('{') && opening != json.Delim('[') {
		return
	}
	for i := 0; d.More(); i++ {
		inner, key := fmt.Sprintf("%s[%d]", name, i), -1
		if opening == json.Delim('{') {
			before := int(d.InputOffset()) // only a comma and spaces follow until the key
			token, err := d.Token()
			text, ok := token.(string)
			if err != nil || !ok {
				return
			}
			inner, key = join(name, text), before+bytes.IndexByte(value[before:], '"')
		}
		var of json.RawMessage
		if d.Decode(&of) != nil {
			return
		}
		begins := int(d.InputOffset()) - len(of)
		if key < 0 {
			key = begins
		}
		offsets[inner] = append(offsets[inner], start+key)
		addOffsets(offsets, inner, of, start+begins)
	}
}

// join returns the name of a key in an object of that name. The document itself
// has none.
func join(object, key string) string {
	if object == "" {
		return key
	}
	return object + "." + key
}
