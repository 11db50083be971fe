package common

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/google/go-cmp/cmp"
)

// awsCodes is like the map of error codes of a service. It has each of our
// codes.
var awsCodes = map[string]Code{
	ecr.ErrCodeInvalidParameterException:   BadRequest,
	ecr.ErrCodeRepositoryNotFoundException: RepositoryNotFound,
	ecr.ErrCodeRepositoryNotEmptyException: RepositoryNotEmpty,
	ecr.ErrCodeLimitExceededException:      QuotaReached,
	"AccessDeniedException":                DeniedByAWS,
	"AccessDenied":                         RoleRefused,
}

const (
	refusedMessage   = "AWS refused this."
	throttledMessage = "AWS limits how much may be asked of that account, and the limit is reached. Try again later."
	quotaMessage     = "A quota of AWS is reached in that account. Delete what is not needed, or have the quota raised. AWS's words."
	timeoutMessage   = "AWS did not answer in time."
	canceledMessage  = "The request was cancelled."
	internalMessage  = "internal error"
)

// wantFromAWS checks what an error becomes. Its cause must be that error, or
// what caused it.
func wantFromAWS(t *testing.T, name string, err error, want Error) {
	t.Helper()
	var got *Error
	if !errors.As(FromAWS(err, awsCodes, refusedMessage), &got) {
		t.Errorf("%s: %v does not become an Error", name, err)
		return
	}
	bare := *got
	bare.Cause = nil
	if diff := cmp.Diff(want, bare); diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
	}
	if got.Cause == nil || !strings.HasSuffix(err.Error(), got.Cause.Error()) {
		t.Errorf("%s: the cause of %v is %v", name, err, got.Cause)
	}
}

// answered returns an error that AWS answered.
func answered(code string) error {
	return awserr.NewRequestFailure(awserr.New(code, "AWS's words.", nil), http.StatusBadRequest, "id-1")
}

func TestFromAWSCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		awsCode string
		code    Code
		message string
	}{
		{"InvalidParameterException", BadRequest, "AWS's words."},
		{"RepositoryNotFoundException", RepositoryNotFound, "AWS's words."},
		{"RepositoryNotEmptyException", RepositoryNotEmpty, "AWS's words."},
		{"AccessDeniedException", DeniedByAWS, refusedMessage},
		{"AccessDenied", RoleRefused, refusedMessage},
		{"LimitExceededException", QuotaReached, quotaMessage},
		{"ThrottlingException", Throttled, throttledMessage},
		{"ServerException", Internal, internalMessage},
		{"ExpiredTokenException", Internal, internalMessage},
		{"NeverHeardOfException", Internal, internalMessage},
		{"accessdeniedexception", Internal, internalMessage},
	} {
		err := answered(test.awsCode)
		want := Error{Code: test.code, Message: test.message, AWSCode: test.awsCode, AWSRequestID: "id-1"}
		wantFromAWS(t, test.awsCode, err, want)
		wantFromAWS(t, "wrapped "+test.awsCode, fmt.Errorf("asking ECR: %w", err), want)
	}
}

// Every code that the SDK takes for throttling is in throttles too. The
// exceptions are codes of services that this program never calls.
func TestFromAWSThrottles(t *testing.T) {
	t.Parallel()
	for code, ours := range map[string]bool{
		"RequestLimitExceeded":      true,
		"RequestThrottled":          true,
		"RequestThrottledException": true,
		"ThrottledException":        true,
		"Throttling":                true,
		"ThrottlingException":       true,
		"TooManyRequestsException":  true,

		"EC2ThrottledException":                  false, // EC2
		"PriorRequestNotComplete":                false, // Route 53
		"ProvisionedThroughputExceededException": false, // DynamoDB
		"TransactionInProgressException":         false, // DynamoDB
	} {
		if !request.IsErrorThrottle(answered(code)) {
			t.Errorf("the SDK does not take %s for throttling", code)
		}
		want := Error{Code: Internal, Message: internalMessage, AWSCode: code, AWSRequestID: "id-1"}
		if ours {
			want.Code, want.Message = Throttled, throttledMessage
		}
		wantFromAWS(t, code, answered(code), want)
	}
	for _, code := range []string{"BandwidthLimitExceeded", "SlowDown"} {
		wantFromAWS(t, code, answered(code), Error{Code: Throttled, Message: throttledMessage, AWSCode: code, AWSRequestID: "id-1"})
	}
}

