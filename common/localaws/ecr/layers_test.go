//lint:file-ignore SA1019 The service uses the SDK's first version.

package ecr_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// begin begins an upload, and returns its id.
func begin(t testing.TB, client *ecr.ECR, repository string) *string {
	t.Helper()
	out, err := client.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RepositoryName: &repository})
	awstest.Must(t, err)
	if got := aws.Int64Value(out.PartSize); got != 10<<20 {
		t.Errorf("parts of %d bytes", got)
	}
	return out.UploadId
}

// send sends a part of an upload.
func send(client *ecr.ECR, repository string, id *string, first int, part string) (*ecr.UploadLayerPartOutput, error) {
	return client.UploadLayerPart(&ecr.UploadLayerPartInput{RepositoryName: &repository, UploadId: id, LayerPartBlob: []byte(part),
		PartFirstByte: aws.Int64(int64(first)), PartLastByte: aws.Int64(int64(first + len(part) - 1))})
}

func complete(client *ecr.ECR, repository string, id *string, digest string) (*ecr.CompleteLayerUploadOutput, error) {
	return client.CompleteLayerUpload(&ecr.CompleteLayerUploadInput{RepositoryName: &repository, UploadId: id, LayerDigests: []*string{&digest}})
}

// upload uploads a layer in one part.
func upload(t testing.TB, client *ecr.ECR, repository, content string) (digest string) {
	t.Helper()
	id := begin(t, client, repository)
	awstest.Must(t, awstest.ErrorOf(send(client, repository, id, 0, content)))
	awstest.Must(t, awstest.ErrorOf(complete(client, repository, id, digestOf(content))))
	return digestOf(content)
}

// available returns whether the layers are in a repository.
func available(t testing.TB, client *ecr.ECR, repository string, digests ...string) (there []bool) {
	t.Helper()
	out, err := client.BatchCheckLayerAvailability(&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: &repository, LayerDigests: aws.StringSlice(digests)})
	awstest.Must(t, err)
	for _, l := range out.Layers {
		there = append(there, *l.LayerAvailability == "AVAILABLE")
	}
	return there
}

func wantAvailable(t testing.TB, when string, client *ecr.ECR, repository, digest string, want bool) {
	t.Helper()
	if got := available(t, client, repository, digest)[0]; got != want {
		t.Errorf("%s: the layer is in %s: %v, want %v", when, repository, got, want)
	}
}

// naming returns the manifest of an image whose layers are the contents given,
// and whose configuration is {}.
func naming(contents ...string) string {
	var layers []string
	for _, content := range contents {
		layers = append(layers, `{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":`+fmt.Sprint(len(content))+`,"digest":"`+digestOf(content)+`"}`)
	}
	return `{"schemaVersion":2,"mediaType":"` + dockerManifest + `","config":{"mediaType":"` + dockerConfig + `","size":2,"digest":"` + digestOf("{}") +
		`"},"layers":[` + strings.Join(layers, ",") + `]}`
}

func downloadURL(client *ecr.ECR, repository, digest string) (*ecr.GetDownloadUrlForLayerOutput, error) {
	return client.GetDownloadUrlForLayer(&ecr.GetDownloadUrlForLayerInput{RepositoryName: &repository, LayerDigest: &digest})
}

func TestUploadLayer(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	id := begin(t, client, "group/one")
	first, second := strings.Repeat("a", 5<<20), strings.Repeat("b", 20<<20)
	digest := digestOf(first + second + "c")
	account, name := aws.String(localaws.AdministratorAccount), aws.String("group/one")
	at := 0
	for _, part := range []string{first, second, "c"} {
		out, err := send(client, "group/one", id, at, part)
		awstest.Must(t, err)
		at += len(part)
		if diff := cmp.Diff(&ecr.UploadLayerPartOutput{RegistryId: account, RepositoryName: name, UploadId: id, LastByteReceived: aws.Int64(int64(at - 1))}, out); diff != "" {
			t.Errorf("part (-want +got):\n%s", diff)
		}
	}
	completed, err := complete(client, "group/one", id, digest)
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.CompleteLayerUploadOutput{RegistryId: account, RepositoryName: name, UploadId: id, LayerDigest: &digest}, completed); diff != "" {
		t.Errorf("completed (-want +got):\n%s", diff)
	}
	checked, err := client.BatchCheckLayerAvailability(&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: name,
		LayerDigests: aws.StringSlice([]string{digest, digestOf("x"), "", "y"})})
	awstest.Must(t, err)
	if diff := cmp.Diff(&ecr.BatchCheckLayerAvailabilityOutput{
		Layers: []*ecr.Layer{
			{LayerDigest: &digest, LayerAvailability: aws.String("AVAILABLE"), LayerSize: aws.Int64(25<<20 + 1)},
			{LayerDigest: aws.String(digestOf("x")), LayerAvailability: aws.String("UNAVAILABLE")},
		},
		Failures: []*ecr.LayerFailure{
			{LayerDigest: aws.String(""), FailureCode: aws.String("MissingLayerDigest"), FailureReason: aws.String("Invalid request parameters: layer digest cannot be null")},
			{LayerDigest: aws.String("y"), FailureCode: aws.String("InvalidLayerDigest"),
				FailureReason: aws.String("Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")},
		},
	}, checked); diff != "" {
		t.Errorf("checked (-want +got):\n%s", diff)
	}
}

