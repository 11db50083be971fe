package iam

import (
	"maps"
	"slices"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// list is a list in an answer. It has an element also if it is empty.
type list[T any] struct {
	Members []T `xml:"member"`
}

// pageEnd says whether another page comes after this one.
type pageEnd struct {
	IsTruncated bool   `xml:"IsTruncated"`
	Marker      string `xml:"Marker,omitempty"`
}

// page returns the page of a list that a call asks for. The items are in the
// order of their keys.
func page[T any](s *Store, c *service.Request, in input, items map[string]T) (list[T], pageEnd, error) {
	pages := s.pages.List(c.Operation, c.Account, fold(in.user(c)), in.Get(pathPrefix.name))
	after, ok := pages.Position(in.Get(marker.name))
	if !ok {
		return list[T]{}, pageEnd{}, service.Errorf(codeParameter, "Invalid Marker.")
	}
	rest := func(yield func(string, T) bool) {
		for _, key := range slices.Sorted(maps.Keys(items)) {
			if key > after && !yield(key, items[key]) {
				return
			}
		}
	}
	taken, position := service.Take(rest, in.size())
	return list[T]{taken}, pageEnd{IsTruncated: position != "", Marker: pages.Token(position)}, nil
}
