package localaws

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// protocol is how a service speaks on the wire.
type protocol interface {
	// operation returns the name of the operation that the request asks for.
	operation(r *http.Request, body []byte) (string, error)
	// translate gives an error the code and the status that the protocol has for it.
	translate(e *apiError) *apiError
	// success and failure return the body of an answer.
	success(out any, operation, requestID string) ([]byte, error)
	failure(e *apiError, requestID string) []byte
	contentType() string
}

// guessProtocol returns the protocol to answer in while the service is not known.
func guessProtocol(r *http.Request) protocol {
	if r.Header.Get("X-Amz-Target") != "" {
		return ecrProtocol
	}
	return stsProtocol
}

// jsonProtocol is AWS JSON 1.1: the operation in a header, all else JSON.
type jsonProtocol struct {
	prefix string // of the header X-Amz-Target
}

func (p jsonProtocol) contentType() string { return "application/x-amz-json-1.1" }

func (p jsonProtocol) operation(r *http.Request, _ []byte) (string, error) {
	target := r.Header.Get("X-Amz-Target")
	name, ok := strings.CutPrefix(target, p.prefix)
	if !ok || name == "" {
		return "", fail(codeUnknownAction, "the X-Amz-Target %q is not an operation of this service", target)
	}
	return name, nil
}

func (p jsonProtocol) translate(e *apiError) *apiError {
	t := *e
	if t.status == 0 {
		t.status = http.StatusBadRequest
	}
	return &t
}

func (p jsonProtocol) success(out any, _, _ string) ([]byte, error) {
	return json.Marshal(out)
}

func (p jsonProtocol) failure(e *apiError, _ string) []byte {
	members := map[string]string{"__type": e.code, "message": e.message}
	for name, value := range e.extra {
		members[name] = value
	}
	return mustMarshal(json.Marshal(members))
}

// queryProtocol is AWS Query: a form in, XML out.
type queryProtocol struct {
	version   string
	namespace string
}

func (p queryProtocol) contentType() string { return "text/xml" }

func (p queryProtocol) operation(_ *http.Request, body []byte) (string, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", fail("MalformedQueryString", "%v", err)
	}
	action, version := form.Get("Action"), form.Get("Version")
	switch {
	case action == "":
		return "", fail("MissingAction", "the parameter Action is missing")
	case version != p.version:
		return "", fail(codeUnknownAction, "Could not find operation %s for version %s", action, version)
	}
	return action, nil
}

// queryErrors are the codes for which the query protocol has a name and status of its own.
var queryErrors = map[string]apiError{
	codeAccessDenied:  {code: "AccessDenied", status: http.StatusForbidden},
	codeExpiredToken:  {code: "ExpiredToken", status: http.StatusForbidden},
	codeMissingAuth:   {code: "MissingAuthenticationToken", status: http.StatusForbidden},
	codeUnknownClient: {code: "InvalidClientTokenId", status: http.StatusForbidden},
	codeBadSignature:  {code: "SignatureDoesNotMatch", status: http.StatusForbidden},
	codeIncomplete:    {code: "IncompleteSignature", status: http.StatusBadRequest},
	codeUnknownAction: {code: "InvalidAction", status: http.StatusBadRequest},
	codeServer:        {code: "InternalFailure", status: http.StatusInternalServerError},
}

func (p queryProtocol) translate(e *apiError) *apiError {
	t := *e
	own, ok := queryErrors[e.code]
	ok = ok && !e.literal
	if ok {
		t.code = own.code
	}
	if ok && t.status == 0 {
		t.status = own.status
	}
	if t.status == 0 {
		t.status = http.StatusBadRequest
	}
	return &t
}

func (p queryProtocol) success(out any, operation, requestID string) ([]byte, error) {
	return xml.Marshal(struct {
		XMLName   xml.Name
		Result    any    // names its own element
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}{
		XMLName:   xml.Name{Space: p.namespace, Local: operation + "Response"},
		Result:    out,
		RequestID: requestID,
	})
}

func (p queryProtocol) failure(e *apiError, requestID string) []byte {
	kind := "Sender"
	if e.status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return mustMarshal(xml.Marshal(struct {
		XMLName   xml.Name
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}{
		XMLName:   xml.Name{Space: p.namespace, Local: "ErrorResponse"},
		Type:      kind,
		Code:      e.code,
		Message:   e.message,
		RequestID: requestID,
	}))
}

// mustMarshal is for values that hold nothing but strings: these can always be marshalled.
func mustMarshal(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}
