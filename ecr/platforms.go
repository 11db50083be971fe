package ecr

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"golang.org/x/sync/errgroup"
)

// A PlatformImage is an image that an index names for a platform. A nil field is
// null in JSON, and means that it is not known.
type PlatformImage struct {
	ImageDigest      string
	OS               *string `json:"Os"`
	Architecture     *string
	Variant          *string
	ImageSizeInBytes *int64 // nil also if the image is missing
}

// Platforms returns the images of the index with that digest that run on a
// platform, in the index's order. They are nil if ECR does not tell them, as of an
// index that is archived.
func (c *Client) Platforms(ctx context.Context, name, digest string) ([]PlatformImage, error) {
	indexes, err := c.Indexes(ctx, name, []string{digest})
	if err != nil {
		return nil, err
	}
	parts, there := indexes[digest]
	if !there { // it was, when it was described
		return nil, common.Errorf(common.ImageNotFound, "The image %s does not exist any more.", digest)
	}
	if parts == nil {
		return nil, nil
	}
	parts = slices.DeleteFunc(parts, func(p Part) bool { return !p.runs() })
	sizes, err := c.sizes(ctx, name, parts)
	if err != nil {
		return nil, err
	}
	images := make([]PlatformImage, len(parts))
	for i, p := range parts {
		on := p.Platform
		images[i] = PlatformImage{p.Digest, known(on.OS), known(on.Architecture), known(on.Variant), sizes[p.Digest]}
	}
	return images, nil
}

// runs tells whether the part runs on a platform. An index that says which
// signatures and the like an image has gives them a type, and no platform.
func (p Part) runs() bool {
	unknown := p.Platform.OS == "unknown" && p.Platform.Architecture == "unknown"
	artifact := p.ArtifactType != "" && p.Platform == Platform{}
	return !p.Attestation && !unknown && !artifact
}

// sizes returns the sizes of the parts that are there, by digest.
func (c *Client) sizes(ctx context.Context, name string, parts []Part) (map[string]*int64, error) {
	digests := map[string]bool{} // an index may name an image twice
	for _, p := range parts {
		digests[p.Digest] = true
	}
	sizes := make(map[string]*int64, len(digests))
	var mu sync.Mutex
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	for some := range slices.Chunk(slices.Sorted(maps.Keys(digests)), maxIDs) {
		reads.Go(func() error {
			images, err := c.present(ctx, name, some)
			mu.Lock()
			defer mu.Unlock()
			for _, i := range images {
				sizes[i.ImageDigest] = i.ImageSizeInBytes
			}
			return err
		})
	}
	return sizes, reads.Wait()
}

// present returns those of at most 100 images that are there. ECR describes none
// of them if one is missing, so the missing ones are found by halves.
func (c *Client) present(ctx context.Context, name string, digests []string) ([]*Image, error) {
	ids := make([]ImageID, len(digests))
	for i, digest := range digests {
		ids[i] = ImageID{Digest: digest}
	}
	images, err := c.DescribeImages(ctx, name, ids)
	switch half := len(digests) / 2; {
	case common.CodeOf(err) != common.ImageNotFound:
		return images, err
	case half == 0:
		return nil, nil
	default:
		first, err := c.present(ctx, name, digests[:half])
		if err != nil {
			return nil, err
		}
		second, err := c.present(ctx, name, digests[half:])
		return append(first, second...), err
	}
}
