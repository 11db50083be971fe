// Package openapitest holds answers of the service against its OpenAPI document.
package openapitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// A Document is what the answers of a service have to fit.
type Document struct {
	*openapi3.T
	router routers.Router
	// elsewhere is the operation of all paths and methods that are not in the
	// document: its answers are the document's shared ones.
	elsewhere *openapi3.Operation
}

// Parse reads a document and checks it, its examples included.
func Parse(document []byte) (*Document, error) {
	t, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	if err := t.Validate(context.Background()); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(t)
	if err != nil {
		return nil, err
	}
	d := &Document{T: t, router: router, elsewhere: &openapi3.Operation{Responses: openapi3.NewResponses()}}
	d.elsewhere.Responses.Delete("default")
	for name, status := range map[string]int{"Forbidden": 403, "NotFound": 404, "MethodNotAllowed": 405, "ServiceUnavailable": 503} {
		d.elsewhere.Responses.Set(strconv.Itoa(status), t.Components.Responses[name])
	}
	return d, nil
}

// Check returns how the answer differs from what the document says of the
// request's path and method. It reads the body, and puts it back.
func (d *Document) Check(answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if err := d.check(answer, body); err != nil {
		return fmt.Errorf("%s %s: status %d is not as the OpenAPI document says: %w", answer.Request.Method, answer.Request.URL, answer.StatusCode, err)
	}
	return nil
}

// check takes an answer to HEAD for one to GET without its body.
func (d *Document) check(answer *http.Response, body []byte) error {
	head := answer.Request.Method == http.MethodHead
	request := answer.Request.Clone(context.Background())
	if head {
		request.Method = http.MethodGet
	}
	route := d.route(request)
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: route},
		Status:                 answer.StatusCode,
		Header:                 answer.Header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: head},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), input.SetBodyBytes(body)); err != nil {
		return err
	}
	contentType := answer.Header.Get("Content-Type")
	if head && route.Operation.Responses.Status(answer.StatusCode).Value.Content.Get(contentType) == nil {
		return fmt.Errorf("the content type %q is not in the document", contentType)
	}
	return nil
}

// route finds the operation. Where there is none, the answers are the shared ones.
func (d *Document) route(request *http.Request) *routers.Route {
	route, _, err := d.router.FindRoute(request)
	if err != nil { // no such path, or not that method
		return &routers.Route{Spec: d.T, Operation: d.elsewhere}
	}
	return route
}
