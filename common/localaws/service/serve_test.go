package service_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/common/localaws/awstest"
)

// signed returns a header Authorization for a service. Its signature is wrong,
// but the server does not verify those of the administrator.
func signed(service, region string) string {
	return "AWS4-HMAC-SHA256 Credential=key/20260301/" + region + "/" + service +
		"/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
}

func TestWire(t *testing.T) {
	t.Parallel()
	const target = "AmazonEC2ContainerRegistry_V20150921."
	for _, test := range []struct {
		name                  string
		authorization, target string
		method, body          string
		status                int
		code                  string
	}{
		{"good", signed("ecr", awstest.Here), target + "DescribeRepositories", "", `{}`, 200, ""},
		{"unknown members", signed("ecr", awstest.Here), target + "DescribeRepositories", "", `{"new":1}`, 200, ""},
		{"empty list", signed("ecr", awstest.Here), target + "DescribeRepositories", "", `{"repositoryNames":[]}`, 400, "InvalidParameterException"},
		{"page size 0", signed("ecr", awstest.Here), target + "DescribeRepositories", "", `{"maxResults":0}`, 400, "InvalidParameterException"},
		{"missing name", signed("ecr", awstest.Here), target + "CreateRepository", "", `{}`, 400, "InvalidParameterException"},
		{"missing list of tags", signed("ecr", awstest.Here), target + "TagResource", "", `{"resourceArn":"arn:aws:ecr:us-east-1:012345678901:repository/ab"}`, 400, "InvalidParameterException"},
		{"not JSON", signed("ecr", awstest.Here), target + "DescribeRepositories", "", `{`, 400, "SerializationException"},
		{"wrong type", signed("ecr", awstest.Here), target + "DescribeRepositories", "", `{"maxResults":"1"}`, 400, "SerializationException"},
		{"too large", signed("ecr", awstest.Here), target + "DescribeRepositories", "", strings.Repeat(" ", 28<<20+1), 413, "RequestEntityTooLargeException"},
		{"unknown operation", signed("ecr", awstest.Here), target + "DescribeRegistry", "", `{}`, 400, "UnknownOperationException"},
		{"unknown target", signed("ecr", awstest.Here), "Other.DescribeRepositories", "", `{}`, 400, "UnknownOperationException"},
		{"missing target", signed("ecr", awstest.Here), "", "", `{}`, 400, "UnknownOperationException"},
		{"not a POST", signed("ecr", awstest.Here), target + "DescribeRepositories", "PUT", `{}`, 404, "UnknownOperationException"},
		{"unknown service", signed("s3", awstest.Here), target + "DescribeRepositories", "", `{}`, 400, "UnknownOperationException"},
		{"unknown region", signed("ecr", "moon"), target + "DescribeRepositories", "", `{}`, 400, "InvalidSignatureException"},
		{"unsigned", "", target + "DescribeRepositories", "", `{}`, 400, "MissingAuthenticationTokenException"},
		{"another algorithm", "Basic eDp5", target + "DescribeRepositories", "", `{}`, 400, "IncompleteSignatureException"},
		{"missing scope", "AWS4-HMAC-SHA256 Credential=key, SignedHeaders=host, Signature=00", target + "DescribeRepositories", "", `{}`, 400, "IncompleteSignatureException"},
		{"missing signature", "AWS4-HMAC-SHA256 Credential=key/20260301/us-east-1/ecr/aws4_request", target + "DescribeRepositories", "", `{}`, 400, "IncompleteSignatureException"},

		{"good", signed("sts", awstest.Here), "", "", "Action=GetCallerIdentity&Version=2011-06-15", 200, ""},
		{"unknown action", signed("sts", awstest.Here), "", "", "Action=GetSessionToken&Version=2011-06-15", 400, "InvalidAction"},
		{"unknown version", signed("sts", awstest.Here), "", "", "Action=GetCallerIdentity&Version=2010-05-08", 400, "InvalidAction"},
		{"missing action", signed("sts", awstest.Here), "", "", "", 400, "MissingAction"},
		{"not a form", signed("sts", awstest.Here), "", "", "%", 400, "MalformedQueryString"},
		{"AssumeRole without parameters", signed("sts", awstest.Here), "", "", "Action=AssumeRole&Version=2011-06-15", 400, "ValidationError"},
		{"duration too short", signed("sts", awstest.Here), "", "", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&DurationSeconds=899" +
			"&RoleArn=arn:aws:iam::210987654321:role/ecr-api", 400, "ValidationError"},
		{"unsigned", "", "", "", "Action=GetCallerIdentity&Version=2011-06-15", 403, "MissingAuthenticationToken"},
	} {
		s, err := localaws.New(localaws.Options{})
		awstest.Must(t, err)
		method := test.method
		if method == "" {
			method = http.MethodPost
		}
		r := httptest.NewRequest(method, "/", strings.NewReader(test.body))
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		if test.target != "" {
			r.Header.Set("X-Amz-Target", test.target)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if code := wireCode(w); w.Code != test.status || code != test.code {
			t.Errorf("%s: %d %q, want %d %q\n%s", test.name, w.Code, code, test.status, test.code, w.Body)
		}
		if id := w.Header().Get("x-amzn-RequestId"); !uuid.MatchString(id) {
			t.Errorf("%s: request id %q", test.name, id)
		}
	}
}

var (
	uuid    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	xmlCode = regexp.MustCompile(`<Code>(.*)</Code>`)
)

func wireCode(w *httptest.ResponseRecorder) string {
	var body struct {
		Type string `json:"__type"`
	}
	if json.Unmarshal(w.Body.Bytes(), &body) == nil {
		return body.Type
	}
	if m := xmlCode.FindStringSubmatch(w.Body.String()); m != nil {
		return m[1]
	}
	return ""
}

func TestWireBodies(t *testing.T) {
	t.Parallel()
	b := awstest.New(t)
	b.Add(t, "group/one")
	for _, test := range []struct{ service, target, body, want string }{
		{"ecr", "DescribeRepositories", `{}`, `{"repositories":[{"repositoryArn":"arn:aws:ecr:us-east-1:012345678901:repository/group/one",` +
			`"registryId":"012345678901","repositoryName":"group/one","repositoryUri":"012345678901.dkr.ecr.us-east-1.amazonaws.com/group/one",` +
			`"createdAt":1772366400.25,"imageTagMutability":"MUTABLE","imageScanningConfiguration":{"scanOnPush":false},` +
			`"encryptionConfiguration":{"encryptionType":"AES256"}}]}`},
		{"ecr", "ListImages", `{"repositoryName":"group/one"}`, `{"imageIds":[]}`},
		{"ecr", "DescribeImages", `{"repositoryName":"group/none"}`, `{"__type":"RepositoryNotFoundException",` +
			`"message":"The repository with name 'group/none' does not exist in the registry with id '012345678901'"}`},
		{"ecr", "TagResource", `{"resourceArn":"arn:aws:ecr:us-east-1:012345678901:repository/group/one","tags":[]}`, `{}`},
		{"ecr", "CreateRepository", `{"repositoryName":"ab","encryptionConfiguration":{"encryptionType":"KMS","kmsKey":"!"}}`,
			`{"__type":"KmsException","kmsError":"NotFoundException","message":"The KMS key '!' is not valid in us-east-1"}`},
		{"sts", "", "Action=GetCallerIdentity&Version=2011-06-15", `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` +
			`<GetCallerIdentityResult><Arn>arn:aws:iam::012345678901:user/administrator</Arn><UserId>AIDAUFGMM64CANHUNQ7WH</UserId>` +
			`<Account>012345678901</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>`},
		{"sts", "", "Action=X&Version=2011-06-15", `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>` +
			`<Code>InvalidAction</Code><Message>there is no operation sts:X here</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
	} {
		r, err := http.NewRequest(http.MethodPost, b.URL+"/", strings.NewReader(test.body))
		awstest.Must(t, err)
		r.Header.Set("Authorization", signed(test.service, awstest.Here))
		if test.target != "" {
			r.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+test.target)
		}
		w, err := http.DefaultClient.Do(r)
		awstest.Must(t, err)
		body, err := io.ReadAll(w.Body)
		awstest.Must(t, err)
		awstest.Must(t, w.Body.Close())
		got := strings.ReplaceAll(string(body), w.Header.Get("x-amzn-RequestId"), "ID")
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", test.target, test.body, diff)
		}
	}
}

// TestDate shows that each answer has the time at which it is sent, by the
// server's clock.
func TestDate(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 0, 30, 0, 999_000_000, time.FixedZone("east", 3600))
	var asked atomic.Int64 // how often; each time it is an hour later
	s, err := localaws.New(localaws.Options{Now: func() time.Time { return start.Add(time.Duration(asked.Add(1)) * time.Hour) }})
	awstest.Must(t, err)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.Inject(localaws.Fault{Operation: "ecr:ListImages", Code: "ThrottlingException"})
	for _, test := range []struct {
		name, authorization, operation string
		status                         int
		want                           string
	}{
		{"success", signed("ecr", awstest.Here), "DescribeRepositories", 200, "Sun, 01 Mar 2026 01:30:00 GMT"},
		{"failure", signed("ecr", awstest.Here), "DescribeImages", 400, "Sun, 01 Mar 2026 03:30:00 GMT"},
		{"fault", signed("ecr", awstest.Here), "ListImages", 400, "Sun, 01 Mar 2026 05:30:00 GMT"},
		{"unsigned", "", "ListImages", 400, "Sun, 01 Mar 2026 07:30:00 GMT"},
	} {
		r, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader("{}"))
		awstest.Must(t, err)
		r.Header.Set("Authorization", test.authorization)
		r.Header.Set("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921."+test.operation)
		w, err := http.DefaultClient.Do(r)
		awstest.Must(t, err)
		awstest.Must(t, w.Body.Close())
		if got := w.Header.Values("Date"); w.StatusCode != test.status || !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s: status %d, Date %q, want %d, %q", test.name, w.StatusCode, got, test.status, test.want)
		}
	}
}
