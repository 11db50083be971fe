package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common"
)

const (
	maxBody  = 1 << 20 // bytes
	bodyTime = 10 * time.Second
)

// decode reads the input of a request from its query and its body, and checks
// it. The whole body must arrive before end.
func decode[In input](w http.ResponseWriter, r *http.Request, end time.Time) (in In, err error) {
	if err := decodeQuery(r.URL.RawQuery, &in); err != nil {
		return in, err
	}
	if _, none := any(in).(interface{ hasNoBody() }); none {
		return in, in.check()
	}
	body, err := readBody(w, r, end)
	if err != nil {
		return in, err
	}
	if err := decodeJSON(body, &in); err != nil {
		return in, err
	}
	return in, in.check()
}

// readBody reads the body. The whole body must arrive before end and within
// bodyTime. It ignores the content type, so that curl -d works without a
// header.
func readBody(w http.ResponseWriter, r *http.Request, end time.Time) ([]byte, error) {
	if soon := time.Now().Add(bodyTime); soon.Before(end) {
		end = soon
	}
	// net/http takes this deadline away when the body has ended.
	if err := http.NewResponseController(w).SetReadDeadline(end); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, bodyError(err)
	}
	return body, nil
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return common.Errorf(common.TooLarge, "The body is over %d bytes.", maxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &common.Error{Code: common.BadRequest, Message: "The body did not come in time.", Cause: err}
	}
	return &common.Error{Code: common.BadRequest, Message: "The body could not be read to its end.", Cause: err}
}

// decodeJSON decodes a body. The body must be exactly one JSON object of known
// keys. A key given twice is an error, because encoding/json would drop one of
// the values silently.
func decodeJSON(body []byte, into any) error {
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0 || string(trimmed) == "null":
		return common.Errorf(common.BadRequest, "A JSON object is needed as the body.")
	case !utf8.Valid(body):
		return common.Errorf(common.BadRequest, "The body is not UTF-8.")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return jsonError(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return common.Errorf(common.BadRequest, "The body goes on after its JSON object ended (byte %d).", decoder.InputOffset())
	}
	return repeatedKey(json.NewDecoder(bytes.NewReader(body)))
}

func jsonError(err error) error {
	var ours *common.Error
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &ours):
		return err
	case errors.As(err, &syntax):
		return common.Errorf(common.BadRequest, "The body is not JSON: %s, at byte %d.", syntax, syntax.Offset)
	case errors.As(err, &kind) && kind.Field == "":
		return common.Errorf(common.BadRequest, "The body must be a JSON object, not %s.", kind.Value)
	case errors.As(err, &kind):
		return common.Errorf(common.BadRequest, "%s must be %s, not %s.", kind.Field, kindName(kind.Type), kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return common.Errorf(common.BadRequest, "The body is not JSON: it ends too early.")
	}
	if key, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return common.Errorf(common.BadRequest, "%s is not a key of this request.", key)
	}
	return &common.Error{Code: common.BadRequest, Message: "The body is not what this request takes.", Cause: err}
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "an array"
	case reflect.Struct:
		return "an object"
	case reflect.Pointer:
		return kindName(t.Elem())
	default:
		return "a " + t.Kind().String()
	}
}

// foldCase is for comparing keys as encoding/json does. It maps all runes that
// differ only in case to the same rune, the least of them.
func foldCase(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// repeatedKey returns an error if an object has a key twice. Case makes no
// difference. The document is known to be well-formed.
func repeatedKey(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			folded := strings.Map(foldCase, fmt.Sprint(key))
			if seen[folded] {
				return common.Errorf(common.BadRequest, "%q is given twice.", key)
			}
			seen[folded] = true
		}
		if err := repeatedKey(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the end of the object or array
	return err
}
