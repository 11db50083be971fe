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

// keyOffsets returns where each key of a JSON object begins. The name of a key
// in an inner object is like "account.region". A key that is given twice has two
// of them.
func keyOffsets(document []byte) map[string][]int {
	offsets := map[string][]int{}
	addKeyOffsets(offsets, "", document, 0)
	return offsets
}

// addKeyOffsets adds the keys of an object that begins at start in the document.
func addKeyOffsets(offsets map[string][]int, prefix string, object []byte, start int) {
	d := json.NewDecoder(bytes.NewReader(object))
	if opening, err := d.Token(); err != nil || opening != json.Delim('{') {
		return
	}
	for d.More() {
		before := int(d.InputOffset()) // only a comma and spaces follow until the key
		token, err := d.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return
		}
		at := start + before + bytes.IndexByte(object[before:], '"')
		offsets[prefix+name] = append(offsets[prefix+name], at)
		end := int(d.InputOffset())
		addKeyOffsets(offsets, prefix+name+".", value, start+end-len(value))
	}
}
