package api

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

const (
	partLength = 32       // elements of a list are encoded at once
	pieceSize  = 32 << 10 // bytes are sent at once, and the rest of the part
	keptByHTTP = 2 << 10  // bytes that net/http keeps until the handler returns
)

// writeJSON sends a body. It encodes the whole body before it writes the
// status, unless that is a list longer than pieceSize. Such a list goes out in
// pieces, so that its length costs no memory. The types of answers can always
// be encoded, so writeJSON panics if a body cannot.
func writeJSON(w http.ResponseWriter, contentType string, status int, body any) {
	w.Header().Set("Content-Type", contentType)
	a := answers.Get().(*answer)
	defer a.giveBack()
	a.w, a.status = w, status
	if long, ok := body.(pieced); ok {
		a.sendPieces(long)
		return
	}
	if list := reflect.ValueOf(body); isList(list) {
		for ; list.Len() > partLength; list = list.Slice(partLength, list.Len()) {
			a.encode(list.Slice(0, partLength).Interface())
			a.leaveOpen()
			if err := a.sendPiece(); err != nil {
				return // the caller has gone; the log line says so
			}
		}
		body = list.Interface()
	}
	a.encode(body)
	a.sendRest()
}

// A page is an output that is a list, of which there may be more pages.
type page[T any] struct {
	items []T    // never nil
	next  string // the cursor of the next page; empty on the last one
}

func (p page[T]) list() any      { return p.items }
func (p page[T]) cursor() string { return p.next }

// pageOfList is any page.
type pageOfList interface {
	list() any
	cursor() string
}

// A longOutput may take much memory, though it is no list. It is read within the
// memory for lists.
type longOutput interface{ long() }

// A pieced output encodes itself in pieces.
type pieced interface{ pieces() iter.Seq[[]byte] }

// isLong tells whether an output may take much memory.
func isLong(out any) bool {
	switch out.(type) {
	case pageOfList, longOutput:
		return true
	}
	return isList(reflect.ValueOf(out))
}

// linkNext tells the caller where the next page is (RFC 8288). The place is
// relative to this server, because the caller may reach it through a proxy.
func linkNext(w http.ResponseWriter, r *http.Request, cursor string) {
	if cursor != "" {
		w.Header().Set("Link", "<"+r.URL.EscapedPath()+"?"+nextQuery(r.URL.RawQuery, cursor)+`>; rel="next"`)
	}
}

// inLink encodes what would end the place in a header Link.
var inLink = strings.NewReplacer("<", "%3C", ">", "%3E")

// nextQuery returns a query that is good, for the page after the cursor. The
// other parameters stay as the caller sent them: written in another way they
// could be too long for a request.
func nextQuery(query, cursor string) string {
	var next strings.Builder
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := unescapePair(pair); name != "" && name != "after" {
			inLink.WriteString(&next, pair+"&")
		}
	}
	return next.String() + "after=" + cursor
}

// isList tells whether encoding/json makes an array of the value. A type with a
// name may have a form of its own.
func isList(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Type().Name() == "" && v.Type().Elem().Kind() != reflect.Uint8
}

// An answer is encoded into the buffer and sent from there.
type answer struct {
	bytes.Buffer
	encoder *json.Encoder
	w       http.ResponseWriter
	status  int
	begun   bool // the status is written
	open    bool // the list so far has no end
}

var answers = sync.Pool{New: func() any {
	a := &answer{}
	a.encoder = json.NewEncoder(&a.Buffer)
	a.encoder.SetEscapeHTML(false)
	return a
}}

// encode encodes a value. If there is an open list, the value must be a list,
// and encode adds its elements.
func (a *answer) encode(value any) {
	start := a.Len()
	if list := reflect.ValueOf(value); isList(list) && list.Type().Elem().Implements(appenderType) {
		a.appendItems(list)
	} else if err := a.encoder.Encode(value); err != nil {
		panic(err)
	}
	if a.open {
		a.Bytes()[start] = ',' // was "["
		a.open = false
	}
}

// An appender writes its own JSON, faster than encoding/json.
type appender interface{ AppendJSON([]byte) []byte }

var appenderType = reflect.TypeFor[appender]()

func (a *answer) appendItems(list reflect.Value) {
	a.WriteByte('[')
	for i := range list.Len() {
		if i > 0 {
			a.WriteByte(',')
		}
		a.Write(list.Index(i).Interface().(appender).AppendJSON(a.AvailableBuffer()))
	}
	a.WriteString("]\n")
}

// leaveOpen removes the end of the list, so that elements can be added.
func (a *answer) leaveOpen() {
	a.Truncate(a.Len() - len("]\n"))
	a.open = true
}

// sendPiece sends what is encoded, if that is enough for a piece.
func (a *answer) sendPiece() error {
	if a.Len() < pieceSize {
		return nil
	}
	if !a.begun {
		a.w.WriteHeader(a.status)
		a.begun = true
	}
	_, err := a.WriteTo(a.w)
	return err
}

// sendPieces encodes and sends an output that is not a list.
func (a *answer) sendPieces(body pieced) {
	for piece := range body.pieces() {
		a.Write(piece)
		if err := a.sendPiece(); err != nil {
			return // the caller has gone
		}
	}
	a.sendRest()
}

// sendRest sends what is encoded, which may be the whole answer. It leaves the
// end of the answer to net/http, which sends it when the handler has returned.
// Otherwise a caller could send the next request while this one still counts in
// maxInFlight.
func (a *answer) sendRest() {
	if !a.begun {
		a.w.Header().Set("Content-Length", strconv.Itoa(a.Len()))
		a.w.WriteHeader(a.status)
	}
	if a.Len() > keptByHTTP {
		a.w.Write(a.Next(a.Len() - 1)) // an error means that the caller has gone
	}
	a.WriteTo(a.w)
}

// giveBack keeps the memory for another answer, unless that is too much.
func (a *answer) giveBack() {
	if a.Cap() > 8*pieceSize {
		return
	}
	a.Reset()
	a.w, a.begun, a.open = nil, false, false
	answers.Put(a)
}
