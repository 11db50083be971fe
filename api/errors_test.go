package api

import (
	"go/build"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/YaleSpinup/ecr-api/iam"
	"github.com/google/go-cmp/cmp"
)

// statusByAWSCode has the status with which we answer each error code of AWS.
var statusByAWSCode = map[string]int{
	// documented for operations of ECR
	"InvalidParameterException":        400,
	"InvalidTagParameterException":     400,
	"TooManyTagsException":             400,
	"ValidationException":              400,
	"KmsException":                     400,
	"RepositoryNotFoundException":      404,
	"ImageNotFoundException":           404,
	"RepositoryAlreadyExistsException": 409,
	"RepositoryNotEmptyException":      409,
	"LimitExceededException":           429,
	"ServerException":                  500,

	// of every AWS service
	"AccessDeniedException":              403,
	"ThrottlingException":                429,
	"TooManyRequestsException":           429,
	"UnrecognizedClientException":        500,
	"InvalidSignatureException":          500,
	"MissingAuthenticationToken":         500,
	"ServiceUnavailable":                 500,
	"InternalFailure":                    500,
	"ACodeThatIsAddedToAWSOnlyNextMonth": 500,

	// documented for operations of STS
	"MalformedPolicyDocument": 500,
	"PackedPolicyTooLarge":    500,
	"RegionDisabledException": 500,
	"ExpiredTokenException":   500, // the service's own credentials

	// of every operation of STS
	"AccessDenied":           403,
	"InvalidClientTokenId":   500,
	"SignatureDoesNotMatch":  500,
	"Throttling":             429,
	"ValidationError":        500,
	"AnUnknownNewCodeOfSTSs": 500,
}

func TestStatusOfAWSErrors(t *testing.T) {
	t.Parallel()
	requests := requestsByOperation(t)
	if diff := cmp.Diff(usedOperations(), slices.Sorted(maps.Keys(requests))); diff != "" {
		t.Fatalf("operations in the policies, and in calls of the rows' entries (-policies +entries):\n%s", diff)
	}
	for operation, request := range requests {
		for _, code := range codesOf(t, operation) {
			t.Run(operation+" "+code, func(t *testing.T) {
				t.Parallel()
				want, ok := statusByAWSCode[code]
				if !ok {
					t.Fatalf("add %s to statusByAWSCode here, and to the codes of its package", code)
				}
				testFault(t, operation, code, request, want)
			})
		}
	}
}

func testFault(t *testing.T, operation, code string, request exchange, want int) {
	w := newWorld(t)
	w.addFullRepository(account, "g/a", org)
	const marked = "words of AWS's own with arn:aws:iam::999999999999:role/hidden"
	w.aws.Inject(localaws.Fault{Operation: operation, Code: code, Message: marked})
	status, header, body := w.do(request)
	if status != want {
		t.Fatalf("status %d, want %d: %s", status, want, body)
	}
	passedOn := want == 400 || want == 404 || want == 409
	if strings.Contains(body, "hidden") != passedOn {
		t.Errorf("AWS's words in a %d: %s", status, body)
	}
	if p := parse(t, body).(map[string]any); p["awsCode"] != code || p["awsRequestId"] == nil {
		t.Errorf("awsCode, awsRequestId: %v", p)
	}
	if got := header.Get("Retry-After"); (got != "") != (want == 429) {
		t.Errorf("Retry-After of a %d: %q", status, got)
	}
	if !strings.Contains(w.log.String(), "hidden") {
		t.Errorf("the log does not have the cause:\n%s", w.log)
	}
}

func TestAWSOutOfReach(t *testing.T) {
	t.Parallel()
	for operation, request := range requestsByOperation(t) {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			w.aws.Inject(localaws.Fault{Operation: operation, Drop: true})
			request.status, request.want = 500, problemOf(500, internalError)
			if part := partOf(operation); part != "" {
				request.want = failedChange(500, internalError, nil, []string{part})
			}
			w.run(request)
		})
	}
}

func TestExpiredSessionIsDroppedAndTheCallRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(exchange{method: "GET", path: base, status: 200, want: `[]`})
	w.forget()
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Message: "expired", Times: 1})
	w.run(exchange{method: "GET", path: base, status: 200, want: `[]`})
	want := []string{"ecr:DescribeRepositories", "sts:AssumeRole", "ecr:DescribeRepositories"}
	if diff := cmp.Diff(want, w.called()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ServerException", Status: 500, Times: 1})
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Message: "expired", Times: 1})
	w.run(exchange{name: "expired after another failure", method: "GET", path: base, status: 200, want: `[]`})
	w.forget()
	w.aws.Inject(localaws.Fault{Operation: "ecr:DescribeRepositories", Code: "ExpiredTokenException", Message: "expired"})
	w.run(exchange{name: "expired again in the new session", method: "GET", path: base, status: 500, want: "-"})
	if diff := cmp.Diff(want, w.called()); diff != "" {
		t.Errorf("calls if the new session is expired too (-want +got):\n%s", diff)
	}
}

// usedOperations are the operations that the policies allow, and AssumeRole.
// The actions of KMS are not among them, because ECR itself calls KMS.
func usedOperations() []string {
	used := map[string]bool{"sts:AssumeRole": true}
	for _, rt := range protectedRows() {
		for action := range allowedActions(rt.Policy(iam.Scope{}).Statement) {
			if !strings.HasPrefix(action, "kms:") {
				used[action] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(used))
}

var (
	ecrError = regexp.MustCompile(`(?m)^//   - (\w+)$`)
	stsError = regexp.MustCompile(`(?m)^//   - ErrCode\w+ "(\w+)"$`)
)

// codesOf returns the error codes that the SDK documents for an operation, and
// others that its service may answer with.
func codesOf(t *testing.T, operation string) []string {
	t.Helper()
	service, name, _ := strings.Cut(operation, ":")
	found, err := build.Import("github.com/aws/aws-sdk-go/service/"+service, ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(found.Dir, "api.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, doc, ok := strings.Cut(string(source), "// "+name+" API operation for ")
	doc, _, ended := strings.Cut(doc, "\nfunc ")
	if !ok || !ended {
		t.Fatalf("the SDK does not document %s", operation)
	}
	pattern, codes := ecrError, []string{"AccessDeniedException", "ThrottlingException", "TooManyRequestsException",
		"UnrecognizedClientException", "InvalidSignatureException", "MissingAuthenticationToken", "ServiceUnavailable",
		"InternalFailure", "ACodeThatIsAddedToAWSOnlyNextMonth"}
	if service == "sts" {
		pattern, codes = stsError, []string{"AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "Throttling",
			"ValidationError", "AnUnknownNewCodeOfSTSs"}
	}
	modelled := pattern.FindAllStringSubmatch(doc, -1)
	if len(modelled) == 0 {
		t.Fatalf("no errors found in the documentation of %s", operation)
	}
	for _, m := range modelled {
		codes = append(codes, m[1])
	}
	return codes
}
