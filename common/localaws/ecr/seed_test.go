//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// TestSeedFiles shows that an image with files can be pulled.
func TestSeedFiles(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	pushed := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	files := map[string]string{"hello.txt": "Hello!\n", "etc/name": "welcome\n"}
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{"v1"}, Files: files, PushedAt: pushed}))
	out, err := client.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	awstest.Must(t, err)
	type blob struct {
		MediaType, Digest string
		Size              int
	}
	var manifest struct {
		SchemaVersion int
		MediaType     string
		Config        blob
		Layers        []blob
	}
	awstest.Must(t, json.Unmarshal([]byte(*out.Images[0].ImageManifest), &manifest))
	download := func(b blob) string {
		out, err := downloadURL(client, "group/one", b.Digest)
		awstest.Must(t, err)
		_, content, _ := get(t, "GET", *out.DownloadUrl, "")
		if len(content) != b.Size || digestOf(content) != b.Digest {
			t.Errorf("%+v has %d bytes", b, len(content))
		}
		return content
	}
	unzipped := unzip(t, download(manifest.Layers[0]))
	if diff := cmp.Diff(files, untar(t, unzipped)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	want := `{"architecture":"amd64","os":"linux","created":"2026-02-01T00:00:00Z","config":{},"rootfs":{"type":"layers","diff_ids":["` + digestOf(unzipped) + `"]}}`
	if diff := cmp.Diff(want, download(manifest.Config)); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if manifest.SchemaVersion != 2 || manifest.MediaType != dockerManifest || manifest.Config.MediaType != dockerConfig ||
		manifest.Layers[0].MediaType != "application/vnd.docker.image.rootfs.diff.tar.gzip" {
		t.Errorf("manifest %+v", manifest)
	}
	described, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	if size := *described.ImageDetails[0].ImageSizeInBytes; size != int64(manifest.Layers[0].Size) {
		t.Errorf("the image has %d bytes, and its layer %d", size, manifest.Layers[0].Size)
	}
}

// TestSeedIndex shows that an index has its parts, and its signature refers to
// it.
func TestSeedIndex(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	pushed := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{
		Tags: []string{"v1"}, PushedAt: pushed,
		Parts: []localaws.Image{
			{Files: map[string]string{"a": "amd64"}},
			{Files: map[string]string{"a": "arm64"}, Architecture: "arm64", MediaType: ociManifest},
			{Files: map[string]string{"a": "how it was built"}, Attestation: true, MediaType: ociManifest},
		},
		Referrers: []localaws.Image{{Files: map[string]string{"a": "signed"}, ArtifactType: "application/vnd.example"}},
	}))
	out, err := client.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: aws.String("group/one"), ImageIds: []*ecr.ImageIdentifier{{ImageTag: aws.String("v1")}}})
	awstest.Must(t, err)
	type part struct {
		Digest      string `json:"digest"`
		Size        int64  `json:"size"`
		Platform    map[string]string
		Annotations map[string]string
	}
	var index struct{ Manifests []part }
	awstest.Must(t, json.Unmarshal([]byte(*out.Images[0].ImageManifest), &index))
	var digests []*string
	var platforms []string
	for _, p := range index.Manifests {
		digests, platforms = append(digests, &p.Digest), append(platforms, p.Platform["os"]+"/"+p.Platform["architecture"])
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64", "unknown/unknown"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	attestation := map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": *digests[0]}
	if diff := cmp.Diff(attestation, index.Manifests[2].Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	var ids []*ecr.ImageIdentifier
	for _, d := range digests {
		ids = append(ids, &ecr.ImageIdentifier{ImageDigest: d})
	}
	parts, err := client.BatchGetImage(&ecr.BatchGetImageInput{RepositoryName: aws.String("group/one"), ImageIds: ids})
	awstest.Must(t, err)
	for n, p := range parts.Images {
		if len(*p.ImageManifest) != int(index.Manifests[n].Size) {
			t.Errorf("part %d has %d bytes, and the index says %d", n, len(*p.ImageManifest), index.Manifests[n].Size)
		}
	}
	signatures, err := listReferrers(client, &listReferrersInput{RepositoryName: aws.String("group/one"), SubjectID: out.Images[0].ImageId})
	awstest.Must(t, err)
	if len(signatures.Referrers) != 1 || *signatures.Referrers[0].ArtifactType != "application/vnd.example" {
		t.Errorf("referrers %v", signatures)
	}
}

func unzip(t *testing.T, text string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(text))
	awstest.Must(t, err)
	unzipped, err := io.ReadAll(r)
	awstest.Must(t, err)
	return string(unzipped)
}

func untar(t *testing.T, text string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for r := tar.NewReader(strings.NewReader(text)); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		awstest.Must(t, err)
		content, err := io.ReadAll(r)
		awstest.Must(t, err)
		files[header.Name] = string(content)
	}
}

func TestSeedErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	img := localaws.Image{Digest: digestOf("x")}
	awstest.Must(t, b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img))
	for name, test := range map[string]struct {
		err  error
		text string
	}{
		"malformed name":            {b.AddRepository(awstest.Other, awstest.Here, "UPPER", nil), "repositoryName"},
		"reserved tag":              {b.AddRepository(awstest.Other, awstest.Here, "group/two", map[string]string{"aws:a": ""}), "reserved"},
		"repository twice":          {b.AddRepository(localaws.AdministratorAccount, awstest.Here, "group/one", nil), "there is a repository"},
		"missing repository":        {b.AddImage(awstest.Other, awstest.Here, "group/one", localaws.Image{}), "no repository"},
		"files, missing repository": {b.AddImage(awstest.Other, awstest.Here, "group/one", localaws.Image{Files: map[string]string{"a": ""}}), "no repository"},
		"image twice":               {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", img), "there is an image"},
		"malformed image tag":       {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Tags: []string{"a/b"}}), "tag of an image"},
		"unknown status":            {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Status: "x"}), "status of an image"},
		"unknown status of a scan":  {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Scan: &localaws.Scan{Status: "x"}}), "status of a scan"},
		"malformed manifest":        {b.AddImage(localaws.AdministratorAccount, awstest.Here, "group/one", localaws.Image{Manifest: "{"}), "Invalid JSON"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) {
			t.Errorf("%s: error %v, want one with %q", name, test.err, test.text)
		}
	}
}
