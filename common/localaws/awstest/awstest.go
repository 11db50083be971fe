//lint:file-ignore SA1019 The service uses the SDK's first version.

// Package awstest starts a localaws for a test, with the clients of the SDK
// that call it.
package awstest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/iam"
	"github.com/aws/aws-sdk-go/service/sts"

	"github.com/YaleSpinup/ecr-api/common/localaws"
)

const (
	// Here is the region of most calls.
	Here = "us-east-1"
	// Other is an account that is not the administrator's.
	Other = "210987654321"

	// AllowAll is a policy that allows everything.
	AllowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	// TrustLocal is a trust policy that lets the administrator assume the role
	// with the external id "local".
	TrustLocal = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"012345678901"},
		"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"sts:ExternalId":"local"}}}}`
)

// Noon is the time at which the clock of an AWS starts.
var Noon = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

// AWS is a localaws server that listens. It has its own clock, and keeps its
// calls.
type AWS struct {
	*localaws.Server
	URL string

	session *session.Session

	mu    sync.Mutex
	clock time.Time
	calls []localaws.Call
}

// New starts a server with the role ecr-api in two accounts, and with the roles
// given. A role given with the same account and name replaces one of these two.
func New(t testing.TB, roles ...localaws.Role) *AWS {
	t.Helper()
	return NewWith(t, localaws.Options{Roles: roles})
}

// NewWith is New with more options than roles. The clock and Watch are those of
// the AWS that it returns.
func NewWith(t testing.TB, o localaws.Options) *AWS {
	t.Helper()
	roles := o.Roles
	for _, account := range []string{localaws.AdministratorAccount, Other} {
		isThis := func(r localaws.Role) bool { return r.Account == account && r.Name == "ecr-api" }
		if !slices.ContainsFunc(roles, isThis) {
			roles = append(roles, localaws.Role{Account: account, Name: "ecr-api", Trust: TrustLocal, Permissions: []string{AllowAll}})
		}
	}
	b := &AWS{clock: Noon}
	o.Roles, o.Now, o.Watch = roles, b.now, b.watch
	s, err := localaws.New(o)
	Must(t, err)
	listening := httptest.NewServer(s)
	t.Cleanup(func() {
		listening.Close()
		if err := s.Close(); err != nil {
			t.Errorf("the local AWS does not close: %v", err)
		}
	})
	b.Server, b.URL = s, listening.URL
	// The session has its own HTTP client and is made only once, because
	// NewSession changes the client if AWS_CA_BUNDLE is set.
	b.session = session.Must(session.NewSession(&aws.Config{
		Endpoint:   &b.URL,
		HTTPClient: &http.Client{Transport: &http.Transport{}},
		MaxRetries: aws.Int(0),
	}))
	return b
}

func (b *AWS) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

func (b *AWS) watch(c localaws.Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, c)
}

// Advance moves the clock of the server.
func (b *AWS) Advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// Calls returns the calls that were answered so far.
func (b *AWS) Calls() []localaws.Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// Session returns a session of the SDK with credentials.
func (b *AWS) Session(region string, c *credentials.Credentials) *session.Session {
	return b.session.Copy(&aws.Config{Region: &region, Credentials: c})
}

// ECR returns a client of the administrator.
func (b *AWS) ECR(region string) *ecr.ECR {
	return ecr.New(b.Session(region, administrator()))
}

// STS returns a client of the administrator.
func (b *AWS) STS() *sts.STS {
	return sts.New(b.Session(Here, administrator()))
}

// IAM returns a client of the administrator.
func (b *AWS) IAM() *iam.IAM {
	return iam.New(b.Session(Here, administrator()))
}

func administrator() *credentials.Credentials {
	return credentials.NewStaticCredentials("key", "secret", "")
}

// Add adds a repository of the administrator's account.
func (b *AWS) Add(t testing.TB, name string) {
	t.Helper()
	Must(t, b.AddRepository(localaws.AdministratorAccount, Here, name, nil))
}

// Assume returns credentials of the role ecr-api with a session policy and
// tags. The policy "" means none.
func (b *AWS) Assume(t testing.TB, account, policy string, tags map[string]string) *credentials.Credentials {
	t.Helper()
	return b.AssumeRole(t, account, "ecr-api", policy, tags)
}

// AssumeRole is Assume for any role that has the trust policy TrustLocal.
func (b *AWS) AssumeRole(t testing.TB, account, role, policy string, tags map[string]string) *credentials.Credentials {
	t.Helper()
	in := &sts.AssumeRoleInput{
		RoleArn:         RoleARN(account, role),
		RoleSessionName: aws.String("test"),
		ExternalId:      aws.String("local"),
	}
	if policy != "" {
		in.Policy = &policy
	}
	for key, value := range tags {
		in.Tags = append(in.Tags, &sts.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	out, err := b.STS().AssumeRole(in)
	Must(t, err)
	return Issued(out)
}

// Issued returns the credentials in an answer of AssumeRole.
func Issued(out *sts.AssumeRoleOutput) *credentials.Credentials {
	c := out.Credentials
	return credentials.NewStaticCredentials(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// RoleARN returns the ARN of a role.
func RoleARN(account, name string) *string {
	return aws.String("arn:aws:iam::" + account + ":role/" + name)
}

// RepositoryARN returns the ARN of a repository in the region Here.
func RepositoryARN(account, name string) string {
	return "arn:aws:ecr:" + Here + ":" + account + ":repository/" + name
}

// Must fails the test at once if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ErrorOf returns the error of a call whose answer does not matter.
func ErrorOf[T any](_ T, err error) error { return err }

// CodeOf returns the AWS error code, "" for success.
func CodeOf(err error) string {
	var e awserr.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	if err != nil {
		return "not an AWS error: " + err.Error()
	}
	return ""
}

// WantError fails the test unless the error has the code and its message
// contains the text. The name says which call it was.
func WantError(t testing.TB, name string, err error, code, text string) {
	t.Helper()
	if got := CodeOf(err); got != code {
		t.Errorf("%s: code %q (%v), want %q", name, got, err, code)
		return
	}
	if err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want a message with %q", name, err, text)
	}
}

// A Filter is an exclusion from the mutability of a repository. The SDK has no
// exclusions.
type Filter struct {
	Filter     string `locationName:"filter"`
	FilterType string `locationName:"filterType"`
}

// Wildcards returns filters of the only type that there is.
func Wildcards(patterns ...string) []*Filter {
	var filters []*Filter
	for _, p := range patterns {
		filters = append(filters, &Filter{p, "WILDCARD"})
	}
	return filters
}

// PutMutability sets the mode of a repository with exclusions, as AWS's console
// does.
func PutMutability(c *ecr.ECR, repository, mode string, filters []*Filter) error {
	in := &struct {
		RepositoryName                     string    `locationName:"repositoryName"`
		ImageTagMutability                 string    `locationName:"imageTagMutability"`
		ImageTagMutabilityExclusionFilters []*Filter `locationName:"imageTagMutabilityExclusionFilters"`
	}{repository, mode, filters}
	return c.NewRequest(&request.Operation{Name: "PutImageTagMutability", HTTPMethod: "POST", HTTPPath: "/"}, in, nil).Send()
}
