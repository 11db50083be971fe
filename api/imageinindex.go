package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/ecr"
)

// What a caller is told of the indexes that an image is part of.
const (
	maxNamedIndexes = 3
	maxNamedTags    = 3 // of each
)

// nameIndexes returns the failure of the deletion of an image that is part of an
// index, with words that name the index. If it cannot be found, the words say no
// more than that there is one.
func (t target) nameIndexes(ctx context.Context, digest string, failure error) error {
	var indexes, archived []*ecr.Image
	err := t.loan.read(ctx, func(ctx context.Context) (err error) {
		indexes, archived, err = t.ECR().IndexesWith(ctx, t.repository(), digest)
		return err
	})
	e := new(common.Error)
	errors.As(failure, &e)
	named := *e
	if err != nil {
		named.Cause = fmt.Errorf("the index was not found: %w", err)
	}
	named.Message = "The image " + digest + " is part of " + cmp.Or(indexNames(indexes), "an index that is still there") + ", and cannot be deleted before that."
	if len(archived) > 0 {
		named.Message += " ECR does not tell what an archived index names, and these are archived: " + listOf(archived) + "."
	}
	return &named
}

// indexNames names indexes for a sentence.
func indexNames(indexes []*ecr.Image) string {
	switch len(indexes) {
	case 0:
		return ""
	case 1:
		return "the index " + listOf(indexes)
	default:
		return "the indexes " + listOf(indexes)
	}
}

// listOf lists indexes, each by its digest and its tags. It lists the first ones,
// and says if there are more.
func listOf(indexes []*ecr.Image) string {
	var names []string
	for _, index := range indexes[:min(len(indexes), maxNamedIndexes)] {
		name := index.ImageDigest
		if tags := index.ImageTags; len(tags) > 0 {
			name += " (" + strings.Join(firstTags(tags), ", ") + ")"
		}
		names = append(names, name)
	}
	if len(indexes) > maxNamedIndexes {
		names = append(names, "more")
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// firstTags returns the first tags, and how many more there are.
func firstTags(tags []string) []string {
	if len(tags) <= maxNamedTags {
		return tags
	}
	return append(slices.Clone(tags[:maxNamedTags]), fmt.Sprintf("%d more", len(tags)-maxNamedTags))
}
