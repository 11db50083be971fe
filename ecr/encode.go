package ecr

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws/request"
)

// sdkEncoder is the name of the SDK's own handler that writes requests.
const sdkEncoder = "awssdk.jsonrpc.Build"

// replaceEncoder makes the client write its requests with encode. The SDK's own
// handler reads the tags of each field anew for each request.
func replaceEncoder(h *request.Handlers) {
	if !h.Build.Swap(sdkEncoder, request.NamedHandler{Name: "ecr-api.Encode", Fn: encode}) {
		panic("ecr: the SDK has no handler " + sdkEncoder)
	}
}

const usualInput = 256 // bytes

// encode is a handler of the SDK. It writes the input of a call into the
// request (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html).
func encode(r *request.Request) {
	input := reflect.ValueOf(r.Params)
	r.SetBufferBody(encoderOf(input.Type())(make([]byte, 0, usualInput), input))
	r.HTTPRequest.Header.Set("Content-Type", "application/x-amz-json-"+r.ClientInfo.JSONVersion)
	r.HTTPRequest.Header.Set("X-Amz-Target", r.ClientInfo.TargetPrefix+"."+r.Operation.Name)
}

// An encoder appends a value in JSON.
type encoder func([]byte, reflect.Value) []byte

var encoders sync.Map // of an encoder, by reflect.Type

// encoderOf returns the encoder of an input. It panics if a field has a type
// that no input of this package needs.
func encoderOf(t reflect.Type) encoder {
	if known, ok := encoders.Load(t); ok {
		return known.(encoder)
	}
	e := newEncoder(t)
	encoders.Store(t, e)
	return e
}

func newEncoder(t reflect.Type) encoder {
	switch t.Kind() {
	case reflect.Pointer:
		element := newEncoder(t.Elem())
		return func(b []byte, v reflect.Value) []byte { return element(b, v.Elem()) }
	case reflect.Struct:
		return structEncoder(t)
	case reflect.Slice:
		return listEncoder(newEncoder(t.Elem()))
	case reflect.String:
		return func(b []byte, v reflect.Value) []byte { return common.AppendJSONString(b, v.String()) }
	case reflect.Bool:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendBool(b, v.Bool()) }
	case reflect.Int64:
		return func(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }
	default:
		panic(fmt.Sprintf("ecr: an input has a %s, which cannot be encoded", t))
	}
}

// structEncoder writes the fields that are set. Their names are in the SDK's
// tag locationName.
func structEncoder(t reflect.Type) encoder {
	type member struct {
		prefix string // `,"name":`
		index  int
		encode encoder
	}
	var members []member
	for field := range t.Fields() {
		if field.IsExported() {
			name := cmp.Or(field.Tag.Get("locationName"), field.Name)
			members = append(members, member{`,"` + name + `":`, field.Index[0], newEncoder(field.Type)})
		}
	}
	return func(b []byte, v reflect.Value) []byte {
		start := len(b)
		for _, m := range members {
			if field := v.Field(m.index); !field.IsZero() {
				b = m.encode(append(b, m.prefix...), field)
			}
		}
		if len(b) == start {
			return append(b, "{}"...)
		}
		b[start] = '{' // was a comma
		return append(b, '}')
	}
}

func listEncoder(item encoder) encoder {
	return func(b []byte, v reflect.Value) []byte {
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = item(b, v.Index(i))
		}
		return append(b, ']')
	}
}
