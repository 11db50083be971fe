package service

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
)

// Query is the protocol AWS Query: a call is a form, and its answer is XML.
type Query struct {
	Version   string // of the service, such as "2011-06-15"
	Namespace string // of the XML
	// Statuses are the HTTP statuses of the service's own codes. One that is
	// missing is 400.
	Statuses map[string]int
}

func (p Query) maySpeak(r *http.Request) bool { return r.Header.Get(targetHeader) == "" }

func (p Query) contentType() string { return "text/xml" }

// ParseForm reads the form that is the body of a call.
func ParseForm(body []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, Errorf("MalformedQueryString", "%v", err)
	}
	return form, nil
}

// FormTags returns the tags in a form.
func FormTags(form url.Values) (tags []Tag) {
	for n := 1; form.Has(Member("Tags", n) + ".Key"); n++ {
		tag := Member("Tags", n)
		tags = append(tags, Tag{Key: form.Get(tag + ".Key"), Value: form.Get(tag + ".Value")})
	}
	return tags
}

// Member returns the name of the parameter that is the nth of a list.
func Member(list string, n int) string {
	return list + ".member." + strconv.Itoa(n)
}

func (p Query) operation(_ *http.Request, body []byte) (string, error) {
	form, err := ParseForm(body)
	if err != nil {
		return "", err
	}
	action, version := form.Get("Action"), form.Get("Version")
	switch {
	case action == "":
		return "", Errorf("MissingAction", "the parameter Action is missing")
	case version != p.Version:
		return "", Errorf(codeUnknownAction, "Could not find operation %s for version %s", action, version)
	}
	return action, nil
}

// queryErrors are the codes that have another name in this protocol, with their
// statuses.
var queryErrors = map[string]Error{
	codeAccessDenied:  {Code: "AccessDenied", Status: http.StatusForbidden},
	codeExpiredToken:  {Code: "ExpiredToken", Status: http.StatusForbidden},
	codeMissingAuth:   {Code: "MissingAuthenticationToken", Status: http.StatusForbidden},
	codeUnknownClient: {Code: "InvalidClientTokenId", Status: http.StatusForbidden},
	codeBadSignature:  {Code: "SignatureDoesNotMatch", Status: http.StatusForbidden},
	codeIncomplete:    {Code: "IncompleteSignature", Status: http.StatusBadRequest},
	codeUnknownAction: {Code: "InvalidAction", Status: http.StatusBadRequest},
	codeServer:        {Code: "InternalFailure", Status: http.StatusInternalServerError},
}

func (p Query) translate(e *Error) *Error {
	translated := *e
	own, found := queryErrors[e.Code]
	if found && !e.Literal {
		translated.Code = own.Code
		if e.Status == 0 {
			translated.Status = own.Status
		}
	}
	if translated.Status == 0 && !e.Literal {
		translated.Status = p.Statuses[e.Code]
	}
	if translated.Status == 0 {
		translated.Status = http.StatusBadRequest
	}
	return &translated
}

// success returns the answer. An operation without output, nil, has no element
// for its result.
func (p Query) success(out any, operation, requestID string) ([]byte, error) {
	return xml.Marshal(struct {
		XMLName   xml.Name
		Result    any    // its type names the element
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}{
		XMLName:   xml.Name{Space: p.Namespace, Local: operation + "Response"},
		Result:    out,
		RequestID: requestID,
	})
}

func (p Query) failure(e *Error, requestID string) []byte {
	kind := "Sender"
	if e.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	return mustMarshal(xml.Marshal(struct {
		XMLName   xml.Name
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}{
		XMLName:   xml.Name{Space: p.Namespace, Local: "ErrorResponse"},
		Type:      kind,
		Code:      e.Code,
		Message:   e.Message,
		RequestID: requestID,
	}))
}
