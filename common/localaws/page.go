package localaws

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"iter"
	"strings"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// paging is the input of operations that answer in pages.
type paging struct {
	NextToken  string `json:"nextToken"`
	MaxResults *int   `json:"maxResults"`
}

// check checks the paging of an operation; listed says that the input lists what it wants, which
// excludes paging.
func (p paging) check(listed bool, list string) error {
	if p.MaxResults != nil && (*p.MaxResults < 1 || *p.MaxResults > maxPage) {
		bound := "Member must have value greater than or equal to 1"
		if *p.MaxResults > maxPage {
			bound = "Member must have value less than or equal to 1000"
		}
		return invalidParameter("maxResults", bound)
	}
	if listed && p.MaxResults != nil {
		return invalidParameter("maxResults", "must not be specified together with "+list)
	}
	if listed && p.NextToken != "" {
		return invalidParameter("nextToken", "must not be specified together with "+list)
	}
	return nil
}

func (p paging) size() int {
	if p.MaxResults == nil {
		return defaultPage
	}
	return *p.MaxResults
}

// token returns the nextToken of a list that goes on after the position. It is good for that list
// only.
func (s *Server) token(list, position string) string {
	if position == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(s.seal(list, position), position...))
}

// position returns where the page begins: after it.
func (s *Server) position(list, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) <= sha256.Size {
		return "", errToken()
	}
	position := string(raw[sha256.Size:])
	if !hmac.Equal(raw[:sha256.Size], s.seal(list, position)) {
		return "", errToken()
	}
	return position, nil
}

func errToken() error {
	return invalidParameter("nextToken", "Invalid pagination token")
}

func (s *Server) seal(list, position string) []byte {
	mac := hmac.New(sha256.New, s.pageKey)
	mac.Write([]byte(list + "\x00" + position))
	return mac.Sum(nil)
}

// listName names a list for its tokens.
func listName(parts ...string) string {
	return strings.Join(parts, "\x00")
}

// take returns the first entries of a list and, if there are more, the position of the last one
// taken.
func take[T any](entries iter.Seq2[string, T], most int) (items []T, position string) {
	items = []T{} // an empty page is a list too
	for at, item := range entries {
		if len(items) == most {
			return items, position
		}
		items, position = append(items, item), at
	}
	return items, ""
}
