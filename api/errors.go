package api

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
)

const statusClientClosed = 499 // as nginx logs it; the caller has gone and does not read it

// statuses maps each Code to a status. No other place chooses the status of an
// error.
var statuses = map[common.Code]int{
	common.BadRequest:       http.StatusBadRequest,
	common.Forbidden:        http.StatusForbidden,
	common.NotFound:         http.StatusNotFound,
	common.MethodNotAllowed: http.StatusMethodNotAllowed,
	common.Conflict:         http.StatusConflict,
	common.TooLarge:         http.StatusRequestEntityTooLarge,
	common.Throttled:        http.StatusTooManyRequests,
	common.Timeout:          http.StatusGatewayTimeout,
	common.Canceled:         statusClientClosed,
	common.Unavailable:      http.StatusServiceUnavailable,
	common.Internal:         http.StatusInternalServerError,
}

// retryAfter is how many seconds a caller is told to wait.
var retryAfter = map[common.Code]string{
	common.Throttled:   "5",
	common.Unavailable: "1",
}

// problem is the body of every error, as in RFC 9457.
type problem struct {
	Type         string `json:"type"`
	Title        string `json:"title"`
	Status       int    `json:"status"`
	Detail       string `json:"detail"`
	RequestID    string `json:"requestId"`
	AWSCode      string `json:"awsCode,omitempty"`
	AWSRequestID string `json:"awsRequestId,omitempty"`

	// Of a failed change: see common.Error.
	Applied []string `json:"applied,omitempty"`
	Unknown []string `json:"unknown,omitempty"`
}

// writeError answers with a problem document, and keeps the whole error for the
// log. An error that is not a common.Error is an internal error.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	record := recordOf(r)
	record.err = err
	e := &common.Error{Code: common.Internal}
	errors.As(err, &e)
	status, ok := statuses[e.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	p := problem{
		Type:         "about:blank",
		Title:        title(status),
		Status:       status,
		Detail:       detail(status, e),
		RequestID:    record.id,
		AWSCode:      e.AWSCode,
		AWSRequestID: e.AWSRequestID,
		Applied:      e.Applied,
		Unknown:      e.Unknown,
	}
	if seconds, ok := retryAfter[e.Code]; ok {
		w.Header().Set("Retry-After", seconds)
	}
	writeJSON(w, "application/problem+json", status, p)
}

func title(status int) string {
	if status == statusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// detail returns the sentences for the caller. They say what a failed change
// has done. They do not say what went wrong inside the service, because the
// caller cannot repair that.
func detail(status int, e *common.Error) string {
	said := e.Message
	switch {
	case status == http.StatusInternalServerError:
		said = "internal error: quote the requestId to whoever runs this service"
	case said == "": // AWS gave a code and no message
		said = title(status)
	}
	outcome := outcomeText(e)
	if outcome == "" {
		return said
	}
	return strings.TrimSuffix(said, ".") + ". " + outcome
}

// outcomeText says in sentences which parts of a change are done or may be
// done.
func outcomeText(e *common.Error) string {
	var sentences []string
	if len(e.Applied) > 0 {
		sentences = append(sentences, "Done all the same: "+strings.Join(e.Applied, ", ")+".")
	}
	if len(e.Unknown) > 0 {
		sentences = append(sentences, "It is not known whether this was done: "+strings.Join(e.Unknown, ", ")+".")
	}
	switch {
	case sentences != nil:
		sentences = append(sentences, "Look at the repository, or "+nextRequest(e.Code)+".")
	case e.Code == common.Timeout:
		sentences = append(sentences, "Nothing was changed.")
	}
	return strings.Join(sentences, " ")
}

// nextRequest says which request completes a change. AWS would refuse a bad one
// again.
func nextRequest(code common.Code) string {
	if code == common.BadRequest {
		return "correct the request and send it again"
	}
	return "send the same request again"
}

// errNotFound is the answer for a path that does not exist.
var errNotFound = common.Errorf(common.NotFound, "There is nothing at this path. The README lists the endpoints.")

func notFound(w http.ResponseWriter, r *http.Request) { writeError(w, r, errNotFound) }

// methodNotAllowed answers a method that a path does not have (RFC 9110,
// 15.5.6).
func methodNotAllowed(handlers map[string]http.Handler) http.Handler {
	allow := strings.Join(slices.Sorted(maps.Keys(handlers)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		writeError(w, r, common.Errorf(common.MethodNotAllowed, "This path answers %s.", allow))
	})
}
