// Package roles assumes the management role of AWS accounts. It limits each
// session by a session policy, keeps the credentials, and decides which calls
// to AWS are retried.
package roles

import (
	"context"
	"net/http"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
)

// idleConnections is how many idle connections are kept for each AWS host. With
// Go's default of 2, nearly every call under load would make a new TLS
// connection.
const idleConnections = 256

// A Call is a call to AWS that has ended, with all its attempts.
type Call struct {
	Service    string   // ecr or sts
	Operation  string   // such as CreateRepository
	RequestIDs []string // AWS's ids of the attempts that it answered
	Start, End time.Time
	Retries    int

	// Code is empty if the call succeeded. The package that made the call has
	// chosen it. The answer to the caller has the same code, unless the handler
	// finds out more about a denial.
	Code common.Code
}

// A SessionResult says how a request got its session.
type SessionResult string

// The SessionResults.
const (
	Hit     SessionResult = "hit"     // its credentials were there already
	Miss    SessionResult = "miss"    // STS was asked, whether it answered or failed
	Refused SessionResult = "refused" // STS refused it, now or some seconds ago
	Limited SessionResult = "limited" // STS was not asked, because of a limit of our own
)

// A Limit is a limit of our own on calls to AWS.
type Limit string

// The Limits.
const (
	Retries     Limit = "retries"      // the retry budget of an account, or that of STS
	NewSessions Limit = "sessions"     // how fast sessions are started, over all accounts
	NewAccounts Limit = "new_accounts" // the same, in accounts that may not exist
)

// An Observer is called when something happens that it may count or log. It
// must be safe for concurrent use.
type Observer interface {
	// Called is called after each call to AWS, with the context of the request
	// that made it. For AssumeRole that is the first request that needs the
	// session.
	Called(context.Context, Call)
	// SessionRequested is called when a request needs the credentials of a
	// session.
	SessionRequested(SessionResult)
	// LimitReached is called when a call is not made because of a limit.
	LimitReached(Limit)
	// NoSourceIdentity is called once for an account whose role can be assumed
	// only without a source identity.
	NoSourceIdentity(account string)
}

// NewSDKSession returns the AWS session of this process, in the SDK's sense:
// its identity, its region and its connections. An attempt of a call takes at
// most a third of the request timeout, so that a stalled attempt leaves time
// for another one.
func NewSDKSession(c *common.Config, o Observer) (*session.Session, error) {
	account := c.Account
	config := aws.NewConfig().
		WithRegion(account.Region).
		WithHTTPClient(newHTTPClient(c.RequestTimeout / 3)).
		WithSTSRegionalEndpoint(endpoints.RegionalSTSEndpoint)
	if account.AKID != "" {
		config = config.WithCredentials(credentials.NewStaticCredentials(account.AKID, string(account.Secret), ""))
	}
	if account.Endpoint != "" {
		config = config.WithEndpoint(account.Endpoint)
	}
	s, err := session.NewSession(config)
	if err != nil {
		return nil, err
	}
	s.Handlers.CompleteAttempt.PushBackNamed(request.NamedHandler{Name: "ecr-api.NameForeign", Fn: nameForeign})
	s.Handlers.CompleteAttempt.PushBackNamed(request.NamedHandler{Name: "ecr-api.NoteAnswer", Fn: noteAnswer})
	s.Handlers.Complete.PushBackNamed(request.NamedHandler{Name: "ecr-api.Observe", Fn: func(r *request.Request) { observe(r, o) }})
	return s, nil
}

// observe reports a call that has ended to the observer. The package that made
// the call has translated its error by then.
func observe(r *request.Request, o Observer) {
	if r.LastSignedAt.IsZero() { // there were no credentials, so nothing was sent
		return
	}
	call := Call{
		Service:   r.ClientInfo.ServiceName,
		Operation: r.Operation.Name,
		Start:     r.Time,
		End:       time.Now(),
		Retries:   r.RetryCount,
		Code:      common.CodeOf(r.Error),
	}
	if tries, ok := r.Retryer.(*retryer); ok {
		call.RequestIDs = tries.answers
	}
	o.Called(r.Context(), call)
}

// noteAnswer keeps AWS's request id of each attempt that AWS answered, because
// any of them may have done the work.
func noteAnswer(r *request.Request) {
	tries, ok := r.Retryer.(*retryer)
	if !ok || r.HTTPResponse == nil {
		return
	}
	if id := r.HTTPResponse.Header.Get("X-Amzn-Requestid"); id != "" {
		tries.answers = append(tries.answers, id)
	}
}

// Partition returns the partition of an AWS region. It is aws for a region that
// the SDK does not know.
func Partition(region string) string {
	if partition, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region); ok {
		return partition.ID()
	}
	return endpoints.AwsPartitionID
}

// newHTTPClient returns a client that gives up after the timeout, which
// includes the reading of the answer.
func newHTTPClient(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 0 // the limit is that of each host
	transport.MaxIdleConnsPerHost = idleConnections
	return &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: followNoRedirect}
}

// followNoRedirect keeps a signed request, with its session token, from going to
// another host. AWS does not redirect these calls.
func followNoRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
