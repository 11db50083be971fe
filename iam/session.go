// Package iam enters other AWS accounts: it assumes their management role, cut
// down by a session policy, and keeps the credentials.
package iam

import (
	"context"
	"net/http"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/endpoints"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
)

const (
	// attemptTimeout bounds one attempt of one AWS call, reading the answer
	// included. The SDK refreshes credentials without the caller's deadline, so
	// nothing else would end that.
	attemptTimeout = 10 * time.Second
	// idleConnections an AWS host. The default of 2 makes a new TLS connection
	// for nearly every call under load.
	idleConnections = 256
)

// Call is a call to AWS that has ended, all its attempts together.
type Call struct {
	Operation string // such as CreateRepository
	RequestID string // AWS's id of the last attempt; empty if AWS did not answer
}

// NewSession returns the one AWS session of this process: its own identity,
// region and connections. It tells observe of each call, with the context that
// the call was made in; an AssumeRole has that of the first request to need it.
func NewSession(account common.Account, observe func(context.Context, Call)) (*session.Session, error) {
	config := aws.NewConfig().
		WithRegion(account.Region).
		WithHTTPClient(newHTTPClient()).
		WithSTSRegionalEndpoint(endpoints.RegionalSTSEndpoint)
	request.WithRetryer(config, retryer{client.DefaultRetryer{NumMaxRetries: client.DefaultRetryerMaxNumRetries}})
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
	s.Handlers.Complete.PushBackNamed(request.NamedHandler{Name: "ecr-api.Observe", Fn: func(r *request.Request) {
		observe(r.Context(), Call{Operation: r.Operation.Name, RequestID: r.RequestID})
	}})
	return s, nil
}

// retryer is the SDK's own, except that a call under a session that AWS calls
// expired is repeated once for that, with a new session: a second such answer is
// no matter of time.
type retryer struct{ client.DefaultRetryer }

// expiredKey marks the context of a call that was repeated for that.
type expiredKey struct{}

// ShouldRetry tells whether to repeat the call; the SDK drops an expired session
// before it does.
func (r retryer) ShouldRetry(req *request.Request) bool {
	if !req.IsErrorExpired() {
		return r.DefaultRetryer.ShouldRetry(req)
	}
	if req.Context().Value(expiredKey{}) != nil {
		return false
	}
	req.SetContext(context.WithValue(req.Context(), expiredKey{}, true))
	return true
}

// Partition returns the partition that an AWS region is in, aws for one that
// the SDK has never heard of.
func Partition(region string) string {
	if partition, ok := endpoints.PartitionForRegion(endpoints.DefaultPartitions(), region); ok {
		return partition.ID()
	}
	return endpoints.AwsPartitionID
}

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 0 // no limit beside that of each host
	transport.MaxIdleConnsPerHost = idleConnections
	return &http.Client{Transport: transport, Timeout: attemptTimeout}
}