func TestFromAWSNoFault(t *testing.T) {
	t.Parallel()
	if err := FromAWS(nil, awsCodes, refusedMessage); err != nil {
		t.Errorf("nil becomes %v", err)
	}
	ours := Errorf(RoleRefused, "no")
	wrapped := fmt.Errorf("assuming the role: %w", ours)
	for _, err := range []error{ours, wrapped, fmt.Errorf("both: %w and %w", answered("Throttling"), ours)} {
		if got := FromAWS(err, awsCodes, refusedMessage); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

func TestFromAWSOtherErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err     error
		code    Code
		message string
	}{
		{context.Canceled, Canceled, canceledMessage},
		{context.DeadlineExceeded, Timeout, timeoutMessage},
		{fmt.Errorf("waiting: %w", context.Canceled), Canceled, canceledMessage},
		{fmt.Errorf("waiting: %w", context.DeadlineExceeded), Timeout, timeoutMessage},
		{errors.New("no idea"), Internal, internalMessage},
		{awserr.New(request.CanceledErrorCode, "request context canceled", context.Canceled), Canceled, canceledMessage},
		{awserr.New(request.CanceledErrorCode, "request context canceled", nil), Internal, internalMessage},
		{awserr.New(request.ErrCodeSerialization, "failed to decode", errors.New("EOF")), Internal, internalMessage},
		{credentials.ErrNoValidProvidersFoundInChain, Internal, internalMessage},
	} {
		wantFromAWS(t, fmt.Sprintf("%T", test.err), test.err, Error{Code: test.code, Message: test.message})
	}
}

// testAWS is a local AWS with a client of the SDK for its ECR.
type testAWS struct {
	*localaws.Server
	client *ecr.ECR
}

func newTestAWS(t *testing.T, change ...func(*aws.Config)) testAWS {
	t.Helper()
	local, err := localaws.New(localaws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(local)
	t.Cleanup(server.Close)
	config := aws.NewConfig().WithRegion("us-east-1").WithEndpoint(server.URL).WithMaxRetries(0).
		WithCredentials(credentials.NewStaticCredentials("any", "any", "")).
		WithHTTPClient(&http.Client{}) // if AWS_CA_BUNDLE is set, the SDK would change the default client
	for _, f := range change {
		f(config)
	}
	s, err := session.NewSession(config)
	if err != nil {
		t.Fatal(err)
	}
	return testAWS{local, ecr.New(s)}
}

func (b testAWS) describe(ctx context.Context) error {
	_, err := b.client.DescribeRepositoriesWithContext(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: aws.StringSlice([]string{"a/b"})})
	return err
}

// The SDK has its own type for each error in the model of a service.
func TestFromAWSModelledError(t *testing.T) {
	t.Parallel()
	err := newTestAWS(t).describe(t.Context())
	modelled, ok := err.(*ecr.RepositoryNotFoundException)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	wantFromAWS(t, "no repository", err, Error{
		Code:         RepositoryNotFound,
		Message:      "The repository with name 'a/b' does not exist in the registry with id '012345678901'",
		AWSCode:      "RepositoryNotFoundException",
		AWSRequestID: modelled.RequestID(),
	})
	if modelled.RequestID() == "" {
		t.Error("AWS gave no request id")
	}
}

func TestFromAWSContexts(t *testing.T) {
	t.Parallel()
	const never = time.Minute
	canceled := Error{Code: Canceled, Message: canceledMessage}
	timeout := Error{Code: Timeout, Message: timeoutMessage}
	for name, test := range map[string]struct {
		fault localaws.Fault
		ends  time.Duration // the deadline; 0: it is canceled when the call has arrived
		want  Error
	}{
		"caller hangs up while AWS works":      {localaws.Fault{Delay: never}, 0, canceled},
		"caller hangs up between two attempts": {localaws.Fault{Code: "ThrottlingException"}, 0, canceled},
		"deadline passed while AWS works":      {localaws.Fault{Delay: never}, 50 * time.Millisecond, timeout},
		"deadline passed between two attempts": {localaws.Fault{Code: "ThrottlingException"}, 50 * time.Millisecond, timeout},
		"deadline passed before":               {localaws.Fault{}, -time.Second, timeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTestAWS(t, func(c *aws.Config) { c.WithMaxRetries(3) })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			test.fault.Operation = "*"
			if test.ends != 0 {
				ctx, cancel = context.WithTimeout(ctx, test.ends)
				defer cancel()
			} else {
				test.fault.When = func(localaws.Call) bool {
					time.AfterFunc(20*time.Millisecond, cancel) // leaves time for the answer, if there is one
					return true
				}
			}
			b.Inject(test.fault)
			start := time.Now()
			err := b.describe(ctx)
			wantFromAWS(t, name, err, test.want)
			if took := time.Since(start); took > never/2 {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// AWS did not answer, so there is no AWS code.
func TestFromAWSNoAnswer(t *testing.T) {
	t.Parallel()
	want := Error{Code: Internal, Message: internalMessage}

	dropped := newTestAWS(t)
	dropped.Inject(localaws.Fault{Operation: "*", Drop: true})
	wantFromAWS(t, "the connection was dropped", dropped.describe(t.Context()), want)

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	refused := newTestAWS(t, func(c *aws.Config) { c.WithEndpoint(gone.URL) })
	wantFromAWS(t, "nobody listens", refused.describe(t.Context()), want)

	slow := newTestAWS(t, func(c *aws.Config) { c.WithHTTPClient(&http.Client{Timeout: 20 * time.Millisecond}) })
	slow.Inject(localaws.Fault{Operation: "*", Delay: time.Minute})
	wantFromAWS(t, "the attempt took too long", slow.describe(t.Context()), Error{Code: Timeout, Message: timeoutMessage})

	_, err := newTestAWS(t).client.CreateRepository(&ecr.CreateRepositoryInput{})
	wantFromAWS(t, "the SDK did not send the call", err, want)
}
