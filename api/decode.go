package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

const (
	maxBody   = 1 << 20  // bytes
	shortBody = 64 << 10 // bytes; fifty tags have less, unless they are escaped
	bodyTime  = 10 * time.Second
)

// decode reads the input of a request from its query and its body, and checks
// it. The whole body must arrive before end. What is left of a long body after
// the check is small.
func decode[In input](w http.ResponseWriter, r *http.Request, end time.Time, long *longBodies) (in In, err error) {
	if err := decodeQuery(r.URL.RawQuery, &in); err != nil {
		return in, err
	}
	if _, none := any(in).(interface{ hasNoBody() }); none {
		return in, firstError(decodeNothing(w, r, end, long), in.check())
	}
	body, done, err := readBody(w, r, end, long)
	if err != nil {
		return in, err
	}
	defer done()
	if _, optional := any(in).(interface{ bodyIsOptional() }); optional && len(bytes.TrimSpace(body)) == 0 {
		return in, in.check()
	}
	if err := decodeJSON(body, &in); err != nil {
		return in, err
	}
	return in, in.check()
}

// decodeNothing reads the body of a request that needs none, because net/http
// notices that a caller hangs up only after the end of the body. That of a POST may
// have no keys. That of a GET or DELETE does not count.
func decodeNothing(w http.ResponseWriter, r *http.Request, end time.Time, long *longBodies) error {
	if r.Body == http.NoBody {
		return nil
	}
	if r.Method != http.MethodPost {
		return skipBody(w, r, end)
	}
	body, done, err := readBody(w, r, end, long)
	if err != nil {
		return err
	}
	defer done()
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return decodeJSON(body, &struct{}{})
}

// skipBody reads the body, as far as it may go, and forgets it.
func skipBody(w http.ResponseWriter, r *http.Request, end time.Time) error {
	if err := limitBodyTime(w, end); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)); err != nil {
		return bodyError(err)
	}
	return nil
}

// limitBodyTime lets the whole body arrive before end and within bodyTime. net/http
// takes the deadline away when the body has ended.
func limitBodyTime(w http.ResponseWriter, end time.Time) error {
	if soon := time.Now().Add(bodyTime); soon.Before(end) {
		end = soon
	}
	return http.NewResponseController(w).SetReadDeadline(end)
}

// readBody reads the body. The whole body must arrive before end and within
// bodyTime. It ignores the content type, so that curl -d works without a
// header. A long body waits for a place of its own. When a body is decoded and
// checked, the caller must call done.
func readBody(w http.ResponseWriter, r *http.Request, end time.Time, long *longBodies) (body []byte, done func(), err error) {
	if err := limitBodyTime(w, end); err != nil {
		return nil, nil, err
	}
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	body, err = io.ReadAll(io.LimitReader(limited, shortBody))
	if err != nil {
		return nil, nil, bodyError(err)
	}
	if len(body) < shortBody {
		return body, nothingHeld, nil
	}
	leave, err := long.enter(r, end)
	if err != nil {
		return nil, nil, err
	}
	body, err = readRest(body, limited)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return body, leave, nil
}

// readRest reads the rest of a body into memory that suffices for the longest
// body, and so need not grow.
func readRest(start []byte, rest io.Reader) ([]byte, error) {
	body := bytes.NewBuffer(make([]byte, 0, maxBody+bytes.MinRead))
	body.Write(start)
	if _, err := body.ReadFrom(rest); err != nil {
		return nil, bodyError(err)
	}
	return body.Bytes(), nil
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return common.Errorf(common.BodyTooLarge, "The body is over %d bytes.", maxBody)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &common.Error{Code: common.BadRequest, Message: "The body did not come in time.", Cause: err}
	}
	return &common.Error{Code: common.BadRequest, Message: "The body could not be read to its end.", Cause: err}
}

// bodyOptions refuse a key that the request does not have, and a key that is
// given twice. Case makes no difference.
var bodyOptions = json.JoinOptions(
	json.MatchCaseInsensitiveNames(true),
	jsonv1.MatchCaseSensitiveDelimiter(true), // "Repository_Name" is another key
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.UnmarshalFromFunc(onlyString)),
)

// onlyString refuses an object or an array in place of a string before it is
// read. The decoder would remember the keys of an object, which can take many
// times its size, until it says that it is no string.
func onlyString(d *jsontext.Decoder, _ *string) error {
	switch kind := d.PeekKind(); kind {
	case '{', '[':
		return &json.SemanticError{JSONKind: kind, JSONPointer: nextPlace(d), GoType: reflect.TypeFor[string]()}
	default:
		return errors.ErrUnsupported // it is read as usual
	}
}

