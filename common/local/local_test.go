package local

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/config"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/credentials/stscreds"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"
)

// newSession returns the administrator of the AWS.
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

// enter returns ECR's client with the role ecr-api of the account.
func enter(s *session.Session, account, externalID string) *ecr.ECR {
	role := stscreds.NewCredentials(s, "arn:aws:iam::"+account+":role/ecr-api", func(p *stscreds.AssumeRoleProvider) {
		p.ExternalID = &externalID
	})
	return ecr.New(s, &aws.Config{Credentials: role})
}

func start(t *testing.T, with func(string) (*AWS, error)) *AWS {
	t.Helper()
	a, err := with("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestStartAWS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		start func(string) (*AWS, error)
		want  map[string][]string // names of repositories, by account
	}{
		"empty":  {StartAWS, map[string][]string{"012345678901": nil, "210987654321": nil}},
		"seeded": {StartSeededAWS, map[string][]string{"012345678901": {"spindev-00001/welcome"}, "210987654321": nil}},
	} {
		s := newSession(t, start(t, test.start))
		got := map[string][]string{}
		for account := range test.want {
			out, err := enter(s, account, "local").DescribeRepositories(&ecr.DescribeRepositoriesInput{})
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
			_, err := enter(s, account, externalID).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
			var fault awserr.Error
			if !errors.As(err, &fault) || fault.Code() != "AccessDenied" {
				t.Errorf("%s: account %s with the external id %s: %v", name, account, externalID, err)
			}
		}
	}
}

// An image as ECR lists it, with its times as hours before now.
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
	client := ecr.New(newSession(t, start(t, StartSeededAWS)))
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
		found := image{Tags: slices.Sorted(slices.Values(aws.StringValueSlice(i.ImageTags))), Size: *i.ImageSizeInBytes, Pushed: hoursAgo(i.ImagePushedAt)}
		if i.ImageScanStatus != nil {
			found.Status = *i.ImageScanStatus.Status
			found.Scanned = hoursAgo(i.ImageScanFindingsSummary.ImageScanCompletedAt)
			found.Findings = aws.Int64ValueMap(i.ImageScanFindingsSummary.FindingSeverityCounts)
		}
		got[found.Tags[0]] = found
	}
	if diff := cmp.Diff(map[string]image{
		"v1":     {Tags: []string{"v1"}, Size: 16093514, Pushed: 24, Status: "COMPLETE", Scanned: 23, Findings: map[string]int64{"MEDIUM": 1}},
		"latest": {Tags: []string{"latest", "v2"}, Size: 16100210, Pushed: 1},
	}, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestStartAWSErrors(t *testing.T) {
	t.Parallel()
	taken := strings.TrimPrefix(start(t, StartAWS).URL, "http://")
	for address, want := range map[string]string{
		taken:         "listen tcp " + taken + ": bind: address already in use",
		"nowhere":     "listen tcp: address nowhere: missing port in address",
		"127.0.0.1:x": "listen tcp: lookup tcp/x: unknown port",
	} {
		for name, with := range map[string]func(string) (*AWS, error){"empty": StartAWS, "seeded": StartSeededAWS} {
			a, err := with(address)
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
	a := start(t, StartAWS)
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
		t.Errorf("a connection that was open ends with %v", err)
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

const wantBanner = `ecr-api listens on http://127.0.0.1:8080
its own AWS on http://127.0.0.1:4566 (accounts 012345678901 and 210987654321; all is gone when this stops)

Paste this into another terminal:

  export API=http://127.0.0.1:8080/v1/ecr/012345678901/repositories
  export TOKEN='HASH'
  export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1

Then, one by one: list, create, show, update, list the images of, and delete a repository:

  curl -H "X-Auth-Token: $TOKEN" $API
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001 -d '{"RepositoryName": "dasher", "ScanOnPush": "true"}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X PUT -d '{"Tags": [{"Key": "Application", "Value": "sleigh"}]}'
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/welcome/images
  curl -H "X-Auth-Token: $TOKEN" $API/spindev-00001/dasher -X DELETE

Or read and try it in a browser, with the token under "Authorize": http://127.0.0.1:8080/v1/ecr/docs

And with the AWS command line, which is how images get in:

  aws sts get-caller-identity
  aws ecr put-image --repository-name spindev-00001/welcome --image-tag v3 --image-manifest '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"mediaType": "application/vnd.docker.container.image.v1+json"}, "layers": [{"size": 1024}]}'
  aws ecr describe-images --repository-name spindev-00001/welcome

And to see what happens when AWS fails, one line that makes it fail and one that takes all faults away (the README has more):

  curl $AWS_ENDPOINT_URL/faults -d '{"operation": "ecr:DescribeRepositories", "code": "ServerException", "status": 500}'
  curl $AWS_ENDPOINT_URL/faults -X DELETE

Ctrl-C ends both.
`

func TestPrintBanner(t *testing.T) {
	t.Parallel()
	c, err := common.ParseConfig(bytes.Replace(config.Local, []byte(`"token": "local"`), []byte(`"token": "the key"`), 1))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := PrintBanner(&out, c, "http://127.0.0.1:8080"); err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}`).FindString(out.String())
	if diff := cmp.Diff(wantBanner, strings.Replace(out.String(), token, "HASH", 1)); diff != "" {
		t.Errorf("banner (-want +got):\n%s", diff)
	}
	if err := bcrypt.CompareHashAndPassword([]byte(token), []byte("the key")); err != nil {
		t.Errorf("the token %s is not of the key: %v", token, err)
	}
}

// The manifest that the banner puts is one that ECR takes.
func TestBannerManifest(t *testing.T) {
	t.Parallel()
	manifest := regexp.MustCompile(`--image-manifest '([^']+)'`).FindStringSubmatch(wantBanner)[1]
	out, err := ecr.New(newSession(t, start(t, StartSeededAWS))).PutImage(&ecr.PutImageInput{
		RepositoryName: aws.String("spindev-00001/welcome"), ImageTag: aws.String("v3"), ImageManifest: &manifest,
	})
	if err != nil {
		t.Fatal(err)
	}
	if tag := aws.StringValue(out.Image.ImageId.ImageTag); tag != "v3" {
		t.Errorf("the image has the tag %q", tag)
	}
}

func TestPrintBannerError(t *testing.T) {
	t.Parallel()
	c, err := Config()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	if err := PrintBanner(failing{full}, c, "http://127.0.0.1:8080"); !errors.Is(err, full) {
		t.Errorf("where nothing can be written: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
