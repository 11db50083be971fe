//lint:file-ignore SA1019 The service uses the SDK's first version.

package fault_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/service/ecr"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

const layer = "0123456789"

// TestFaultsInLayersOfTheAPI shows what faults with AfterBytes do to clients
// that upload by the API, and download from the URL that it gives. Each fault
// hits once.
func TestFaultsInLayersOfTheAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault    localaws.Fault
		upload   string // error code of the first upload
		download string // what comes at the first download
		broken   bool   // whether that breaks off
	}{
		"drop":   {localaws.Fault{Drop: true, AfterBytes: 4}, "RequestError", "0123", true},
		"error":  {localaws.Fault{Code: "ServerException", Status: 500, AfterBytes: 4}, "ServerException", "0123", true},
		"stall":  {localaws.Fault{Delay: time.Millisecond, AfterBytes: 4}, "", layer, false},
		"longer": {localaws.Fault{Drop: true, AfterBytes: 11}, "", layer, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := awstest.New(t)
			b.Add(t, "group/one")
			inject(b, "ecr:UploadLayerPart", test.fault)
			uploadLayer(t, b.ECR(awstest.Here), test.upload)
			inject(b, "ecr:GetDownloadUrlForLayer", test.fault)
			url := layerURL(t, b.ECR(awstest.Here))
			if got, err := download(t, url); got != test.download || (err != nil) != test.broken {
				t.Errorf("first download: %q, %v, want %q, broken: %v", got, err, test.download, test.broken)
			}
			if got, err := download(t, url); got != layer || err != nil {
				t.Errorf("second download: %q, %v", got, err)
			}
		})
	}
}

func inject(b *awstest.AWS, operation string, f localaws.Fault) {
	f.Operation, f.Times = operation, 1
	b.Inject(f)
}

// uploadLayer uploads the layer and an image that names it. The first attempt to
// send the layer has an error with the code, if that is not empty.
func uploadLayer(t *testing.T, client *ecr.ECR, code string) {
	t.Helper()
	begun, err := client.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RepositoryName: aws.String("group/one")})
	awstest.Must(t, err)
	part := &ecr.UploadLayerPartInput{RepositoryName: aws.String("group/one"), UploadId: begun.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(int64(len(layer) - 1)), LayerPartBlob: []byte(layer)}
	_, err = client.UploadLayerPart(part)
	awstest.WantError(t, "first upload", err, code, "")
	if err != nil { // nothing of the part is there
		awstest.Must(t, awstest.ErrorOf(client.UploadLayerPart(part)))
	}
	awstest.Must(t, awstest.ErrorOf(client.CompleteLayerUpload(&ecr.CompleteLayerUploadInput{
		RepositoryName: aws.String("group/one"), UploadId: begun.UploadId, LayerDigests: []*string{layerDigest()}})))
	awstest.Must(t, awstest.ErrorOf(client.PutImage(&ecr.PutImageInput{RepositoryName: aws.String("group/one"), ImageTag: aws.String("v1"),
		ImageManifest: aws.String(fmt.Sprintf(`{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
			"config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": %q, "size": 10}, "layers": []}`, *layerDigest()))})))
}

func layerDigest() *string { return aws.String(fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(layer)))) }

func layerURL(t *testing.T, client *ecr.ECR) string {
	t.Helper()
	out, err := client.GetDownloadUrlForLayer(&ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String("group/one"), LayerDigest: layerDigest()})
	awstest.Must(t, err)
	return *out.DownloadUrl
}

// download returns what comes from a URL before it breaks off.
func download(t *testing.T, url string) (string, error) {
	t.Helper()
	answer, err := http.Get(url)
	awstest.Must(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