// TestPartAgain shows that a client may send a part again whose answer was lost.
func TestPartAgain(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	id := begin(t, client, "group/one")
	b.Inject(localaws.Fault{Operation: "ecr:UploadLayerPart", Times: 1, Code: "ServerException", Status: 500, AfterWork: true})
	awstest.WantError(t, "lost answer", awstest.ErrorOf(send(client, "group/one", id, 0, "abc")), "ServerException", "")
	out, err := send(client, "group/one", id, 0, "abc")
	awstest.Must(t, err)
	if *out.LastByteReceived != 2 {
		t.Errorf("last byte %d, want 2", *out.LastByteReceived)
	}
	awstest.WantError(t, "other bytes", awstest.ErrorOf(send(client, "group/one", id, 0, "abx")), "InvalidLayerPartException", "")
	awstest.Must(t, awstest.ErrorOf(complete(client, "group/one", id, digestOf("abc"))))
}

func TestUploadErrors(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	b.Add(t, "group/two")
	abc := upload(t, client, "group/one", "abc")
	id, empty, small := begin(t, client, "group/one"), begin(t, client, "group/one"), begin(t, client, "group/one")
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", id, 0, "abc")))
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", small, 0, "d")))
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", small, 1, "e")))
	part := func(change func(*ecr.UploadLayerPartInput)) error {
		in := &ecr.UploadLayerPartInput{RepositoryName: aws.String("group/one"), UploadId: id, LayerPartBlob: []byte("de"),
			PartFirstByte: aws.Int64(3), PartLastByte: aws.Int64(4)}
		change(in)
		return awstest.ErrorOf(client.UploadLayerPart(in))
	}
	check := func(digests ...string) error {
		return awstest.ErrorOf(client.BatchCheckLayerAvailability(&ecr.BatchCheckLayerAvailabilityInput{RepositoryName: aws.String("group/one"), LayerDigests: aws.StringSlice(digests)}))
	}
	const invalid, noRepository, badPart = "InvalidParameterException", "RepositoryNotFoundException", "InvalidLayerPartException"
	where := "The upload with id '" + *id + "' in the repository with name 'group/two' in registry with id '012345678901' "
	for _, test := range []struct {
		name       string
		err        error
		code, text string
	}{
		{"begin in a missing repository", awstest.ErrorOf(client.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RepositoryName: aws.String("group/none")})), noRepository, ""},
		{"part in a missing repository", part(func(in *ecr.UploadLayerPartInput) { in.SetRepositoryName("group/none") }), noRepository, ""},
		{"part in another repository", part(func(in *ecr.UploadLayerPartInput) { in.SetRepositoryName("group/two") }), "UploadNotFoundException", where + "does not exist"},
		{"part of no upload", part(func(in *ecr.UploadLayerPartInput) { in.SetUploadId(noUpload) }), "UploadNotFoundException", noUpload},
		{"gap", part(func(in *ecr.UploadLayerPartInput) { in.SetPartFirstByte(4); in.SetPartLastByte(5) }), badPart, "the bytes do not follow those that are there. The upload has 3 bytes"},
		{"size unlike the bytes", part(func(in *ecr.UploadLayerPartInput) { in.SetPartLastByte(5) }), badPart, "the size of the part is not what"},
		{"empty part", part(func(in *ecr.UploadLayerPartInput) { in.SetLayerPartBlob([]byte{}); in.SetPartLastByte(2) }), badPart, "the size of the part"},
		{"negative byte", part(func(in *ecr.UploadLayerPartInput) { in.SetPartFirstByte(-1) }), invalid, "'partFirstByte'"},
		{"negative last byte", part(func(in *ecr.UploadLayerPartInput) { in.SetPartLastByte(-1) }), invalid, "'partLastByte'"},

		{"complete in a missing repository", awstest.ErrorOf(complete(client, "group/none", id, abc)), noRepository, ""},
		{"complete no upload", awstest.ErrorOf(complete(client, "group/one", aws.String(noUpload), abc)), "UploadNotFoundException", noUpload},
		{"complete an empty upload", awstest.ErrorOf(complete(client, "group/one", empty, abc)), "EmptyUploadException",
			"The upload with id '" + *empty + "' in the repository with name 'group/one' in registry with id '012345678901' cannot be completed because it does not have any parts"},
		{"complete small parts", awstest.ErrorOf(complete(client, "group/one", small, digestOf("de"))), "LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB"},
		{"complete a layer that is there", awstest.ErrorOf(complete(client, "group/one", id, abc)), "LayerAlreadyExistsException",
			"The layer with digest '" + abc + "' already exists in the repository with name 'group/one' in registry with id '012345678901'"},
		{"complete with another digest", awstest.ErrorOf(complete(client, "group/one", id, digestOf("x"))), "InvalidLayerException", "does not match the digest '" + abc + "'"},
		{"complete with a malformed digest", awstest.ErrorOf(complete(client, "group/one", id, "x")), invalid, "'layerDigests'"},

		{"check 101 digests", check(make([]string, 101)...), invalid, "less than or equal to 100"},
		{"URL of a missing layer", awstest.ErrorOf(downloadURL(client, "group/one", digestOf("x"))), "LayersNotFoundException",
			"The layer with digest '" + digestOf("x") + "' does not exist within the repository with name 'group/one' in the registry with id '012345678901'"},
		{"URL of a layer that no image names", awstest.ErrorOf(downloadURL(client, "group/one", abc)), "LayerInaccessibleException", "no image names it"},
		{"URL of a malformed digest", awstest.ErrorOf(downloadURL(client, "group/one", "x")), invalid, "'layerDigest'"},
	} {
		awstest.WantError(t, test.name, test.err, test.code, test.text)
	}
	var refused *ecr.InvalidLayerPartException
	if !asError(part(func(in *ecr.UploadLayerPartInput) { in.SetPartFirstByte(9) }), &refused) || aws.Int64Value(refused.LastValidByteReceived) != 2 ||
		aws.StringValue(refused.UploadId) != *id || aws.StringValue(refused.RepositoryName) != "group/one" {
		t.Errorf("the error does not say how to go on: %+v", refused)
	}
}

