package common

import (
	"slices"
	"strings"
)

// A Tag is a tag of a repository or a user.
type Tag struct {
	Key   string
	Value string
}

// SortTags sorts the tags by key, in place. AWS returns them in no particular
// order.
func SortTags(tags []Tag) []Tag {
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

// MergeTags returns the tags that something has after an update, sorted by
// key. If both lists have a key, the tag is the one in more.
func MergeTags(present, more []Tag) []Tag {
	merged := slices.Clone(more)
	for _, t := range present {
		if !slices.ContainsFunc(more, func(m Tag) bool { return m.Key == t.Key }) {
			merged = append(merged, t)
		}
	}
	return SortTags(merged)
}
