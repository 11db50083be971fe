// Package openapi checks answers of the service against its OpenAPI document.
package openapi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Document is an OpenAPI document that answers can be checked against.
type Document struct {
	*openapi3.T
	router routers.Router
	// unmatched is the operation for all paths and methods that are not in the
	// document. Its responses are those that the document has for all
	// operations.
	unmatched *openapi3.Operation
	bodies    bodySchemas
}

// Parse reads a document. It returns an error if the document or one of its
// examples is not valid.
func Parse(document []byte) (*Document, error) {
	t, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	if err := t.Validate(context.Background()); err != nil {
		return nil, err
	}
	if err := closeObjects(t); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(t)
	if err != nil {
		return nil, err
	}
	bodies, err := newBodySchemas(t)
	if err != nil {
		return nil, err
	}
	d := &Document{T: t, router: router, unmatched: &openapi3.Operation{Responses: openapi3.NewResponses()}, bodies: bodies}
	d.unmatched.Responses.Delete("default")
	for name, status := range map[string]int{"Forbidden": 403, "NotFound": 404, "HeaderTooLarge": 431, "ServiceUnavailable": 503} {
		d.unmatched.Responses.Set(strconv.Itoa(status), t.Components.Responses[name])
	}
	d.unmatched.Responses.Set("405", methodNotAllowed(t))
	return d, nil
}

// closeObjects lets objects have only the properties in the document. The
// document lets answers have more, so that a client accepts what a later version
// adds. This version must not answer what the document does not have. A schema
// without a type is a condition on some properties of an object. A document of
// AWS's is open by itself, since what is new in it is shown.
func closeObjects(t *openapi3.T) error {
	return t.WalkSchemas(func(_ string, s *openapi3.SchemaRef) error {
		open := s.Value.AdditionalProperties.Has
		if len(s.Value.Properties) > 0 && s.Value.Type != nil && (open == nil || !*open) {
			s.Value.AdditionalProperties = openapi3.BoolSchema{Has: new(bool)}
		}
		return nil
	})
}

// methodNotAllowed returns the answer to a method that a path does not have. No
// operation has it, so the document says it in words. It is a problem with the
// header Allow.
func methodNotAllowed(t *openapi3.T) *openapi3.ResponseRef {
	answer := *t.Components.Responses["NotFound"].Value
	answer.Headers = maps.Clone(answer.Headers)
	answer.Headers["Allow"] = &openapi3.HeaderRef{Value: &openapi3.Header{Parameter: openapi3.Parameter{
		Required: true,
		Schema:   openapi3.NewStringSchema().WithPattern("^[A-Z]+(, [A-Z]+)*$").NewRef(),
	}}}
	return &openapi3.ResponseRef{Value: &answer}
}

// Check returns an error if the answer differs from what the document says
// about the path and the method of its request. The body can still be read
// afterwards.
func (d *Document) Check(answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if err := d.check(answer, body); err != nil {
		return fmt.Errorf("%s %s: status %d: the answer differs from the OpenAPI document: %w", answer.Request.Method, answer.Request.URL, answer.StatusCode, err)
	}
	return nil
}

// check compares an answer to HEAD with the answer to GET, without the body.
func (d *Document) check(answer *http.Response, body []byte) error {
	request := answer.Request.Clone(context.Background())
	if request.Method == http.MethodHead {
		request.Method = http.MethodGet
	}
	route := d.route(request)
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: route},
		Status:                 answer.StatusCode,
		Header:                 answer.Header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: true},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		return err
	}
	contentType := answer.Header.Get("Content-Type")
	response := responseOf(route.Operation, answer.StatusCode)
	if response == nil { // ValidateResponse lets some redirects pass
		return fmt.Errorf("the status %d is not in the document", answer.StatusCode)
	}
	content := response.Content
	described := content.Get(contentType)
	switch {
	case len(content) > 0 && described == nil:
		return fmt.Errorf("the content type %q is not in the document", contentType)
	case answer.Request.Method == http.MethodHead || described == nil || described.Schema == nil:
		return nil
	}
	return d.bodies.check(described.Schema, contentType, body)
}

// responseOf returns what the operation says about a status, or nil.
func responseOf(o *openapi3.Operation, status int) *openapi3.Response {
	for _, r := range []*openapi3.ResponseRef{o.Responses.Status(status), o.Responses.Default()} {
		if r != nil {
			return r.Value
		}
	}
	return nil
}

// route returns the operation of a request, or unmatched if there is none.
func (d *Document) route(request *http.Request) *routers.Route {
	route, _, err := d.router.FindRoute(request)
	if err != nil { // the document does not have the path or the method
		return &routers.Route{Spec: d.T, Operation: d.unmatched}
	}
	return route
}