// get asks a URL of a layer.
func get(t testing.TB, method, url, bytesRange string) (status int, content string, header http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, url, http.NoBody)
	awstest.Must(t, err)
	if bytesRange != "" {
		r.Header.Set("Range", bytesRange)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	awstest.Must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	awstest.Must(t, err)
	return answer.StatusCode, string(body), answer.Header
}

func TestDownloadLayer(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	digest := upload(t, client, "group/one", "hello")
	awstest.Must(t, put(client, naming("hello"), "v1"))
	out, err := downloadURL(client, "group/one", digest)
	awstest.Must(t, err)
	url := *out.DownloadUrl
	if !strings.HasPrefix(url, b.URL+"/layers/") || *out.LayerDigest != digest {
		t.Errorf("the answer is %v", out)
	}
	for _, test := range []struct {
		name, method, url, asked string
		status                   int
		content                  string
	}{
		{"whole", "GET", url, "", 200, "hello"},
		{"range", "GET", url, "bytes=1-3", 206, "ell"},
		{"no such range", "GET", url, "bytes=9-", 416, "invalid range: failed to overlap\n"},
		{"head", "HEAD", url, "", 200, ""},
		{"write", "PUT", url, "", 405, "a layer can only be read\n"},
		{"changed URL", "GET", url[:len(url)-1] + "!", "", 403, "there is no such URL of a layer, or it has expired\n"},
		{"no URL", "GET", b.URL + "/layers", "", 403, "there is no such URL of a layer, or it has expired\n"},
	} {
		status, content, header := get(t, test.method, test.url, test.asked)
		if status != test.status || content != test.content {
			t.Errorf("%s: %d %q, want %d %q", test.name, status, content, test.status, test.content)
		}
		if status == 200 && (header.Get("Content-Length") != "5" || header.Get("Etag") != `"`+digest+`"` || header.Get("Content-Type") != "application/octet-stream") {
			t.Errorf("%s: header %v", test.name, header)
		}
	}
	b.Advance(time.Hour - time.Second)
	if status, _, _ := get(t, "GET", url, ""); status != 200 {
		t.Errorf("within an hour: %d", status)
	}
	awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: aws.String("group/one"), Force: aws.Bool(true)})))
	if status, _, _ := get(t, "GET", url, ""); status != 404 {
		t.Errorf("a layer that was removed: %d", status)
	}
	b.Advance(time.Second)
	if status, _, _ := get(t, "GET", url, ""); status != 403 {
		t.Errorf("after an hour: %d", status)
	}
}

