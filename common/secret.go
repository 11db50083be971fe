package common

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"golang.org/x/crypto/bcrypt"
)

// Secret is a string that does not print.
type Secret string

const redacted = "[redacted]"

// String keeps the secret out of %v and %s.
func (Secret) String() string { return redacted }

// GoString keeps the secret out of %#v.
func (Secret) GoString() string { return redacted }

// MarshalText keeps the secret out of JSON and structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Key is a pre-shared key with the name by which the log knows it.
type Key struct {
	Name   string
	Secret Secret
}

// NewToken returns a new value for the X-Auth-Token header: a bcrypt hash of the
// key, of the least cost that keeps the key safe.
func (k Key) NewToken() (string, error) {
	token, err := bcrypt.GenerateFromPassword([]byte(k.Secret), bcrypt.DefaultCost)
	return string(token), err
}

// Keys are pre-shared keys in the order of the configuration. In JSON they are
// an object of named strings, or one string, whose name is then "default".
type Keys []Key

// UnmarshalJSON keeps the order, and refuses the same name twice.
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
		name, err := d.Token() // the decoder has checked that it is a string
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
