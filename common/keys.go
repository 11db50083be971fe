package common

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	maxKeyBytes = 72 // bcrypt ignores the rest
	maxKeys     = 8
)

// Key is a pre-shared key, and its name in the log.
type Key struct {
	Name   string
	Secret Secret
	Limits *Limits // nil: the key is good for everything
}

// path is the name of the key in the configuration.
func (k Key) path() string {
	switch {
	case k.Limits != nil:
		return "token." + k.Name + ".key"
	case k.Name == "default":
		return "token"
	default:
		return "token." + k.Name
	}
}

// NewToken returns a new value for the X-Auth-Token header: a hash of the key,
// with bcrypt's default cost.
func (k Key) NewToken() (string, error) {
	token, err := bcrypt.GenerateFromPassword([]byte(k.Secret), bcrypt.DefaultCost)
	return string(token), err
}

// Keys are pre-shared keys in the order of the configuration. In JSON they are
// an object that has for each name a string, or an object with the key and its
// limits. A single string gets the name "default".
type Keys []Key

// named returns the key of that name.
func (k Keys) named(name string) (Key, bool) {
	i := slices.IndexFunc(k, func(key Key) bool { return key.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return k[i], true
}

// PrintToken writes a NewToken of the key of that name, or of the first key
// without one. It only warns if the key has expired, because the service may run
// by another clock.
func (k Keys) PrintToken(out, warnings io.Writer, name ...string) error {
	key := k[0]
	if len(name) > 0 {
		var ok bool
		if key, ok = k.named(name[0]); !ok {
			return fmt.Errorf("token in the configuration has no key %q: it has %s", name[0], k.names())
		}
	}
	if l := key.Limits; l != nil && l.Expired(time.Now()) {
		fmt.Fprintf(warnings, "warning: the key %s was good until %s: the service refuses this token\n", key.Name, l.NotAfter.Format(time.RFC3339))
	}
	token, err := key.NewToken()
	if err == nil {
		_, err = fmt.Fprintln(out, token)
	}
	return err
}

func (k Keys) names() string {
	names := make([]string, len(k))
	for i, key := range k {
		names[i] = key.Name
	}
	return strings.Join(names, ", ")
}

// decode returns the keys of the configuration that it cannot decode. The
// document is nil if it is absent.
func (k *Keys) decode(document json.RawMessage) badKeys {
	if document == nil {
		return nil
	}
	var one string
	if err := json.Unmarshal(document, &one); err == nil {
		if one != "" {
			*k = Keys{{Name: "default", Secret: Secret(one)}}
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(document))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return badKeys{{key: "token", reason: "must be a string, or an object with a key for each name"}}
	}
	var bad badKeys
	for d.More() {
		name, _ := d.Token() // a string: decodeObject has checked the syntax
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return badKeys{{key: "token", reason: "must be JSON"}}
		}
		bad = append(bad, k.add(name.(string), value)...)
	}
	return bad
}

// add decodes a key and adds it.
func (k *Keys) add(name string, document json.RawMessage) (bad badKeys) {
	key := Key{Name: name}
	if alias.MatchString(name) { // otherwise check says so, and nobody prints the name: it may be the key itself
		if _, twice := k.named(name); twice {
			return badKeys{{key: "token." + name, reason: givenTwice}}
		}
		bad = key.decode(document)
	}
	*k = append(*k, key)
	return bad
}

// decode returns the keys of the configuration that it cannot decode.
func (k *Key) decode(document json.RawMessage) badKeys {
	if bytes.HasPrefix(document, []byte("{")) {
		k.Limits = &Limits{}
		return k.Limits.decode("token."+k.Name+".", document, (*string)(&k.Secret))
	}
	if err := json.Unmarshal(document, (*string)(&k.Secret)); err != nil {
		return badKeys{{key: k.path(), reason: "must be a string, or an object with the key and its limits"}}
	}
	return nil
}

func (c *Config) checkToken(check *checker) {
	check.require("token", len(c.Token) > 0, "is missing")
	check.require("token", len(c.Token) <= maxKeys, fmt.Sprintf("has more than %d keys: a wrong token is compared with each of them", maxKeys))
	for i, k := range c.Token {
		key := k.path()
		if !alias.MatchString(k.Name) { // the message leaves the name out: it may be the key itself
			check.require("token", false, "has a key with a bad name (1 to 64 letters, digits and . _ -)")
			continue
		}
		check.require(key, k.Secret != "", "is missing")
		check.require(key, len(k.Secret) <= maxKeyBytes, fmt.Sprintf("is over %d bytes: bcrypt ignores the rest", maxKeyBytes))
		check.require(key, !strings.Contains(string(k.Secret), "\x00"), "holds a NUL byte, which bcrypt cannot compare")
		if same := slices.IndexFunc(c.Token[:i], k.contradicts); same >= 0 {
			check.require(key, false, "is the same as "+c.Token[same].path()+": a token would be of both, and their limits may differ")
		}
		c.checkKeyLimits(k, check)
	}
	check.require("maxTokenCost", c.MaxTokenCost >= minCost && c.MaxTokenCost <= maxCost, fmt.Sprintf("must be %d to %d", minCost, maxCost))
}

// contradicts tells whether a token would be of both keys although one of them
// has limits.
func (k Key) contradicts(other Key) bool {
	return k.Secret == other.Secret && k.Secret != "" && (k.Limits != nil || other.Limits != nil)
}
