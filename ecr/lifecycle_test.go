package ecr

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// Documents are compared by what they mean.
func TestSameJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{`{"a": 1, "b": [1, 2]}`, ` {"b":[1,2.0], "a":1e0}`, true},
		{`{"a": "é/"}`, `{"a": "\u00e9\/"}`, true},
		{`{"a": [1, 2]}`, `{"a": [2, 1]}`, false},
		{`{"a": 1}`, `{"A": 1}`, false},
		{`{"a": 1}`, `{"a": 1, "b": null}`, false},
		{`{"a": "1"}`, `{"a": 1}`, false},
		{`{"a": 1, "a": 2}`, `{"a": 1, "a": 2}`, true},
		{`{"a": 1, "a": 2}`, `{"a": 2}`, false},
		{``, ``, true},
		{``, `{}`, false},
	} {
		if got := sameJSON(jsontext.Value(test.a), jsontext.Value(test.b)); got != test.same {
			t.Errorf("%s and %s are the same: %t", test.a, test.b, got)
		}
	}
}
