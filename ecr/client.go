// Package ecr calls Amazon ECR and answers in the shapes of the contract.
package ecr

import (
	"context"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/client"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/service/ecr"
)

// pageSize is the most entries that ECR gives at once.
const pageSize = 1000

// An API is the way to ECR that all clients share.
type API struct {
	ecr    *ecr.ECR
	claims claims
	clock  *clock
}

// New returns the API of that AWS session, without its credentials. A call that
// no Client has signed is not signed at all, and AWS refuses it.
func New(session client.ConfigProvider) *API {
	api := &API{
		ecr:    ecr.New(session, aws.NewConfig().WithCredentials(credentials.AnonymousCredentials)),
		claims: newClaims(),
		clock:  newClock(),
	}
	// The clock is told as soon as the header is there, before the body is
	// read.
	api.ecr.Handlers.UnmarshalMeta.PushFront(api.clock.note)
	api.ecr.Handlers.Complete.PushFront(translate)
	return api
}

// A Client calls one registry in one session of the management role. Its errors
// are common.Errors.
type Client struct {
	api      *ecr.ECR
	claims   claims
	clock    *clock
	registry common.Registry
	session  request.Option
}

// Client returns a Client of the registry. The option makes each of its
// requests one of the session. A Client costs little: make one for each
// request.
func (a *API) Client(registry common.Registry, session request.Option) *Client {
	return &Client{api: a.ecr, claims: a.claims, clock: a.clock, registry: registry, session: session}
}

// send makes one call to ECR in the client's session. All calls go through it.
// Its error is the one that translate made: metrics, log and answer tell the
// same.
func send[In, Out any](
	ctx context.Context, c *Client, newRequest func(In) (*request.Request, Out), in In, options ...request.Option,
) (Out, error) {
	r, out := newRequest(in)
	r.SetContext(ctx)
	r.ApplyOptions(c.session)
	r.ApplyOptions(options...)
	_ = r.Send() // the same error, not yet translated
	return out, r.Error
}
