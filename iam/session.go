// Package iam enters other AWS accounts: it assumes their management role, cut
// down by a session policy, and keeps the credentials.
package iam

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

// idleConnections an AWS host. The default of 2 makes a new TLS connection for
// nearly every call under load.
const idleConnections = 256

// Call is a call to AWS that has ended, all its attempts together.
type Call struct {
	Service    string   // ecr or sts
	Operation  string   // such as CreateRepository
	RequestIDs []string // AWS's ids of the attempts that it answered
	Start, End time.Time
	Retries    int
	Err        error // the SDK's
}

// Entry is how a request came by its session.
type Entry string

// The kinds of Entry.
const (
	Hit     Entry = "hit"     // there was one
	Miss    Entry = "miss"    // STS was asked, also where it failed
	Refused Entry = "refused" // STS refused, now or a moment ago
)

// Observer is told what happens here, by many goroutines at once.
type Observer interface {
	// Called is told of each call to AWS, with the context that it was made in;
	// an AssumeRole has that of the first request to need it.
	Called(context.Context, Call)
	// Entered is told of each session that a request was given.
	Entered(Entry)
	// OutOfRetries is told of each call that was not retried only because its
	// account's budget is spent.
	OutOfRetries()
}

// NewSession returns the one AWS session of this process: its own identity,
// region and connections. An attempt of a call takes a third of a request's time
// at most, so that one that stalls leaves time for another.
func NewSession(c *common.Config, o Observer) (*session.Session, error) {
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
	s.Handlers.CompleteAttempt.PushBackNamed(request.NamedHandler{Name: "ecr-api.NoteAnswer", Fn: noteAnswer})
	s.Handlers.Complete.PushBackNamed(request.NamedHandler{Name: "ecr-api.Observe", Fn: func(r *request.Request) {
		if r.LastSignedAt.IsZero() { // nothing was sent: there were no credentials
			return
		}
		call := Call{
			Service:   r.ClientInfo.ServiceName,
			Operation: r.Operation.Name,
			Start:     r.Time,
			End:       time.Now(),
			Retries:   r.RetryCount,
			Err:       r.Error,
		}
		if tries, ok := r.Retryer.(*retryer); ok {
			call.RequestIDs = tries.answers
		}
		o.Called(r.Context(), call)
	}})
	return s, nil
}

// noteAnswer keeps AWS's id of an attempt that it answered: any of them may be
// the one that did the work.
func noteAnswer(r *request.Request) {
	tries, ok := r.Retryer.(*retryer)
	if !ok || r.HTTPResponse == nil {
		return
	}
	if id := r.HTTPResponse.Header.Get("X-Amzn-Requestid"); id != "" {
		tries.answers = append(tries.answers, id)
	}
}

// Partition returns the partition that an AWS region is in, aws for one that
// the SDK has never heard of.
func Partition(region string) string {
	if partition, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region); ok {
		return partition.ID()
	}
	return endpoints.AwsPartitionID
}

// newHTTPClient returns a client that gives up an exchange after the timeout,
// reading the answer included.
func newHTTPClient(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 0 // no limit beside that of each host
	transport.MaxIdleConnsPerHost = idleConnections
	return &http.Client{Transport: transport, Timeout: timeout}
}
