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

// codeByAWSCode has our code for each error code of AWS.
var codeByAWSCode = map[string]string{
	// documented for operations of ECR
	"InvalidParameterException":                 "bad-request",
	"InvalidTagParameterException":              "bad-request",
	"TooManyTagsException":                      "bad-request",
	"ValidationException":                       "bad-request",
	"KmsException":                              "bad-request",
	"RepositoryNotFoundException":               "repository-not-found",
	"ImageNotFoundException":                    "image-not-found",
	"RepositoryAlreadyExistsException":          "repository-exists",
	"RepositoryNotEmptyException":               "repository-not-empty",
	"UnsupportedImageTypeException":             "bad-request",
	"ScanNotFoundException":                     "", // an image without a scan
	"RepositoryPolicyNotFoundException":         "", // a repository that is not shared
	"LimitExceededException":                    "quota-reached",
	"LifecyclePolicyNotFoundException":          "lifecycle-not-found",
	"LifecyclePolicyPreviewNotFoundException":   "preview-not-found",
	"LifecyclePolicyPreviewInProgressException": "preview-under-way",
	"ServerException":                           "internal",
	"UnableToGetUpstreamImageException":         "internal",

	// of every AWS service
	"AccessDeniedException":              "denied-by-aws",
	"ThrottlingException":                "throttled",
	"TooManyRequestsException":           "throttled",
	"UnrecognizedClientException":        "internal",
	"InvalidSignatureException":          "internal",
	"MissingAuthenticationToken":         "internal",
	"ServiceUnavailable":                 "internal",
	"InternalFailure":                    "internal",
	"ACodeThatIsAddedToAWSOnlyNextMonth": "internal",

	// documented for operations of STS
	"MalformedPolicyDocument": "internal",
	"PackedPolicyTooLarge":    "internal",
	"RegionDisabledException": "internal",
	"ExpiredTokenException":   "internal", // the service's own credentials

	// of every operation of STS
	"AccessDenied":           "role-refused",
	"InvalidClientTokenId":   "internal",
	"SignatureDoesNotMatch":  "internal",
	"Throttling":             "throttled",
	"ValidationError":        "internal",
	"AnUnknownNewCodeOfSTSs": "internal",
}

// codeByIAMCode is codeByAWSCode for IAM, whose codes mean something else. Some
// mean it for one operation only.
var codeByIAMCode = map[string]string{
	"AccessDenied":    "denied-by-aws",
	"InvalidInput":    "bad-request",
	"NoSuchEntity":    "user-not-found",
	"ServiceFailure":  "internal",
	"ValidationError": "bad-request",

	"ConcurrentModification":        "user-conflict",
	"DeleteConflict":                "user-conflict",
	"EntityAlreadyExists":           "user-exists",
	"EntityTemporarilyUnmodifiable": "user-conflict",
	"LimitExceeded":                 "quota-reached",

	"iam:CreateAccessKey LimitExceeded": "two-access-keys",
	"iam:UpdateAccessKey NoSuchEntity":  "access-key-not-found",

	"iam:CreateUser NoSuchEntity":           "denied-by-aws", // there is no such boundary
	"iam:DeleteAccessKey NoSuchEntity":      inTheWay,
	"iam:DeleteUserPolicy NoSuchEntity":     inTheWay,
	"iam:GetAccessKeyLastUsed AccessDenied": "", // the key is so new that AWS may not know it everywhere
	"iam:GetUserPolicy NoSuchEntity":        "", // a user without the policy
}

// inTheWay is in place of our code for an error that is none, since what was to be
// removed is gone. In the tests it is not, and so the last step fails.
const inTheWay = "the next step fails"

// ourCode returns our code for the error code of an operation of AWS.
func ourCode(operation, awsCode string) (code string, ok bool) {
	if strings.HasPrefix(operation, "iam:") {
		for _, key := range []string{operation + " " + awsCode, awsCode} {
			if code, ok = codeByIAMCode[key]; ok {
				return code, true
			}
		}
	}
	code, ok = codeByAWSCode[awsCode]
	return code, ok
}

