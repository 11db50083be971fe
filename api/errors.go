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
	common.BadRequest:         http.StatusBadRequest,
	common.TokenMissing:       http.StatusForbidden,
	common.TokenRefused:       http.StatusForbidden,
	common.KeyLimited:         http.StatusForbidden,
	common.RoleRefused:        http.StatusForbidden,
	common.DeniedByAWS:        http.StatusForbidden,
	common.OtherOrg:           http.StatusForbidden,
	common.PathUnknown:        http.StatusNotFound,
	common.AccountUnknown:     http.StatusNotFound,
	common.RepositoryNotFound: http.StatusNotFound,
	common.ImageNotFound:      http.StatusNotFound,
	common.LifecycleNotFound:  http.StatusNotFound,
	common.PreviewNotFound:    http.StatusNotFound,
	common.UsersOff:           http.StatusNotFound,
	common.UserNotFound:       http.StatusNotFound,
	common.AccessKeyNotFound:  http.StatusNotFound,
	common.MethodNotAllowed:   http.StatusMethodNotAllowed,
	common.RepositoryExists:   http.StatusConflict,
	common.RepositoryNotEmpty: http.StatusConflict,
	common.ImageInIndex:       http.StatusConflict,
	common.TagMoved:           http.StatusConflict,
	common.ImageIsIndex:       http.StatusConflict,
	common.ScannedByRegistry:  http.StatusConflict,
	common.PreviewUnderWay:    http.StatusConflict,
	common.SharingChanged:     http.StatusConflict,
	common.PrincipalGone:      http.StatusConflict,
	common.UserExists:         http.StatusConflict,
	common.UserConflict:       http.StatusConflict,
	common.TwoAccessKeys:      http.StatusConflict,
	common.BodyTooLarge:       http.StatusRequestEntityTooLarge,
	common.Throttled:          http.StatusTooManyRequests,
	common.QuotaReached:       http.StatusTooManyRequests,
	common.Canceled:           statusClientClosed,
	common.Internal:           http.StatusInternalServerError,
	common.TooManyRequests:    http.StatusServiceUnavailable,
	common.TooManyTokens:      http.StatusServiceUnavailable,
	common.Stopping:           http.StatusServiceUnavailable,
	common.CannotLog:          http.StatusServiceUnavailable,
	common.Timeout:            http.StatusGatewayTimeout,
}

// retryAfter is how many seconds a caller is told to wait. A quota stays reached
// until somebody does something about it.
var retryAfter = map[common.Code]string{
	common.Throttled:       "5",
	common.TooManyRequests: "1",
	common.TooManyTokens:   "1",
	common.Stopping:        "1",
	common.CannotLog:       "1",
}

// maxDetail is how many characters an error may tell a caller. What a caller
// has sent may be in it.
const maxDetail = 1000

// problem is the body of every error, as in RFC 9457.
type problem struct {
	Type         string      `json:"type"`
	Title        string      `json:"title"`
	Status       int         `json:"status"`
	Detail       string      `json:"detail"`
	Code         common.Code `json:"code"`
	RequestID    string      `json:"requestId"`
	AWSCode      string      `json:"awsCode,omitempty"`
	AWSRequestID string      `json:"awsRequestId,omitempty"`

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
	if _, ok := statuses[e.Code]; !ok {
		e = &common.Error{Code: common.Internal}
	}
	record.problem = e.Code
	status := statuses[e.Code]
	p := problem{
		Type:         "about:blank",
		Title:        title(status),
		Status:       status,
		Detail:       detail(r, status, e),
		Code:         e.Code,
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
func detail(r *http.Request, status int, e *common.Error) string {
	said := common.Clip(e.Message, maxDetail)
	switch {
	case status == http.StatusInternalServerError:
		said = "internal error: quote the requestId to whoever runs this service"
	case said == "": // AWS gave a code and no message
		said = title(status)
	}
	outcome := outcomeText(r, e)
	if outcome == "" {
		return said
	}
	return strings.TrimSuffix(said, ".") + ". " + outcome
}

// outcomeText says in sentences which parts of a change are done or may be
// done.
func outcomeText(r *http.Request, e *common.Error) string {
	var sentences []string
	if len(e.Applied) > 0 {
		sentences = append(sentences, "Done all the same: "+strings.Join(e.Applied, ", ")+".")
	}
	if len(e.Unknown) > 0 {
		sentences = append(sentences, "It is not known whether this was done: "+strings.Join(e.Unknown, ", ")+".")
	}
	switch {
	case sentences != nil && e.Advice != "":
		sentences = append(sentences, e.Advice)
	case sentences != nil:
		sentences = append(sentences, "Look at the repository, or "+nextRequest(e.Code)+".")
	case e.Code == common.Timeout && recordOf(r).changes:
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
var errNotFound = common.Errorf(common.PathUnknown, "There is nothing at this path. The README lists the endpoints.")

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
