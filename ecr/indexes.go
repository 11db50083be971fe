package ecr

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
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
	return strings.HasSuffix(mediaType, ".manifest.list.v2+json") || strings.HasSuffix(mediaType, ".image.index.v1+json")
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

// Indexes reads the manifests of the indexes with these digests, and returns the
// parts of each. An index that is not there is missing in the result. A read may
// count as a pull of the index, so do not read other images this way.
func (c *Client) Indexes(ctx context.Context, name string, digests []string) (map[string][]Part, error) {
	parts := make(map[string][]Part, len(digests))
	var mu sync.Mutex
	reads, ctx := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	for some := range slices.Chunk(digests, maxIDs) {
		reads.Go(func() error {
			read, err := c.manifests(ctx, name, some)
			mu.Lock()
			defer mu.Unlock()
			for _, m := range read {
				parts[m.digest()] = m.parts()
			}
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		return nil, c.explain(ctx, name, err)
	}
	return parts, nil
}

// manifests reads the manifests of at most 100 indexes. Those that are not there
// are left out.
func (c *Client) manifests(ctx context.Context, name string, digests []string) ([]manifestOf, error) {
	in := &ecr.BatchGetImageInput{RepositoryName: aws.String(name), AcceptedMediaTypes: manifestTypes}
	for _, digest := range digests {
		in.ImageIds = append(in.ImageIds, ImageID{Digest: digest}.aws())
	}
	out, err := send[batchGetImageOutput](ctx, c, "BatchGetImage", in)
	if err != nil {
		return nil, err
	}
	for _, f := range out.Failures {
		if code := aws.StringValue(f.FailureCode); code != ecr.ImageFailureCodeImageNotFound {
			return nil, &common.Error{Code: common.Internal, AWSCode: code,
				Message: "ECR does not tell the manifest of an index: " + aws.StringValue(f.FailureReason)}
		}
	}
	return out.Images, nil
}

func (m manifestOf) digest() string { return aws.StringValue(m.ImageID.ImageDigest) }

// An indexText is what is read of the text of an index.
// https://github.com/opencontainers/image-spec/blob/main/image-index.md
type indexText struct {
	Manifests []struct {
		Digest      string            `json:"digest"`
		Annotations map[string]string `json:"annotations"`
		Artifact    string            `json:"artifactType"`
		Platform    struct {
			OS           string `json:"os"`
			Architecture string `json:"architecture"`
			Variant      string `json:"variant"`
		} `json:"platform"`
	} `json:"manifests"`
}

// parts returns what the index names. A text that is not JSON names nothing:
// ECR takes none.
func (m manifestOf) parts() []Part {
	var text indexText
	_ = json.Unmarshal([]byte(aws.StringValue(m.ImageManifest)), &text)
	parts := make([]Part, len(text.Manifests))
	for i, named := range text.Manifests {
		parts[i] = Part{
			Digest:      named.Digest,
			Platform:    Platform(named.Platform),
			Attestation: named.Annotations["vnd.docker.reference.type"] == "attestation-manifest",

			ArtifactType: named.Artifact,
		}
	}
	return parts
}