func deleteImage(client *ecr.ECR, tag string) error {
	return awstest.ErrorOf(client.BatchDeleteImage(&ecr.BatchDeleteImageInput{RepositoryName: aws.String("group/one"),
		ImageIds: []*ecr.ImageIdentifier{{ImageTag: &tag}}}))
}

// TestLayerLimit shows that all layers share one limit, a layer of two
// repositories counts once, and a repository that goes makes room.
func TestLayerLimit(t *testing.T) {
	t.Parallel()
	b := awstest.NewWith(t, localaws.Options{LayerLimit: 10})
	client := b.ECR(awstest.Here)
	b.Add(t, "group/one")
	b.Add(t, "group/two")
	upload(t, client, "group/one", "12345")
	digest := upload(t, client, "group/two", "12345")
	id, left := begin(t, client, "group/one"), begin(t, client, "group/two")
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", id, 0, "678")))
	full := awstest.ErrorOf(send(client, "group/one", id, 3, "901"))
	awstest.WantError(t, "too much", full, "LimitExceededException", "there is no room for more layers: all layers together may have 10 bytes")
	var failure awserr.RequestFailure
	if !asError(full, &failure) || failure.StatusCode() != http.StatusInsufficientStorage {
		t.Errorf("the error is %v, want one with status 507", failure)
	}
	awstest.WantError(t, "its upload is gone", awstest.ErrorOf(send(client, "group/one", id, 3, "9")), "UploadNotFoundException", *id)
	awstest.Must(t, awstest.ErrorOf(send(client, "group/two", left, 0, "67890")))
	for _, name := range []string{"group/two", "group/one"} {
		wantAvailable(t, "before", client, name, digest, true)
		awstest.Must(t, awstest.ErrorOf(client.DeleteRepository(&ecr.DeleteRepositoryInput{RepositoryName: &name})))
	}
	awstest.WantError(t, "upload of a repository that is gone", awstest.ErrorOf(send(client, "group/one", id, 0, "1")), "RepositoryNotFoundException", "")
	b.Add(t, "group/one")
	id = begin(t, client, "group/one")
	awstest.Must(t, awstest.ErrorOf(send(client, "group/one", id, 0, "1234567890")))
}

// TestLayersAtOnce is for the race detector: many clients push images with the
// same layers, and delete them.
func TestLayersAtOnce(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	done := make(chan bool)
	content := strings.Repeat("x", 1000)
	for i := range 8 {
		client, tag := b.ECR(awstest.Here), string(rune('a'+i))
		go func() {
			defer func() { done <- true }()
			for range 5 {
				id := begin(t, client, "group/one")
				_, err := send(client, "group/one", id, 0, content)
				if err != nil {
					t.Error(err)
				}
				_, err = complete(client, "group/one", id, digestOf(content))
				if code := awstest.CodeOf(err); code != "" && code != "LayerAlreadyExistsException" {
					t.Error(err)
				}
				if err := put(client, strings.Replace(naming(content), "{", `{"tag":"`+tag+`",`, 1), tag); err != nil {
					t.Error(err)
				}
				if out, err := downloadURL(client, "group/one", digestOf(content)); err == nil {
					if status, got, _ := get(t, "GET", *out.DownloadUrl, ""); status == 200 && !bytes.Equal([]byte(got), []byte(content)) {
						t.Errorf("%d other bytes", len(got))
					}
				}
				if err := deleteImage(client, tag); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for range 8 {
		<-done
	}
	b.Advance(time.Hour)
	wantAvailable(t, "at the end", b.ECR(awstest.Here), "group/one", digestOf(content), false)
}
