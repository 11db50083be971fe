package service

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"iter"
	"strings"
)

// Pages makes the page tokens of lists. A token is signed, so that a client
// cannot make or change one.
type Pages struct {
	key []byte
}

// NewPages returns Pages with a new key.
func NewPages() Pages {
	return Pages{[]byte(rand.Text())}
}

// List is a list that is answered in pages.
type List struct {
	key  []byte
	name string
}

// List returns the list whose name consists of the parts. A token of one list
// is not valid for another list.
func (p Pages) List(parts ...string) List {
	return List{p.key, strings.Join(parts, "\x00")}
}

// Token returns the token of the page after a position. It is "" if the
// position is "": Take returns that position for the last page.
func (l List) Token(position string) string {
	if position == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(l.seal(position), position...))
}

// Position returns the position in a token. It returns false if the token is
// not one of this list. The token "" means the first page.
func (l List) Position(token string) (string, bool) {
	if token == "" {
		return "", true
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) <= sha256.Size {
		return "", false
	}
	position := string(raw[sha256.Size:])
	return position, hmac.Equal(raw[:sha256.Size], l.seal(position))
}

func (l List) seal(position string) []byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(l.name + "\x00" + position))
	return mac.Sum(nil)
}

// Take returns the first entries of a list, n at most. If there are more, it
// also returns the position of the last one taken, otherwise "".
func Take[T any](entries iter.Seq2[string, T], n int) (items []T, position string) {
	items = []T{} // JSON writes [] and not null
	for at, item := range entries {
		if len(items) == n {
			return items, position
		}
		items, position = append(items, item), at
	}
	return items, ""
}
