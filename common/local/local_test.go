package local

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
)

// newSession returns a session of the local AWS's administrator.
func newSession(t *testing.T, a *AWS) *session.Session {
	t.Helper()
	s, err := session.NewSession(&aws.Config{
		Region:      aws.String("us-east-1"),
		Endpoint:    aws.String(a.URL),
		Credentials: credentials.NewStaticCredentials("any", "any", ""),
		HTTPClient:  &http.Client{},
		MaxRetries:  aws.Int(0),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// assumeRole returns a client of ECR that has assumed the role ecr-api of the
// account.
func assumeRole(s *session.Session, account, externalID string) *ecr.ECR {
	role := stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/ecr-api", func(p *stscreds.AssumeRoleProvider) {
		p.ExternalID = &externalID
		p.Tags = []*sts.Tag{{Key: aws.String(common.OrgTag), Value: aws.String("spindev")}}
	})
	return ecr.New(s, &aws.Config{Credentials: role})
}

// startEmpty starts the local AWS as -local-aws does.
func startEmpty(address string) (*AWS, error) { return startAWS(address, nil) }

// startSeeded starts the local AWS as -local does.
func startSeeded(address string) (*AWS, error) { return StartSeededAWS(context.Background(), address) }

func start(t *testing.T, how func(address string) (*AWS, error)) *AWS {
	t.Helper()
	a, err := how("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestStart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		start func(string) (*AWS, error)
		want  map[string][]string // names of repositories, by account
	}{
		"empty":  {startEmpty, map[string][]string{"012345678901": nil, "210987654321": nil}},
		"seeded": {startSeeded, map[string][]string{"012345678901": {"spindev-00001/welcome", "spindev-00002/shop"}, "210987654321": {"spindev-00002/shop"}}},
	} {
		s := newSession(t, start(t, test.start))
		got := map[string][]string{}
		for account := range test.want {
			out, err := assumeRole(s, account, "local").DescribeRepositories(&ecr.DescribeRepositoriesInput{})
			if err != nil {
				t.Errorf("%s: %s: %v", name, account, err)
				continue
			}
			got[account] = nil
			for _, r := range out.Repositories {
				got[account] = append(got[account], *r.RepositoryName)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: repositories (-want +got):\n%s", name, diff)
		}
		for account, externalID := range map[string]string{"012345678901": "other", "111111111111": "local"} {
			_, err := assumeRole(s, account, externalID).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
			var fault awserr.Error
			if !errors.As(err, &fault) || fault.Code() != "AccessDenied" {
				t.Errorf("%s: account %s with the external id %s: %v", name, account, externalID, err)
			}
		}
	}
}

// The administrator works in both accounts with the role of AWS Organizations,
// which has the rights of ECR, IAM and Inspector only.
func TestAccessRole(t *testing.T) {
	t.Parallel()
	s := newSession(t, start(t, startEmpty))
	for _, account := range []string{"012345678901", "210987654321"} {
		role := s.Copy(&aws.Config{Credentials: stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/OrganizationAccountAccessRole")})
		created, err := ecr.New(role).CreateRepository(&ecr.CreateRepositoryInput{RepositoryName: aws.String("any/name")})
		if err != nil {
			t.Errorf("%s: %v", account, err)
			continue
		}
		want := "arn:aws:ecr:us-east-1:" + account + ":repository/any/name"
		if diff := cmp.Diff(want, *created.Repository.RepositoryArn); diff != "" {
			t.Errorf("%s: ARN (-want +got):\n%s", account, diff)
		}
		if err := scanEnhanced(ecr.New(role)); err != nil {
			t.Errorf("%s: %v", account, err)
		}
		_, err = sts.New(role).AssumeRole(&sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::" + account + ":role/OrganizationAccountAccessRole"), RoleSessionName: aws.String("again"),
		})
		var fault awserr.Error
		if !errors.As(err, &fault) || fault.Code() != "AccessDenied" {
			t.Errorf("%s: the role assumes itself: %v", account, err)
		}
	}
}

// scanEnhanced lets Inspector scan an image in any/name, and asks what it has
// found.
func scanEnhanced(client *ecr.ECR) error {
	name, any := aws.String("any/name"), []*ecr.ScanningRepositoryFilter{{Filter: aws.String("*"), FilterType: aws.String("WILDCARD")}}
	_, err := client.PutRegistryScanningConfiguration(&ecr.PutRegistryScanningConfigurationInput{ScanType: aws.String("ENHANCED"),
		Rules: []*ecr.RegistryScanningRule{{ScanFrequency: aws.String("CONTINUOUS_SCAN"), RepositoryFilters: any}}})
	if err != nil {
		return err
	}
	if _, err := client.PutImage(&ecr.PutImageInput{RepositoryName: name, ImageTag: aws.String("v1"), ImageManifest: aws.String(
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json"}}`)}); err != nil {
		return err
	}
	_, err = client.DescribeImageScanFindings(&ecr.DescribeImageScanFindingsInput{RepositoryName: name, ImageId: &ecr.ImageIdentifier{ImageTag: aws.String("v1")}})
	return err
}

// A session of the role ecr-api lasts as long as AWS allows.
func TestRoleLastsTwelveHours(t *testing.T) {
	t.Parallel()
	s := newSession(t, start(t, startEmpty))
	for _, account := range accounts {
		before := time.Now()
		out, err := sts.New(s).AssumeRole(&sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::" + account + ":role/ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
			DurationSeconds: aws.Int64(43200),
		})
		if err != nil {
			t.Error(err)
		} else if out.Credentials.Expiration.Before(before.Add(12*time.Hour - time.Second)) {
			t.Errorf("%s: a session from %v to %v", account, before, out.Credentials.Expiration)
		}
	}
}

// image is an image as ECR lists it. Its times are in hours before now.
type image struct {
	Tags     []string
	Size     int64
	Pushed   float64
	Status   string
	Scanned  float64
	Findings map[string]int64
}

func TestSeed(t *testing.T) {
	t.Parallel()
	client := ecr.New(newSession(t, start(t, startSeeded)))
	tags, err := client.ListTagsForResource(&ecr.ListTagsForResourceInput{
		ResourceArn: aws.String("arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/welcome"),
	})
	if err != nil {
		t.Fatal(err)
	}
	gotTags := map[string]string{}
	for _, tag := range tags.Tags {
		gotTags[*tag.Key] = *tag.Value
	}
	if diff := cmp.Diff(map[string]string{
		"Name": "spindev-00001/welcome", "spinup:org": "spindev", "spinup:spaceid": "spindev-00001",
	}, gotTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}

	images, err := client.DescribeImages(&ecr.DescribeImagesInput{RepositoryName: aws.String("spindev-00001/welcome")})
	if err != nil {
		t.Fatal(err)
	}
	hoursAgo := func(at *time.Time) float64 {
		if at == nil {
			return 0
		}
		return time.Since(*at).Round(time.Hour).Hours()
	}
	got := map[string]image{} // by the first of its tags, sorted
	for _, i := range images.ImageDetails {
		listed := image{Tags: slices.Sorted(slices.Values(aws.StringValueSlice(i.ImageTags))), Size: *i.ImageSizeInBytes, Pushed: hoursAgo(i.ImagePushedAt)}
		if i.ImageScanStatus != nil {
			listed.Status = *i.ImageScanStatus.Status
			listed.Scanned = hoursAgo(i.ImageScanFindingsSummary.ImageScanCompletedAt)
			listed.Findings = aws.Int64ValueMap(i.ImageScanFindingsSummary.FindingSeverityCounts)
		}
		got[listed.Tags[0]] = listed
	}
	if diff := cmp.Diff(map[string]image{
		"v1":     {Tags: []string{"v1"}, Size: 140, Pushed: 24, Status: "COMPLETE", Scanned: 23, Findings: map[string]int64{"MEDIUM": 1}},
		"latest": {Tags: []string{"latest", "v2"}, Size: 140, Pushed: 1},
	}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// The images can be pulled. Each has one layer with one file.
func TestSeededFiles(t *testing.T) {
	t.Parallel()
	a := start(t, startSeeded)
	login, err := ecr.New(newSession(t, a)).GetAuthorizationToken(nil)
	if err != nil {
		t.Fatal(err)
	}
	repository := a.URL + "/v2/012345678901/us-east-1/spindev-00001/welcome"
	password := "Basic " + *login.AuthorizationData[0].AuthorizationToken
	for _, version := range []string{"v1", "v2"} {
		var manifest struct {
			Config struct{ Digest string }
			Layers []struct{ Digest string }
		}
		parseJSON(t, pull(t, repository+"/manifests/"+version, password), &manifest)
		var config struct{ OS, Architecture string }
		parseJSON(t, pull(t, repository+"/blobs/"+manifest.Config.Digest, password), &config)
		if config.OS != "linux" || config.Architecture != "amd64" || len(manifest.Layers) != 1 {
			t.Fatalf("%s: %+v %+v", version, manifest, config)
		}
		name, text := firstFile(t, pull(t, repository+"/blobs/"+manifest.Layers[0].Digest, password))
		if name != "welcome.txt" || text != "This is "+version+" of an image in the local AWS.\n" {
			t.Errorf("%s: the file %s: %s", version, name, text)
		}
	}
}

func pull(t *testing.T, url, authorization string) []byte {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", url, answer.StatusCode, err, body)
	}
	return body
}

func parseJSON(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// firstFile returns the first file of a layer.
func firstFile(t *testing.T, layer []byte) (name, text string) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(unzipped)
	header, err := files.Next()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(files)
	if err != nil {
		t.Fatal(err)
	}
	return header.Name, string(content)
}

// ECR accepts the manifest in the docs, although its layer is not there.
func TestManifestInDocs(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/local-aws.md")
	if err != nil {
		t.Fatal(err)
	}
	manifest := regexp.MustCompile(`--image-manifest '([^']+)'`).FindStringSubmatch(string(docs))[1]
	out, err := ecr.New(newSession(t, start(t, startSeeded))).PutImage(&ecr.PutImageInput{
		RepositoryName: aws.String("spindev-00001/welcome"), ImageTag: aws.String("v4"), ImageManifest: &manifest,
	})
	if err != nil {
		t.Fatal(err)
	}
	if tag := aws.StringValue(out.Image.ImageId.ImageTag); tag != "v4" {
		t.Errorf("the image has the tag %q", tag)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	taken := strings.TrimPrefix(start(t, startEmpty).URL, "http://")
	for address, want := range map[string]string{
		taken:         "listen tcp " + taken + ": bind: address already in use",
		"nowhere":     "-local-aws: address nowhere: missing port in address",
		"127.0.0.1:x": "listen tcp: lookup tcp/x: unknown port",
	} {
		for name, startAt := range map[string]func(string) (*AWS, error){"empty": startEmpty, "seeded": startSeeded} {
			a, err := startAt(address)
			if err == nil {
				a.Close()
				t.Errorf("%s: it listens on %s", name, address)
				continue
			}
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("%s on %s (-want +got):\n%s", name, address, diff)
			}
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	a := start(t, startEmpty)
	connection, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: aws\r\n\r\n")
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ReadByte(); err != io.EOF {
		t.Errorf("an open connection ends with %v", err)
	}
}

// TestCloseRemovesLayers shows that nothing is left in the directory for
// temporary files.
func TestCloseRemovesLayers(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("TMPDIR", directory)
	count := func() int {
		entries, err := os.ReadDir(directory)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	a := start(t, startSeeded)
	client, name := ecr.New(newSession(t, a)), aws.String("spindev-00001/welcome")
	upload, err := client.InitiateLayerUpload(&ecr.InitiateLayerUploadInput{RepositoryName: name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UploadLayerPart(&ecr.UploadLayerPartInput{RepositoryName: name, UploadId: upload.UploadId,
		PartFirstByte: aws.Int64(0), PartLastByte: aws.Int64(0), LayerPartBlob: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	if count() != 1 {
		t.Errorf("%d directories, want one", count())
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if count() != 0 {
		t.Errorf("%d directories are left", count())
	}
}

// The local configuration must fit the local AWS.
func TestConfig(t *testing.T) {
	t.Parallel()
	c, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	want := common.Account{
		Region: "us-east-1", AKID: "local", Secret: "local", ExternalID: "local", Role: "ecr-api", Endpoint: "http://127.0.0.1:4566",
	}
	if diff := cmp.Diff(want, c.Account); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	if c.Org != "spindev" || c.ListenAddress != "127.0.0.1:8080" || c.Accounts != nil {
		t.Errorf("org %s, listens on %s, accounts %v", c.Org, c.ListenAddress, c.Accounts)
	}
}
