package service

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const targetHeader = "X-Amz-Target"

// JSON is the protocol AWS JSON 1.1: the operation is in a header, and the
// bodies are JSON.
type JSON struct {
	Prefix string // of the operation in the header X-Amz-Target
}

func (p JSON) maySpeak(r *http.Request) bool { return r.Header.Get(targetHeader) != "" }

func (p JSON) contentType() string { return "application/x-amz-json-1.1" }

func (p JSON) operation(r *http.Request, _ []byte) (string, error) {
	target := r.Header.Get(targetHeader)
	name, ok := strings.CutPrefix(target, p.Prefix)
	if !ok || name == "" {
		return "", Errorf(codeUnknownAction, "the X-Amz-Target %q does not name an operation of this service", target)
	}
	return name, nil
}

func (p JSON) translate(e *Error) *Error {
	translated := *e
	if e.Status == 0 {
		translated.Status = http.StatusBadRequest
	}
	return &translated
}

func (p JSON) success(out any, _, _ string) ([]byte, error) {
	return json.Marshal(out)
}

func (p JSON) failure(e *Error, _ string) []byte {
	members := map[string]any{"__type": e.Code, "message": e.Message}
	maps.Copy(members, e.Extra)
	return mustMarshal(json.Marshal(members))
}

// mustMarshal is for values that hold nothing but strings and numbers: they can
// always be marshalled.
func mustMarshal(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// DecodeJSON reads the input of an operation in the JSON protocol. An Error with
// which a part of the input refuses its text is the answer.
func DecodeJSON[In any](body []byte) (In, error) {
	var in In
	err := json.Unmarshal(body, &in)
	var refused *Error
	if err == nil || errors.As(err, &refused) {
		return in, err
	}
	return in, Errorf(codeSerialization, "%v", err)
}

// Timestamp is a time as the JSON protocol writes it: seconds, with
// milliseconds as a fraction.
type Timestamp time.Time

// MarshalJSON returns the number.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	seconds := float64(time.Time(t).UnixMilli()) / 1000
	return json.RawMessage(strconv.FormatFloat(seconds, 'f', -1, 64)), nil
}
