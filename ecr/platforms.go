package ecr

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
)

// A PlatformImage is an image that an index names for a platform. A nil field is
// null in JSON, and means that it is not known.
type PlatformImage struct {
	ImageDigest      string
	OS               *string `json:"Os"`
	Architecture     *string
	Variant          *string
	ImageSizeInBytes *int64 // nil also if the image is missing, or cannot be in ECR
}

// platformSize is how many bytes a PlatformImage takes, with its digest, its
// place among the sizes, and its part of the answer.
const platformSize = 600

// Platforms returns the images of the index with that digest that run on a
// platform, in the index's order. They are nil if ECR does not tell them, as of an
// index that is archived.
func (c *Client) Platforms(ctx context.Context, name, digest string) ([]PlatformImage, error) {
	images := []PlatformImage{}
	sizes := map[string]*int64{}
	shared := texts{}
	told, err := c.EachPart(ctx, name, digest, func(p Part) error {
		if !p.Runs() {
			return nil
		}
		on := p.Platform
		if IsDigest(p.Digest) { // an index may name an image twice
			sizes[p.Digest] = nil
		}
		images = append(images, PlatformImage{p.Digest, shared.known(on.OS), shared.known(on.Architecture), shared.known(on.Variant), nil})
		return takeRoom(ctx, platformSize+2*int64(len(on.OS)+len(on.Architecture)+len(on.Variant)))
	})
	if err != nil || !told {
		return nil, err
	}
	if err := c.readSizes(ctx, name, sizes); err != nil {
		return nil, err
	}
	for i := range images {
		images[i].ImageSizeInBytes = sizes[images[i].ImageDigest]
	}
	return images, nil
}

// texts are texts that several images share.
type texts map[string]*string

// known returns the text, or nil if it is empty, which means that it is not known.
func (t texts) known(text string) *string {
	if text == "" {
		return nil
	}
	if t[text] == nil {
		t[text] = &text
	}
	return t[text]
}

// Runs tells whether the part runs on a platform. An index that says which
// signatures and the like an image has gives them a type, and no platform.
func (p Part) Runs() bool {
	unknown := p.Platform.OS == "unknown" && p.Platform.Architecture == "unknown"
	artifact := p.ArtifactType != "" && p.Platform == Platform{}
	return !p.Attestation && !unknown && !artifact
}

// readSizes adds the sizes of those of the images that are there, by digest.
func (c *Client) readSizes(ctx context.Context, name string, sizes map[string]*int64) error {
	var mu sync.Mutex
	return inBatches(ctx, slices.Sorted(maps.Keys(sizes)), func(ctx context.Context, some []string) error {
		images, err := c.present(ctx, name, some)
		mu.Lock()
		defer mu.Unlock()
		for _, i := range images {
			sizes[i.ImageDigest] = i.ImageSizeInBytes
		}
		return err
	})
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
