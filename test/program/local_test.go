package program

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
	"github.com/google/go-cmp/cmp"
)

// TestLocal sends the requests that the banner of -local prints.
func TestLocal(t *testing.T) {
	t.Parallel()
	p := start(t, "", "-local", "-listen", "127.0.0.1:0")
	p.stdout.waitFor(t, "Ctrl-C ends both.\n$")
	banner := p.stdout.String()
	variables := exports(t, banner)
	if want := "http://" + p.address() + "/v1/ecr/012345678901/repositories"; variables["API"] != want {
		t.Errorf("the banner says API=%s, want %s", variables["API"], want)
	}

	const dasher = `{"CreatedAt": "TIME", "EncryptionType": "AES256", "KmsKeyId": "", "ScanOnPush": "true", "ImageTagMutability": "MUTABLE",
		"RegistryId": "012345678901", "RepositoryArn": "arn:aws:ecr:us-east-1:012345678901:repository/spindev-00001/dasher",
		"RepositoryName": "spindev-00001/dasher", "RepositoryUri": "%s/012345678901/us-east-1/spindev-00001/dasher",
		"Tags": [%s{"Key": "Name", "Value": "spindev-00001/dasher"}, {"Key": "spinup:org", "Value": "spindev"},
			{"Key": "spinup:spaceid", "Value": "spindev-00001"}]}`
	const image = `{"ArtifactMediaType": "application/vnd.docker.container.image.v1+json", "ImageDigest": "DIGEST",
		"ImageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json", "ImagePushedAt": "TIME",
		"RegistryId": "012345678901", "RepositoryName": "spindev-00001/welcome", `
	host := variables["REGISTRY"]
	created, updated := fmt.Sprintf(dasher, host, ""), fmt.Sprintf(dasher, host, `{"Key": "Application", "Value": "sleigh"}, `)
	images := `[` + image + `"ImageScanFindingsSummary": null, "ImageScanStatus": null, "ImageSizeInBytes": 140, "ImageTags": ["latest", "v2"]}, ` +
		image + `"ImageScanFindingsSummary": {"FindingSeverityCounts": {"MEDIUM": 1}, "ImageScanCompletedAt": "TIME", "VulnerabilitySourceUpdatedAt": "TIME"},
		"ImageScanStatus": {"Description": "The scan was completed successfully.", "Status": "COMPLETE"}, "ImageSizeInBytes": 140, "ImageTags": ["v1"]}]`
	want := []struct{ request, answer string }{
		{"GET ", `["spindev-00001/welcome", "spindev-00002/shop"]`},
		{"POST /spindev-00001", created},
		{"GET /spindev-00001/dasher", created},
		{"PUT /spindev-00001/dasher", updated},
		{"GET /spindev-00001/welcome/images", images},
		{"DELETE /spindev-00001/dasher", updated},
	}
	requests := curls(t, banner, variables)
	if len(requests) != len(want)+2 {
		t.Fatalf("%d curl lines, want %d and two about faults, in\n%s", len(requests), len(want), banner)
	}
	for i, r := range requests[:len(want)] {
		got := r.Method + " " + strings.TrimPrefix(r.URL.String(), variables["API"])
		if diff := cmp.Diff(want[i].request, got); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		status, body := do(t, r)
		if diff := cmp.Diff(parse(t, want[i].answer), parse(t, normalized(body))); diff != "" || status != http.StatusOK {
			t.Errorf("%s: status %d, answer (-want +got):\n%s", got, status, diff)
		}
	}

	wantFault(t, requests[0], requests[len(want)], requests[len(want)+1])
	wantGuarded(t, "http://"+p.address()+"/v1/ecr/ping")
	wantGuarded(t, variables["AWS_ENDPOINT_URL"]+"/faults")

	// The AWS command line uses these variables in the same way.
	s := newSession(t, variables["AWS_ENDPOINT_URL"], variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_DEFAULT_REGION"])
	wantRepositories(t, s, []string{"spindev-00001/welcome", "spindev-00002/shop"})

	p.stop()
	p.wantEnd()
	wantNoAnswer(t, variables["API"])
	wantNoAnswer(t, variables["AWS_ENDPOINT_URL"])
}

// wantFault adds a fault to the local AWS and removes it. Meanwhile the service
// cannot list.
func wantFault(t *testing.T, list, addFault, removeFaults *http.Request) {
	t.Helper()
	for i, step := range []struct {
		request *http.Request
		status  int
	}{
		{list, http.StatusOK},
		{addFault, http.StatusCreated},
		{list, http.StatusInternalServerError},
		{removeFaults, http.StatusNoContent},
		{list, http.StatusOK},
	} {
		if status, body := do(t, step.request); status != step.status {
			t.Errorf("step %d: %s %s: status %d, want %d: %s", i, step.request.Method, step.request.URL, status, step.status, body)
		}
	}
}

func TestLocalAWS(t *testing.T) {
	t.Parallel()
	p := start(t, "", "-local-aws", "127.0.0.1:0")
	url := p.stdout.waitFor(t, `^a local AWS listens on (http://127\.0\.0\.1:[0-9]+)\n$`)
	s := newSession(t, url, "any", "any", "us-east-1")
	wantRepositories(t, s, nil)
	_, err := sts.New(s).AssumeRole(&sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::210987654321:role/ecr-api"), RoleSessionName: aws.String("me"), ExternalId: aws.String("local"),
	})
	if err != nil {
		t.Error(err)
	}
	wantGuarded(t, url+"/faults")
	p.stop()
	p.wantEnd()
	if diff := cmp.Diff("", p.stderr.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
}

// On addresses that other machines reach, both answer to the names that are
// allowed.
func TestAllowHosts(t *testing.T) {
	t.Parallel()
	aws := start(t, "", "-local-aws", "0.0.0.0:0", "-allow-hosts", "aws.example.com")
	url := aws.stdout.waitFor(t, `^a local AWS listens on (http://127\.0\.0\.1:[0-9]+)\n$`)
	wantStatus(t, http.StatusOK, url+"/faults", "aws.example.com")
	wantGuarded(t, url+"/faults")

	service := start(t, "", "-local", "-listen", "0.0.0.0:0", "-local-aws", "0.0.0.0:0", "-allow-hosts", "ecr-api,ecr-api.example.com")
	registry := service.stdout.waitFor(t, `export REGISTRY=(127\.0\.0\.1:[0-9]+)\n`)
	wantStatus(t, http.StatusOK, "http://"+registry+"/faults", "ecr-api:4566")
	wantGuarded(t, "http://"+registry+"/faults")
	url = service.stdout.waitFor(t, `export API=(http://127\.0\.0\.1:[0-9]+)/`)
	wantStatus(t, http.StatusOK, url+"/v1/ecr/ping", "ecr-api:8080")
	wantStatus(t, http.StatusOK, url+"/v1/ecr/ping", "ecr-api.example.com")
	wantGuarded(t, url+"/v1/ecr/ping")
	for _, p := range []*program{aws, service} {
		p.stop()
		p.wantEnd()
	}
}

// wantGuarded fails the test unless a GET of the URL is answered, and no
// request that a web page elsewhere could make.
func wantGuarded(t *testing.T, url string) {
	t.Helper()
	wantStatus(t, http.StatusOK, url, "")
	wantStatus(t, http.StatusOK, url, "", "Sec-Fetch-Site", "same-origin")
	wantStatus(t, http.StatusForbidden, url, "example.com")
	wantStatus(t, http.StatusForbidden, url, "", "Sec-Fetch-Site", "cross-site")
}

// wantStatus sends a GET with another Host, unless that is empty, and with one
// more header.
func wantStatus(t *testing.T, want int, url, host string, header ...string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	if header != nil {
		r.Header.Set(header[0], header[1])
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	answer.Body.Close()
	if answer.StatusCode != want {
		t.Errorf("%s with the Host %q and %q: status %d, want %d", url, host, header, answer.StatusCode, want)
	}
}

var (
	times   = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z`)
	digests = regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	awsIDs  = regexp.MustCompile(`"awsRequestId":"[0-9a-f-]{36}"`)
)

// normalized replaces what is different in each run.
func normalized(body string) string {
	body = digests.ReplaceAllString(times.ReplaceAllString(body, "TIME"), "DIGEST")
	return awsIDs.ReplaceAllString(body, `"awsRequestId":"ID"`)
}

func parse(t *testing.T, document string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		t.Fatalf("not JSON: %v: %q", err, document)
	}
	return value
}

func newSession(t *testing.T, url, key, secret, region string) *session.Session {
	t.Helper()
	s, err := session.NewSession(&aws.Config{
		Region: &region, Endpoint: &url, Credentials: credentials.NewStaticCredentials(key, secret, ""),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantRepositories(t *testing.T, s *session.Session, want []string) {
	t.Helper()
	out, err := ecr.New(s).DescribeRepositories(&ecr.DescribeRepositoriesInput{})
	if err != nil {
		t.Error(err)
		return
	}
	var got []string
	for _, r := range out.Repositories {
		got = append(got, *r.RepositoryName)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("repositories in AWS (-want +got):\n%s", diff)
	}
}
