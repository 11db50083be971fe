package ecr

import (
	"context"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
)

const (
	seenSize = 400     // bytes that a seen takes without its tags, with its places in the graph and in the answer
	maxParts = 4 << 20 // of all indexes of a repository
)

// PlanCleanup looks at all images of the repository of that full name, and finds
// out which of them go.
func (c *Client) PlanCleanup(ctx context.Context, name string, by Selector) (*Cleanup, error) {
	plan := newCleanup(name, by)
	err := c.eachImage(ctx, name, plan.add, func(images int) error {
		plan.Calls++
		return takeRoom(ctx, plan.size(images))
	})
	if err != nil {
		return nil, err
	}
	if !plan.complete() {
		return plan, nil
	}
	if err := c.readGraph(ctx, plan); err != nil {
		return nil, err
	}
	plan.decide()
	return plan, nil
}

// size returns about how much memory the images take that were added last.
func (c *Cleanup) size(images int) int64 {
	size := int64(images) * seenSize
	for _, s := range c.images[len(c.images)-images:] {
		for _, tag := range s.tags {
			size += int64(len(tag)) + 32
		}
	}
	return size
}

// eachImage calls each for every image of the repository, whatever its status,
// and endPage after each page.
func (c *Client) eachImage(ctx context.Context, name string, each func(*Image), endPage func(images int) error) error {
	keep := func(i *Image) bool { each(i); return false }
	return c.eachPage(ctx, name, anyStatus, imagePage{detailed: true, keep: keep}, func(page *imagePage) error { return endPage(page.told) })
}

// readGraph reads what the indexes of the repository name.
func (c *Client) readGraph(ctx context.Context, plan *Cleanup) error {
	var indexes []string
	for _, s := range plan.images {
		if s.index {
			indexes = append(indexes, s.digest)
		}
	}
	if len(indexes) == 0 {
		return nil
	}
	plan.Calls++
	var mu sync.Mutex
	total := 0
	return c.eachIndex(ctx, plan.repository, indexes, func(manifest manifestOf) error {
		parts := plan.partsOf(manifest)
		mu.Lock()
		defer mu.Unlock()
		if total += len(parts); total > maxParts {
			return common.Errorf(common.BadRequest, "The indexes of the repository name more than %d images, which is too much for this request. Delete some of the indexes one by one.", maxParts)
		}
		switch i, found := plan.find(manifest.digest()); {
		case !found:
		case manifest.isTold():
			plan.parts[i] = parts
		default:
			plan.untold[i] = true
		}
		return takeRoom(ctx, int64(4*len(parts)))
	})
}

// partsOf returns the places of the images that an index names, as far as they
// are there.
func (g *graph) partsOf(manifest manifestOf) []int32 {
	var digests []string
	for p := range manifest.parts() {
		if p.Digest != manifest.digest() {
			digests = append(digests, p.Digest)
		}
	}
	return g.places(digests)
}
