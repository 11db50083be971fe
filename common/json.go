package common

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// AppendJSONString appends the text in quotes, as encoding/json writes it
// without HTML escaping. encoding/json itself does that if there is something to
// escape, which is rare.
func AppendJSONString(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendEscaped(b, text)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func appendEscaped(b []byte, text string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string can always be encoded
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

// AppendJSONStrings appends the texts as an array, and nil as null.
func AppendJSONStrings(b []byte, texts []string) []byte {
	if texts == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSONString(b, text)
	}
	return append(b, ']')
}
