package api

import (
	"net/http"
	"regexp"
	"strings"
)

// traceparent matches the header of W3C's Trace Context: version, trace id,
// parent id, flags. Later versions may add parts.
// https://www.w3.org/TR/trace-context/#traceparent-header
var traceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$`)

// traceOf returns the id of the caller's trace. It is empty if the caller sent
// none, or a header that the standard does not allow.
func traceOf(r *http.Request) string {
	headers := r.Header["Traceparent"]
	if len(headers) != 1 {
		return ""
	}
	parts := traceparent.FindStringSubmatch(headers[0])
	if parts == nil {
		return ""
	}
	version, trace, parent, more := parts[1], parts[2], parts[3], parts[4]
	switch {
	case version == "ff", version == "00" && more != "":
		return ""
	case isZero(trace), isZero(parent):
		return ""
	}
	return trace
}

func isZero(id string) bool { return strings.Trim(id, "0") == "" }
