package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// bodySchemas are the schemas of bodies. Each is compiled once. openapi3filter would
// compile it for each answer, which takes most of the time of a check.
type bodySchemas struct {
	components any // the document's, as JSON

	mu       *sync.Mutex
	compiled map[*openapi3.Schema]*jsonschema.Schema
}

func newBodySchemas(t *openapi3.T) (bodySchemas, error) {
	components, err := asJSON(t.Components)
	return bodySchemas{components: components, mu: new(sync.Mutex), compiled: map[*openapi3.Schema]*jsonschema.Schema{}}, err
}

// check returns an error if the body does not match the schema.
func (b bodySchemas) check(ref *openapi3.SchemaRef, contentType string, body []byte) error {
	schema, err := b.of(ref)
	if err != nil {
		return err
	}
	var value any = string(body)
	if strings.Contains(contentType, "json") {
		if value, err = jsonschema.UnmarshalJSON(bytes.NewReader(body)); err != nil {
			return fmt.Errorf("the body is not JSON: %w", err)
		}
	}
	return schema.Validate(value)
}

// of returns the compiled schema.
func (b bodySchemas) of(ref *openapi3.SchemaRef) (*jsonschema.Schema, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if schema := b.compiled[ref.Value]; schema != nil {
		return schema, nil
	}
	schema, err := b.compile(ref)
	b.compiled[ref.Value] = schema
	return schema, err
}

// compile compiles a schema of the document. Its references are to the components.
func (b bodySchemas) compile(ref *openapi3.SchemaRef) (*jsonschema.Schema, error) {
	schema, err := asJSON(ref)
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	const url = "https://example.com/openapi.json"
	if err := compiler.AddResource(url, map[string]any{"components": b.components, "schema": schema}); err != nil {
		return nil, err
	}
	return compiler.Compile(url + "#/schema")
}

// asJSON returns a part of the document as its JSON, decoded.
func asJSON(part any) (any, error) {
	text, err := json.Marshal(part)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}
