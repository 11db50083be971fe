//lint:file-ignore SA1019 The service uses the SDK's first version.

package localaws

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	awssession "github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/ecr"
	"github.com/aws/aws-sdk-go/service/sts"
)

const (
	here  = "us-east-1"
	other = "210987654321"

	allowAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`
	// trustLocal lets the administrator in, with the external id "local".
	trustLocal = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"012345678901"},
		"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"local"}}}}`
)

// bench is a server with what a test needs around it.
type bench struct {
	*Server
	url string
	aws *awssession.Session

	mu    sync.Mutex
	clock time.Time
	seen  []Call
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC)

// newBench starts a server with the role ecr-api in two accounts, and more roles if they are given.
func newBench(t *testing.T, roles ...Role) *bench {
	t.Helper()
	b := &bench{clock: noon}
	s, err := New(Options{
		Roles: append([]Role{
			{Account: AdministratorAccount, Name: "ecr-api", Trust: trustLocal, Permissions: allowAll},
			{Account: other, Name: "ecr-api", Trust: trustLocal, Permissions: allowAll},
		}, roles...),
		Now: b.now,
		Watch: func(c Call) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.seen = append(b.seen, c)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	b.Server, b.url = s, server.URL
	// A client of its own, made once: where AWS_CA_BUNDLE is set, NewSession writes to the client.
	b.aws = awssession.Must(awssession.NewSession(&aws.Config{
		Endpoint:   &b.url,
		HTTPClient: &http.Client{Transport: &http.Transport{}},
		MaxRetries: aws.Int(0),
	}))
	return b
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

// pass lets time go by.
func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// calls returns the calls that were answered so far.
func (b *bench) calls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Call(nil), b.seen...)
}

func (b *bench) session(region string, c *credentials.Credentials) *awssession.Session {
	return b.aws.Copy(&aws.Config{Region: &region, Credentials: c})
}

func administratorKey() *credentials.Credentials {
	return credentials.NewStaticCredentials("key", "secret", "")
}

// ecr returns a client of the administrator.
func (b *bench) ecr(region string) *ecr.ECR {
	return ecr.New(b.session(region, administratorKey()))
}

// sts returns a client of the administrator.
func (b *bench) sts() *sts.STS {
	return sts.New(b.session(here, administratorKey()))
}

func roleARN(account, name string) *string {
	return aws.String("arn:aws:iam::" + account + ":role/" + name)
}

// assume returns credentials of the role ecr-api with a session policy, "" for none, and tags.
func (b *bench) assume(t *testing.T, account, policy string, tags map[string]string) *credentials.Credentials {
	t.Helper()
	in := &sts.AssumeRoleInput{
		RoleArn:         roleARN(account, "ecr-api"),
		RoleSessionName: aws.String("test"),
		ExternalId:      aws.String("local"),
	}
	if policy != "" {
		in.Policy = &policy
	}
	for key, value := range tags {
		in.Tags = append(in.Tags, &sts.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	out, err := b.sts().AssumeRole(in)
	if err != nil {
		t.Fatal(err)
	}
	return issued(out)
}

func issued(out *sts.AssumeRoleOutput) *credentials.Credentials {
	c := out.Credentials
	return credentials.NewStaticCredentials(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

// codeOf returns the AWS error code, "" for success.
func codeOf(err error) string {
	var e awserr.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	if err != nil {
		return "not an AWS error: " + err.Error()
	}
	return ""
}

// wantError fails the test unless the error has the code, and the message all of the text.
func wantError(t *testing.T, name string, err error, code, text string) {
	t.Helper()
	if got := codeOf(err); got != code {
		t.Errorf("%s: code %q (%v), want %q", name, got, err, code)
		return
	}
	if err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want a message with %q", name, err, text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func repositoryARN(account, name string) string {
	return "arn:aws:ecr:" + here + ":" + account + ":repository/" + name
}

func TestNewNamesTheRole(t *testing.T) {
	t.Parallel()
	good := Role{Account: other, Name: "r", Trust: trustLocal, Permissions: allowAll}
	for _, test := range []struct {
		change func(*Role)
		text   string
	}{
		{func(r *Role) { r.Account = "1" }, "role 1/r: the account"},
		{func(r *Role) { r.Name = "a/b" }, "role 210987654321/a/b: the name"},
		{func(r *Role) { r.Trust = "{" }, "role 210987654321/r: trust policy"},
		{func(r *Role) { r.Trust = allowAll }, "trust policy: statement 1: has prohibited field Resource"},
		{func(r *Role) { r.Permissions = trustLocal }, "permission policy: statement 1: policy document should not specify a principal"},
	} {
		r := good
		test.change(&r)
		_, err := New(Options{Roles: []Role{r}})
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("error %v, want one with %q", err, test.text)
		}
	}
	if _, err := New(Options{Roles: []Role{good, good}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a role given twice: error %v", err)
	}
}