// nextPlace returns the place of the value that is read next. The decoder tells
// that of the last one, which is the name of a member.
func nextPlace(d *jsontext.Decoder) jsontext.Pointer {
	last := d.StackPointer()
	kind, n := d.StackIndex(d.StackDepth())
	switch {
	case kind != '[':
		return last
	case n > 0:
		last = last.Parent()
	}
	return last.AppendToken(strconv.FormatInt(n, 10))
}

// decodeJSON decodes a body. The body must be exactly one JSON object.
func decodeJSON(body []byte, into any) error {
	switch trimmed := bytes.TrimSpace(body); {
	case len(trimmed) == 0 || string(trimmed) == "null":
		return common.Errorf(common.BadRequest, "A JSON object is needed as the body.")
	case !utf8.Valid(body):
		return common.Errorf(common.BadRequest, "The body is not UTF-8.")
	}
	return jsonError(json.Unmarshal(body, into, bodyOptions))
}

func jsonError(err error) error {
	var ours *common.Error
	var syntax *jsontext.SyntacticError
	var value *json.SemanticError
	switch {
	case err == nil || errors.As(err, &ours):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return common.Errorf(common.BadRequest, "The body is not JSON: it ends too early.")
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return common.Errorf(common.BadRequest, "%s is given twice.", nameOf(syntax.JSONPointer))
	case errors.As(err, &syntax):
		return common.Errorf(common.BadRequest, "The body is not JSON: %s, at byte %d.", syntax.Err, syntax.ByteOffset+1)
	case errors.As(err, &value):
		return valueError(value)
	default:
		return &common.Error{Code: common.BadRequest, Message: "The body is not what this request takes.", Cause: err}
	}
}

func valueError(e *json.SemanticError) error {
	switch {
	case errors.Is(e, json.ErrUnknownName):
		return common.Errorf(common.BadRequest, "%.100q is not a key of this request.", e.JSONPointer.LastToken())
	case e.JSONPointer == "":
		return common.Errorf(common.BadRequest, "The body must be a JSON object, not %s.", kindNames[e.JSONKind])
	default:
		return common.Errorf(common.BadRequest, "%s must be %s, not %s.", placeOf(e.JSONPointer), typeName(e.GoType), kindNames[e.JSONKind])
	}
}

// kindNames has the names of the kinds of JSON values.
var kindNames = map[jsontext.Kind]string{
	'n': "null", 't': "a bool", 'f': "a bool", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "an array"
	case reflect.Struct:
		return "an object"
	case reflect.Pointer:
		return typeName(t.Elem())
	default:
		return "a " + t.Kind().String()
	}
}

// nameOf names a key that the caller has chosen: by its place, if it is not one of
// the body itself. It may be long.
func nameOf(p jsontext.Pointer) string {
	if p.Parent() == "" {
		return fmt.Sprintf("%.100q", p.LastToken())
	}
	return fmt.Sprintf("%.100s", placeOf(p))
}

// placeOf writes the place of a value as callers know it, such as Tags[0].Key.
func placeOf(p jsontext.Pointer) string {
	place := ""
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			place += "[" + token + "]"
		} else {
			place += "." + token
		}
	}
	return strings.TrimPrefix(place, ".")
}

// readTexts reads a list of strings one by one, so that a body full of them does
// not take many times its size. A null is no list. A list that is too long is
// refused with the words tooMany, which have the limit in them.
func readTexts(d *jsontext.Decoder, most int, tooMany string) (texts []string, err error) {
	place := placeOf(d.StackPointer())
	if d.PeekKind() != '[' { // null, or a mistake
		return nil, json.UnmarshalDecode(d, &texts)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	texts = []string{}
	for d.PeekKind() != ']' {
		if len(texts) == most {
			return nil, common.Errorf(common.BadRequest, tooMany, most)
		}
		if kind := d.PeekKind(); kind != '"' && kind != jsontext.KindInvalid {
			return nil, common.Errorf(common.BadRequest, "%s[%d] must be a string, not %s.", place, len(texts), kindNames[kind])
		}
		var text string
		if err := json.UnmarshalDecode(d, &text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	_, err = d.ReadToken()
	return texts, err
}
