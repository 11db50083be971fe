package ecr

import (
	"context"
	"slices"
)

// firstIndexes is how many indexes are read first for the one that names an image.
// A read may count as a pull, so no more are read than needed: then twice as many,
// and so on.
const firstIndexes = 10

// IndexesWith returns indexes of the repository that name the image, not always
// all of them. It looks into those that were pushed last first. If it finds none,
// the image may be part of one that is archived: ECR does not tell what such an
// index names.
func (c *Client) IndexesWith(ctx context.Context, name, digest string) (indexes, archived []*Image, err error) {
	all, err := c.allIndexes(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	for _, index := range all {
		if index.status() == active {
			indexes = append(indexes, index)
		} else {
			archived = append(archived, index)
		}
	}
	for n := firstIndexes; len(indexes) > 0; n = min(2*n, maxIDs) {
		n = min(n, len(indexes))
		found, err := c.naming(ctx, name, indexes[:n], digest)
		if err != nil || found != nil {
			return found, nil, err
		}
		indexes = indexes[n:]
	}
	return nil, archived, nil
}

// naming returns those of at most 100 indexes that name the image.
func (c *Client) naming(ctx context.Context, name string, indexes []*Image, digest string) (found []*Image, err error) {
	digests := make([]string, len(indexes))
	for i, index := range indexes {
		digests[i] = index.ImageDigest
	}
	named := map[string]bool{}
	err = c.eachManifest(ctx, name, digests, func(m manifestOf) error {
		named[m.digest()] = m.names(digest)
		return nil
	})
	for _, index := range indexes {
		if named[index.ImageDigest] {
			found = append(found, index)
		}
	}
	return found, err
}

// allIndexes returns the indexes of the repository, whatever their status. The
// index that was pushed last comes first.
func (c *Client) allIndexes(ctx context.Context, name string) (indexes []*Image, err error) {
	err = c.eachPage(ctx, name, anyStatus, imagePage{detailed: true, keep: (*Image).IsIndex}, func(page *imagePage) error {
		indexes = append(indexes, page.images...)
		return nil
	})
	slices.SortFunc(indexes, newestFirst)
	return indexes, err
}
