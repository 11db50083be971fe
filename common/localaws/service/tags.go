package service

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Tag is a tag on the wire.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// The characters of tags. Services limit the lengths themselves.
var (
	TagKeyPattern   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)
	TagValuePattern = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

// CheckTagKeys returns an error with the code if a key is AWS's own, or if a key
// is there twice. Case makes no difference, as in all of IAM and STS.
func CheckTagKeys(code string, tags []Tag) error {
	seen := make(map[string]bool)
	for _, t := range tags {
		key := strings.ToLower(t.Key)
		if strings.HasPrefix(key, "aws:") {
			return Errorf(code, "Tag keys beginning with aws: are reserved for system use.")
		}
		if seen[key] {
			return Errorf(code, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[key] = true
	}
	return nil
}

// TagMap returns the values of tags by their keys.
func TagMap(tags []Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[t.Key] = t.Value
	}
	return m
}

// TagList returns the tags in the order of their keys.
func TagList(tags map[string]string) []Tag {
	list := make([]Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, Tag{Key: key, Value: tags[key]})
	}
	return list
}

// AddTags adds tags to the condition keys of a permission. The prefix says
// whose tags they are, such as "aws:ResourceTag/".
func AddTags(context map[string][]string, prefix string, tags map[string]string) {
	for key, value := range tags {
		context[prefix+key] = []string{value}
	}
}

// AddRequestTags adds the tags in a request to the condition keys of a
// permission.
func AddRequestTags(context map[string][]string, tags map[string]string) {
	if len(tags) == 0 {
		return
	}
	AddTags(context, "aws:RequestTag/", tags)
	context["aws:TagKeys"] = slices.Sorted(maps.Keys(tags))
}
