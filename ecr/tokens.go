package ecr

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions in this file read a value of an answer, token by token. A null
// leaves the result empty.

// readObject calls member for each member of an object, with the name in
// quotes. The name is good until the next token. member must read the value.
func readObject(d *jsontext.Decoder, member func(name []byte) error) error {
	return readAll(d, '{', func() error {
		name, err := d.ReadValue()
		if err != nil {
			return err
		}
		return member(name)
	})
}

// readArray calls item for each item of an array. item must read it.
func readArray(d *jsontext.Decoder, item func() error) error { return readAll(d, '[', item) }

func readAll(d *jsontext.Decoder, kind jsontext.Kind, next func() error) error {
	token, err := readToken(d, kind)
	if err != nil || token.Kind() == 'n' {
		return err
	}
	for more := d.PeekKind(); more != '}' && more != ']'; more = d.PeekKind() {
		if err := next(); err != nil {
			return err
		}
	}
	_, err = d.ReadToken()
	return err
}

// readToken reads a token, which must be of that kind or a null.
func readToken(d *jsontext.Decoder, kind jsontext.Kind) (jsontext.Token, error) {
	token, err := d.ReadToken()
	if err == nil && token.Kind() != kind && token.Kind() != 'n' {
		err = fmt.Errorf("%s where %s is expected", token.Kind(), kind)
	}
	return token, err
}

func readString(d *jsontext.Decoder) (string, error) {
	token, err := readToken(d, '"')
	if err != nil || token.Kind() == 'n' {
		return "", err
	}
	return token.String(), nil
}

func readStrings(d *jsontext.Decoder) ([]string, error) {
	list := []string{}
	err := readArray(d, func() error {
		s, err := readString(d)
		list = append(list, s)
		return err
	})
	return list, err
}

func readNumber(d *jsontext.Decoder) (float64, error) {
	token, err := readToken(d, '0')
	if err != nil || token.Kind() == 'n' {
		return 0, err
	}
	return token.Float()
}

// readOptional returns nil for a null.
func readOptional[T any](d *jsontext.Decoder, memory *chunk[T], read func(*jsontext.Decoder, *T) error) (*T, error) {
	if d.PeekKind() == 'n' {
		return nil, d.SkipValue()
	}
	value := memory.next()
	return value, read(d, value)
}