func TestCodesOfAWSErrors(t *testing.T) {
	t.Parallel()
	requests := requestsByOperation(t)
	if diff := cmp.Diff(usedOperations(t), slices.Sorted(maps.Keys(requests))); diff != "" {
		t.Fatalf("operations in the policies, and in calls of the rows' entries (-policies +entries):\n%s", diff)
	}
	for operation, request := range requests {
		for _, code := range codesOf(t, operation) {
			t.Run(operation+" "+code, func(t *testing.T) {
				t.Parallel()
				want, ok := ourCode(operation, code)
				if !ok {
					t.Fatalf("add %s to codeByAWSCode or codeByIAMCode here, and to the codes of its package", code)
				}
				testFault(t, operation, code, request, want)
			})
		}
	}
}

func testFault(t *testing.T, operation, awsCode string, request exchange, code string) {
	w := newWorld(t)
	w.addFullRepository(account, "g/a", org)
	w.aws.Inject(localaws.Fault{Operation: operation, Code: awsCode, Message: "AWS's own words"})
	if code == inTheWay {
		request.status, request.want = 409, "-"
		w.run(request)
		return
	}
	if code == "" {
		request.status, request.want = 200, "-"
		w.run(request)
		return
	}
	status, header, body := w.do(request)
	if status != statusByCode[code] {
		t.Fatalf("status %d, want that of %s: %s", status, code, body)
	}
	said := parse(t, body).(map[string]any)
	if said["code"] != code || said["awsCode"] != awsCode || said["awsRequestId"] == nil {
		t.Errorf("code, awsCode, awsRequestId: %v, want %s", said, code)
	}
	passedOn := status == 400 || status == 404 || status == 409 && code != "user-exists" && code != "two-access-keys" || code == "quota-reached"
	if strings.Contains(body, "AWS's own words") != passedOn {
		t.Errorf("AWS's words in a %s: %s", code, body)
	}
	if got := header.Get("Retry-After"); (got != "") != (code == "throttled") {
		t.Errorf("Retry-After of a %s: %q", code, got)
	}
	if !strings.Contains(w.log.String(), "AWS's own words") {
		t.Errorf("the log does not have the cause:\n%s", w.log)
	}
	if denied := code == "denied-by-aws" && awsCode != "NoSuchEntity"; denied && !strings.Contains(said["detail"].(string), "AWS denied "+operation+" ") {
		t.Errorf("the detail of a denied %s: %s", operation, said["detail"])
	}
}

// doneBefore returns the parts that are done before the request for an operation
// comes to it.
func doneBefore(operation string) []string {
	if operation == "ecr:DeleteRepository" {
		return []string{"User builder"}
	}
	return nil
}

func TestAWSOutOfReach(t *testing.T) {
	t.Parallel()
	for operation, request := range requestsByOperation(t) {
		if strings.HasPrefix(operation, "iam:") && partOf(operation) != "" {
			continue // TestUserChangesWithoutAnAnswer
		}
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.addFullRepository(account, "g/a", org)
			w.aws.Inject(localaws.Fault{Operation: operation, Drop: true})
			request.status, request.want = 500, problemOf("internal", internalError)
			if part := partOf(operation); part != "" {
				request.want = failedChange("internal", internalError, doneBefore(operation), []string{part})
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

// usedOperations are the operations that the policies allow and usual requests
// call, and AssumeRole. The actions of KMS are not among them, because ECR itself
// calls KMS.
func usedOperations(t *testing.T) []string {
	used := map[string]bool{"sts:AssumeRole": true}
	for _, p := range sessionPolicies(t) {
		for action := range allowedActions(p.of(iam.Scope{}).Statement) {
			if !strings.HasPrefix(action, "kms:") && p.entry.notCalled[action] == "" {
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
	if service != "ecr" && service != "inspector2" {
		pattern, codes = stsError, []string{"AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "Throttling",
			"ValidationError", "AnUnknownNewCodeOfSTSs"}
	}
	modelled := pattern.FindAllStringSubmatch(doc, -1)
	if len(modelled) == 0 && operation != "iam:GetAccessKeyLastUsed" { // it has none
		t.Fatalf("no errors found in the documentation of %s", operation)
	}
	for _, m := range modelled {
		codes = append(codes, m[1])
	}
	return codes
}
