package common

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/crypto/bcrypt"
)

// Secret is a string that is not printed.
type Secret string

const redacted = "[redacted]"

// String keeps the secret out of %v and %s.
func (Secret) String() string { return redacted }

// GoString keeps the secret out of %#v.
func (Secret) GoString() string { return redacted }

// MarshalText keeps the secret out of JSON and structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Unprintable is embedded in a struct that has secrets. It keeps them out of %v
// and its relatives.
type Unprintable struct{}

// Format implements fmt.Formatter.
func (Unprintable) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// Key is a pre-shared key, and its name in the log.
type Key struct {
	Name   string
	Secret Secret
}

// path is the name of the key in the configuration.
func (k Key) path() string {
	if k.Name == "default" {
		return "token"
	}
	return "token." + k.Name
}

// NewToken returns a new value for the X-Auth-Token header: a hash of the key,
// with bcrypt's default cost.
func (k Key) NewToken() (string, error) {
	token, err := bcrypt.GenerateFromPassword([]byte(k.Secret), bcrypt.DefaultCost)
	return string(token), err
}

// PrintToken writes a NewToken.
func (k Key) PrintToken(w io.Writer) error {
	token, err := k.NewToken()
	if err == nil {
		_, err = fmt.Fprintln(w, token)
	}
	return err
}

// Keys are pre-shared keys in the order of the configuration. In JSON they are
// an object with a string for each name. A single string gets the name
// "default".
type Keys []Key

// UnmarshalJSON keeps the order of the keys. A name that is given twice is an
// error.
func (k *Keys) UnmarshalJSON(text []byte) error {
	*k = nil
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		if one != "" {
			*k = Keys{{Name: "default", Secret: Secret(one)}}
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return errors.New("neither a string nor an object")
	}
	for d.More() {
		name, err := d.Token() // a string: encoding/json has checked the syntax
		if err != nil {
			return err
		}
		key := Key{Name: name.(string)}
		if err := d.Decode((*string)(&key.Secret)); err != nil {
			return err
		}
		if slices.ContainsFunc(*k, func(other Key) bool { return other.Name == key.Name }) {
			return errors.New("the same name twice")
		}
		*k = append(*k, key)
	}
	return nil
}
