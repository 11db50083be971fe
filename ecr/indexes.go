package ecr

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"
)

// Media types of indexes.
const (
	dockerListType = "application/vnd.docker.distribution.manifest.list.v2+json"
	indexType      = "application/vnd.oci.image.index.v1+json"
)

// Media types of manifests. ECR converts a manifest if a reader does not name its
// type.
var manifestTypes = aws.StringSlice([]string{
	"application/vnd.docker.distribution.manifest.v2+json",
	dockerListType,
	"application/vnd.oci.image.manifest.v1+json",
	indexType,
})

// IsIndex tells whether the image is an index: a list of images, mostly one for
// each platform.
func (i *Image) IsIndex() bool {
	mediaType := aws.StringValue(i.ImageManifestMediaType)
	return mediaType == dockerListType || mediaType == indexType
}

// A Part is an image that an index names.
type Part struct {
	Digest      string
	Platform    Platform
	Attestation bool // it says how an image was built, and runs on no platform

	ArtifactType string // of a signature or the like
}

// A Platform is what an image runs on, in the words of the OCI image
// specification. What is not known is empty.
type Platform struct{ OS, Architecture, Variant string }

// readsAtOnce is how many calls read images at the same time.
const readsAtOnce = 4

// EachPart calls each for every image that the index with that digest names, in
// the index's order. If it is not told, ECR does not tell these images, as of an
// index that is archived. The read may count as a pull of the index, so do not read
// other images this way.
func (c *Client) EachPart(ctx context.Context, name, digest string, each func(Part) error) (told bool, err error) {
	there := false
	err = c.eachIndex(ctx, name, []string{digest}, func(m manifestOf) error {
		there, told = true, m.isTold()
		for p := range m.parts() {
			if err := each(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !there { // it was, when it was described
		err = common.Errorf(common.ImageNotFound, "The image %s does not exist any more.", digest)
	}
	return told, err
}

// eachIndex calls each for every index with one of these digests that is there,
// also if ECR does not tell its manifest. Some of these calls are at the same
// time.
func (c *Client) eachIndex(ctx context.Context, name string, digests []string, each func(manifestOf) error) error {
	err := inBatches(ctx, digests, func(ctx context.Context, some []string) error { return c.eachManifest(ctx, name, some, each) })
	if err != nil {
		return c.explain(ctx, name, err)
	}
	return nil
}

// inBatches calls read for at most 100 of the digests, and again for the others.
// Some of these calls are at the same time.
func inBatches(ctx context.Context, digests []string, read func(ctx context.Context, some []string) error) error {
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	for some := range slices.Chunk(digests, maxIDs) {
		reads.Go(func() error { return read(ctx, some) })
	}
	return reads.Wait()
}

// maxManifests is how long an answer with several manifests may be, in bytes. A
// usual index has some thousand, and the largest has 4 MiB.
const maxManifests = 2 << 20

// eachManifest is eachIndex for at most 100 indexes, one after another. If they
// are too large to be in memory at the same time, it reads each half of them by
// itself.
func (c *Client) eachManifest(ctx context.Context, name string, digests []string, each func(manifestOf) error) error {
	limited := ctx
	if len(digests) > 1 {
		limited = withLongest(ctx, maxManifests)
	}
	out, err := c.manifests(limited, name, digests)
	if errors.Is(common.Origin(err), errTooLong) {
		half := len(digests) / 2
		if err := c.eachManifest(ctx, name, digests[:half], each); err != nil {
			return err
		}
		return c.eachManifest(ctx, name, digests[half:], each)
	}
	if err != nil {
		return err
	}
	defer takeRoom(ctx, -out.sizeFrom(0))
	for _, m := range out.Images {
		if err := each(m); err != nil {
			return err
		}
	}
	return nil
}

// inaccessible is the code of an image that is archived or is coming back from
// the archive. The SDK does not have it.
const inaccessible = "ImageInaccessible"

// manifests reads the manifests of at most 100 indexes. Those that are not there
// are left out. Those that are archived have no text.
func (c *Client) manifests(ctx context.Context, name string, digests []string) (*batchGetImageOutput, error) {
	in := &ecr.BatchGetImageInput{RepositoryName: aws.String(name), AcceptedMediaTypes: manifestTypes}
	for _, digest := range digests {
		in.ImageIds = append(in.ImageIds, ImageID{Digest: digest}.aws())
	}
	var requestID string
	out, err := send[batchGetImageOutput](ctx, c, "BatchGetImage", in, keepRequestID(&requestID))
	if err != nil {
		return nil, err
	}
	for _, f := range out.Failures {
		switch aws.StringValue(f.FailureCode) {
		case ecr.ImageFailureCodeImageNotFound:
		case inaccessible:
			out.Images = append(out.Images, manifestOf{ImageID: f.ImageID})
		default:
			return nil, f.error("ecr:BatchGetImage", requestID)
		}
	}
	return out, nil
}

// isTold tells whether ECR has told the manifest.
func (m manifestOf) isTold() bool { return m.ImageManifest != nil }

func (m manifestOf) digest() string { return aws.StringValue(m.ImageID.ImageDigest) }

// A partText is what is read of a part in the text of an index.
// https://github.com/opencontainers/image-spec/blob/main/image-index.md
type partText struct {
	Digest      string            `json:"digest"`
	Annotations map[string]string `json:"annotations"`
	Artifact    string            `json:"artifactType"`
	Platform    struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
		Variant      string `json:"variant"`
	} `json:"platform"`
}

var errEnough = errors.New("the rest is not needed")

// parts are the images that the index names. They are read one after another,
// since an index can name 50,000. A text that is not JSON names nothing from there
// on: ECR takes none.
func (m manifestOf) parts() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		d := jsontext.NewDecoder(strings.NewReader(aws.StringValue(m.ImageManifest)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		_ = readObject(d, func(name []byte) error {
			if string(name) != `"manifests"` {
				return d.SkipValue()
			}
			return readArray(d, func() error {
				text, err := d.ReadValue()
				if err == nil && !yield(partOf(text)) {
					err = errEnough
				}
				return err
			})
		})
	}
}

// partOf reads a part. What has another type than in the specification stays
// empty.
func partOf(text []byte) Part {
	var named partText
	_ = json.Unmarshal(text, &named)
	return Part{
		Digest:      named.Digest,
		Platform:    Platform(named.Platform),
		Attestation: named.Annotations["vnd.docker.reference.type"] == "attestation-manifest",

		ArtifactType: named.Artifact,
	}
}

// names tells whether the index names the image.
func (m manifestOf) names(digest string) bool {
	for p := range m.parts() {
		if p.Digest == digest {
			return true
		}
	}
	return false
}
